//! What may go to a terminal: colours where they are wanted, control characters never. Knows no
//! command.

use std::env;
use std::fmt::Display;
use std::io::IsTerminal;
use std::path::Path;

use clap::builder::styling::{AnsiColor, Style};

use super::globals::ColorChoice;

/// Paints words, or leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint(bool);

impl Paint {
    /// For a stream, by the user's choice. `NO_COLOR` (no-color.org) holds unless overruled by the
    /// option.
    pub(super) fn of(stream: &impl IsTerminal, choice: ColorChoice) -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => stream.is_terminal() && !set("NO_COLOR") && !dumb,
        })
    }

    pub(super) const fn is_on(self) -> bool {
        self.0
    }

    /// The word to look at first.
    pub(super) fn strong(self, word: impl Display) -> String {
        self.with(Style::new().bold(), word)
    }

    /// What is there for completeness.
    pub(super) fn faint(self, word: impl Display) -> String {
        self.with(Style::new().dimmed(), word)
    }

    pub(super) fn error(self, word: impl Display) -> String {
        self.with(AnsiColor::Red.on_default().bold(), word)
    }

    pub(super) fn warning(self, word: impl Display) -> String {
        self.with(AnsiColor::Yellow.on_default().bold(), word)
    }

    fn with(self, style: Style, word: impl Display) -> String {
        if self.0 { format!("{style}{word}{style:#}") } else { word.to_string() }
    }
}

/// Text from outside (names of files, versions, words of errors), as it may stand within a line: without control characters, ends of lines
/// among them, and without the marks that turn the direction of writing, all of which a terminal would obey. They are shown as escapes.
pub(super) fn one_line(text: &str) -> String {
    escaped(text, |letter| letter.is_control() || turns(letter))
}

/// The same of a path.
pub(super) fn path_shown(path: &Path) -> String {
    one_line(&path.display().to_string())
}

/// The same of what is shown as the whole of its lines, such as a signed head: its lines stay lines.
pub(super) fn lines_of(text: &str) -> String {
    escaped(text, |letter| (letter.is_control() && letter != '\n') || turns(letter))
}

fn escaped(text: &str, obeyed: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if obeyed(letter) {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

/// Whether `letter` turns the direction in which a line is shown (Unicode Standard Annex 9, explicit formatting characters).
const fn turns(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{61c}')
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(one_line("a\nb\t"), "a\\nb\\t");
        assert_eq!(path_shown(Path::new("a\n\u{1b}[2J.db")), "a\\n\\u{1b}[2J.db");
        assert_eq!(lines_of("gpj.\u{202e}exe\u{2066}"), "gpj.\\u{202e}exe\\u{2066}");
        assert_eq!(lines_of("a\u{1b}[2Jb\n\tc\u{9b}"), "a\\u{1b}[2Jb\n\\tc\\u{9b}");
    }

    #[test]
    fn paint_that_is_off_leaves_words_alone() {
        assert_eq!(Paint(false).error("no"), "no");
        assert_ne!(Paint(true).error("no"), "no");
    }
}
