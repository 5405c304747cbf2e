//! What the program says. stdout is data, stderr is for people; with `--json` there is one object on
//! stdout, for success and failure alike. Knows the two forms; knows no command.

use std::ffi::OsString;
use std::io::{self, Write};
use std::iter;

use serde::Serialize;

use super::globals::Globals;
use super::terminal::{Paint, lines_of, one_line};
use crate::diagnostic::{BUSY, Code, Exit, Failure, IO, Severity};

/// Waits long enough for most of what other programs do.
const WAIT_AGAIN: [&str; 2] = ["--wait", "30"];

/// What a command found out: serialised, it is the `data` of the JSON object, as the command's
/// published schema says.
pub(super) trait Answer: Serialize {
    /// Writes it for people, on stdout.
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()>;
}

/// A command that did its work.
#[derive(Debug)]
pub(super) struct Done<A> {
    answer: A,
    exit: Exit,
    diagnostics: Vec<Failure>,
    notes: Vec<String>,
    next: Vec<Vec<String>>,
}

impl<A> Done<A> {
    pub(super) const fn new(answer: A) -> Self {
        Self {
            answer,
            exit: Exit::Done,
            diagnostics: Vec::new(),
            notes: Vec::new(),
            next: Vec::new(),
        }
    }

    /// The same of another form of the answer.
    pub(super) fn map<B>(self, form: impl FnOnce(A) -> B) -> Done<B> {
        let Self { answer, exit, diagnostics, notes, next } = self;
        Done { answer: form(answer), exit, diagnostics, notes, next }
    }

    /// Adds what was found to be wrong. It decides how the program ends, unless something weightier
    /// was found before.
    pub(super) fn found(mut self, failure: Failure) -> Self {
        if matches!(self.exit, Exit::Done | Exit::Pending | Exit::NotFullyChecked) {
            self.exit = failure.code.exit;
        }
        self.diagnostics.push(failure);
        self
    }

    /// Says how the program ends where nothing is wrong.
    pub(super) fn exit(mut self, exit: Exit) -> Self {
        if self.exit == Exit::Done {
            self.exit = exit;
        }
        self
    }

    /// The commands to run next, each once: first those that what was found asks for.
    fn commands(&self) -> Vec<&Vec<String>> {
        let found = self.diagnostics.iter().flat_map(|failure| &failure.next);
        let mut commands = Vec::new();
        for words in found.chain(&self.next) {
            if !commands.contains(&words) {
                commands.push(words);
            }
        }
        commands
    }

    /// Adds a remark for people, which no program needs.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a command to run next: its arguments, without the program's name.
    pub(super) fn next(mut self, arguments: &[&str]) -> Self {
        self.next.push(arguments.iter().map(|word| (*word).to_owned()).collect());
        self
    }
}

/// Writes answers and failures in the form asked for.
#[derive(Debug)]
pub(super) struct Output {
    program: &'static str,
    command: String,
    /// The command again.
    again: Vec<String>,
    json: bool,
    quiet: bool,
    /// Where it works.
    places: Vec<[String; 2]>,
    /// What the caller knows of the ledger from elsewhere.
    known: Vec<[String; 2]>,
    on_stdout: Paint,
    on_stderr: Paint,
}

impl Output {
    /// For one run of `command`, which was called with `arguments`.
    pub(super) fn new(
        program: &'static str,
        command: String,
        arguments: &[OsString],
        globals: &Globals,
    ) -> Self {
        let again = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Self {
            program,
            command,
            again,
            json: globals.json,
            quiet: globals.quiet,
            places: globals.places(),
            known: globals.known_from_elsewhere(),
            on_stdout: Paint::of(&io::stdout(), globals.color),
            on_stderr: Paint::of(&io::stderr(), globals.color),
        }
    }

