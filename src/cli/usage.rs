//! Arguments that were not understood, and the answers that the parser itself gives: help, version.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write as _};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::globals::{ColorChoice, Globals};
use super::output::{Output, to_stderr};
use super::terminal::Paint;
use super::{definition, innermost};
use crate::diagnostic::{Exit, Failure, USAGE};

/// Writes what the parser has to say, and says how the program ends.
pub(super) fn refuse(error: &clap::Error, program: &'static str, argv: &[OsString]) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let shown = shown(error, &io::stdout());
        // A reader that went away has had enough.
        let _gone = io::stdout().write_all(shown.as_bytes());
        return Exit::Done;
    }
    let meant = meant(program, error);
    if !asks_for_json(argv) {
        to_stderr(shown(error, &io::stderr()).trim_end());
        if let Some(words) = meant {
            to_stderr(&format!("next: {program} {}", words.join(" ")));
        }
        return Exit::Usage;
    }
    let command = understood(program, argv);
    let mut failure = Failure::new(&USAGE, reason(error));
    failure.next = vec![meant.unwrap_or_else(|| help(program, argv))];
    let command = command.unwrap_or_else(|| "usage".to_owned());
    let globals = Globals { json: true, ..Globals::default() };
    Output::new(program, command, &[], &globals).fail(&failure)
}

fn shown(error: &clap::Error, stream: &impl IsTerminal) -> String {
    let text = error.render();
    let colours = Paint::of(stream, ColorChoice::Auto).is_on();
    if colours { text.ansi().to_string() } else { text.to_string() }
}

fn asks_for_json(argv: &[OsString]) -> bool {
    argv.iter().take_while(|word| *word != "--").any(|word| word == "--json")
}

/// The command that was meant, as far as the arguments can be understood.
fn understood(program: &'static str, argv: &[OsString]) -> Option<String> {
    let matches = definition(program).ignore_errors(true).try_get_matches_from(argv).ok()?;
    Some(innermost(&matches)).filter(|name| !name.is_empty())
}

/// The help of the command that was called, with the names of those that it stands below.
fn help(program: &'static str, argv: &[OsString]) -> Vec<String> {
    let all = definition(program);
    let mut at = &all;
    let mut words = Vec::new();
    for word in argv.iter().skip(1) {
        if let Some(below) = at.find_subcommand(word) {
            words.push(below.get_name().to_owned());
            at = below;
        }
    }
    words.into_iter().chain(["--help".to_owned()]).collect()
}

/// The help of a command that stands below another one and was called without its name.
fn meant(program: &'static str, error: &clap::Error) -> Option<Vec<String>> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let all = definition(program);
    let above = all.get_subcommands().find(|above| above.find_subcommand(typed).is_some())?;
    Some(vec![above.get_name().to_owned(), typed.clone(), "--help".to_owned()])
}

/// What is wrong and what may have been meant, without the general advice behind it.
fn reason(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "an argument or a command is missing".to_owned();
    }
    let text = error.render().to_string();
    let text = text.split("\n\nUsage:").next().unwrap_or_default();
    let text = text.split("\n\nFor more information").next().unwrap_or_default();
    text.trim().trim_start_matches("error: ").to_owned()
}