    /// The name the program was started under.
    pub(super) const fn program(&self) -> &'static str {
        self.program
    }

    /// How words on stdout are painted.
    pub(super) const fn paint(&self) -> Paint {
        self.on_stdout
    }

    /// Writes what became of a command, and says how the program ends.
    pub(super) fn finish<A: Answer>(&self, result: Result<Done<A>, Failure>) -> Exit {
        match result {
            Ok(done) => self.answer(&done),
            Err(failure) => self.fail(&failure),
        }
    }

    /// Writes a failure.
    pub(super) fn fail(&self, failure: &Failure) -> Exit {
        let exit = failure.code.exit;
        if self.json {
            let next = self.after(failure);
            let diagnostics = vec![Diagnostic::of(failure)];
            return self.object(exit, None::<&()>, diagnostics, next);
        }
        self.say(failure);
        exit
    }

    fn answer<A: Answer>(&self, done: &Done<A>) -> Exit {
        if self.json {
            let diagnostics = done.diagnostics.iter().map(Diagnostic::of).collect();
            let next = done.commands().into_iter().map(|words| self.next(words)).collect();
            return self.object(done.exit, Some(&done.answer), diagnostics, next);
        }
        let mut out = io::BufWriter::new(io::stdout().lock());
        let written = done.answer.write(&mut out, self.on_stdout).and_then(|()| out.flush());
        drop(out);
        for failure in &done.diagnostics {
            self.say(failure);
        }
        if !self.quiet {
            done.notes.iter().for_each(|note| to_stderr(&one_line(note)));
            let told = |words: &&Vec<String>| {
                done.diagnostics.iter().any(|failure| failure.next.contains(*words))
            };
            let next = done.next.iter().filter(|words| !told(words));
            let next: Vec<Next> = next.map(|words| self.next(words)).collect();
            for line in commands("", &next) {
                to_stderr(&line);
            }
        }
        self.written(written, done.exit)
    }

    fn object(
        &self,
        exit: Exit,
        data: Option<&impl Serialize>,
        diagnostics: Vec<Diagnostic<'_>>,
        next: Vec<Next>,
    ) -> Exit {
        let schema = format!("glyph-ledger/{}/0", self.command);
        let ok = matches!(exit, Exit::Done | Exit::Pending);
        let object = Object { schema, ok, exit: exit as u8, data, diagnostics, next };
        let mut out = io::BufWriter::new(io::stdout().lock());
        let written = serde_json::to_writer(&mut out, &object).map_err(io::Error::from);
        self.written(written.and_then(|()| writeln!(out)).and_then(|()| out.flush()), exit)
    }

    /// A reader that went away has had enough; anything else that keeps an answer from being written
    /// is a failure.
    fn written(&self, written: io::Result<()>, exit: Exit) -> Exit {
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let failure = Failure::new(&IO, format!("stdout: {error}"))
                    .at("stdout")
                    .not_done("the answer was not written; the command's work is done");
                self.say(&failure);
                failure.code.exit
            }
            _ => exit,
        }
    }

    /// Tells people of a failure, on stderr.
    fn say(&self, failure: &Failure) {
        let paint = self.on_stderr;
        let Failure { code, message, place, not_done, mend: _, evidence, next: _ } = failure;
        let head = match code.severity {
            Severity::Warn => paint.warning(format_args!("warning[{}]", code.id)),
            Severity::Error | Severity::Fatal => paint.error(format_args!("error[{}]", code.id)),
        };
        let mut lines = vec![format!("{head}: {}", one_line(message))];
        lines.extend(place.iter().map(|place| format!("  at: {}", one_line(place))));
        lines.push(format!("  not done: {not_done}"));
        let mend = failure.to_mend();
        lines.extend(mend.map(|what| format!("  mend: {}", one_line(what))));
        let more = format!("{} explain {}", self.program, code.id);
        let next = self.after(failure);
        lines.extend(commands("  ", &next));
        if !next.iter().any(|command| command.to_string() == more) {
            lines.push(format!("  more: {more}"));
        }
        to_stderr(&lines.join("\n"));
        if !evidence.is_empty() {
            to_stderr("  evidence, to be kept and shown:");
        }
        // As they were signed: each can be written to a file and verified.
        for note in evidence {
            to_stderr(&format!("\n{}", lines_of(note.trim_end())));
        }
    }

    /// The commands to run after a failure. Whoever only was in the way is waited for; what keeps a file from being read or
    /// written is mended and the same done again; of all else that has no next step there is more to read.
    fn after(&self, failure: &Failure) -> Vec<Next> {
        let called = |words: &[String]| {
            let argv = iter::once(self.program.to_owned()).chain(words.iter().cloned()).collect();
            vec![Next { argv }]
        };
        match failure.next.as_slice() {
            [] if failure.code == &BUSY => called(&self.waiting()),
            [] if failure.code == &IO => called(&self.again),
            [] => called(&["explain".to_owned(), failure.code.id.to_owned()]),
            next => next.iter().map(|words| self.next(words)).collect(),
        }
    }

    /// The command again, waiting for whoever is in its way.
    fn waiting(&self) -> Vec<String> {
        let mut again = self.again.clone();
        if !again.iter().any(|word| word.starts_with("--wait")) {
            again.extend(WAIT_AGAIN.map(str::to_owned));
        }
        again
    }

    fn next(&self, words: &[String]) -> Next {
        let program = [self.program.to_owned()];
        let known = self.known.iter().filter(|_| judges(words));
        // An option that the command has already is meant as it stands there.
        let given = self.places.iter().chain(known).filter(|[option, _]| !words.contains(option));
        Next { argv: program.iter().chain(words).chain(given.flatten()).cloned().collect() }
    }
}

/// Whether a command judges a ledger, or what is left of one: what the caller knows from elsewhere is part of its verdict.
fn judges(words: &[String]) -> bool {
    words.iter().take(2).any(|word| ["verify-chain", "verify"].contains(&word.as_str()))
}

/// The command to run next, and those that may be run instead, a line each.
fn commands(indent: &str, commands: &[Next]) -> Vec<String> {
    let labels = iter::once("next:").chain(iter::repeat("  or:"));
    labels.zip(commands).map(|(label, command)| format!("{indent}{label} {command}")).collect()
}

/// Writes a line for people. Where stderr is closed there is nobody to tell.
pub(super) fn to_stderr(line: &str) {
    let _closed = writeln!(io::stderr(), "{line}");
}

/// The one object of `--json`; docs/schemas/answer.schema.json.
#[derive(Serialize)]
struct Object<'a, D> {
    schema: String,
    ok: bool,
    exit: u8,
    data: Option<&'a D>,
    diagnostics: Vec<Diagnostic<'a>>,
    next: Vec<Next>,
}

#[derive(Serialize)]
struct Diagnostic<'a> {
    code: &'a str,
    number: u16,
    category: &'a str,
    severity: Severity,
    retryable: bool,
    message: &'a str,
    place: Option<&'a str>,
    not_done: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    evidence: &'a [String],
}

impl<'a> Diagnostic<'a> {
    fn of(failure: &'a Failure) -> Self {
        let code: &'static Code = failure.code;
        Self {
            code: code.id,
            number: code.number,
            category: code.category(),
            severity: code.severity,
            retryable: code.retryable,
            message: &failure.message,
            place: failure.place.as_deref(),
            not_done: failure.not_done,
            mend: failure.to_mend(),
            evidence: &failure.evidence,
        }
    }
}

#[derive(Serialize)]
struct Next {
    argv: Vec<String>,
}

/// As it is typed into a shell.
impl std::fmt::Display for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<_> = self.argv.iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

fn quoted(word: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || "@%_+=:,./~^-".contains(letter);
    if !word.is_empty() && word.chars().all(bare) {
        word.to_owned()
    } else if word.chars().any(char::is_control) {
        let escaped = |letter: char| match letter {
            '\'' | '\\' => format!("\\{letter}"),
            '\n' => "\\n".to_owned(),
            letter if letter.is_control() => format!("\\x{:02x}", u32::from(letter)),
            letter => letter.to_string(),
        };
        format!("$'{}'", word.chars().map(escaped).collect::<String>())
    } else {
        format!("'{}'", one_line(word).replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        for (word, typed) in [
            ("run:1f^", "run:1f^"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("a\nb'", r"$'a\nb\''"),
        ] {
            assert_eq!(quoted(word), typed);
        }
    }
}
