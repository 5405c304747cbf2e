//! External programs: JSON on standard input, one JSON value on standard output.
//!
//! A program runs in a fresh folder that holds the files it names and nothing else, with an empty environment, as the
//! leader of a process group of its own, all of which is killed when it has ended or its time is over. It runs twice, and
//! must give the same value: one that answers differently is no step of a migration. Its bytes are pinned: it is one of
//! the files, or the step says the SHA-256 of the file at its absolute path.
//!
//! Keeps nothing. It does not keep a program from reading the user's files or the network: whoever allows it trusts it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use ledger_format::hash::ContentHash;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tempfile::TempDir;

use super::step::External;
use crate::document::json::{self, Escapes, JsonError, Style};
use crate::document::{DOCUMENT_BYTES_MAX, Value, WriteError};

/// Most that a program may write: what no document may exceed.
const OUTPUT_BYTES_MAX: usize = DOCUMENT_BYTES_MAX;

/// Most that is kept of what a program complains about.
const COMPLAINT_BYTES_MAX: usize = 4 * 1024;

/// Longest that any program may take, whatever its step says.
const TIMEOUT_MS_MAX: u64 = 3_600_000;

/// How often a start is tried when the file is busy: another thread that starts a program holds it for a moment.
const STARTS_MAX: u32 = 50;

/// How long to wait before the next start.
const START_AGAIN_AFTER: Duration = Duration::from_millis(2);

/// Why an external program has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalError {
    /// Nobody allowed it.
    #[error("an external program runs only where programs are allowed")]
    NotAllowed,
    /// The step names no program.
    #[error("the step names no program: argv is empty")]
    Nameless,
    /// The program is neither one of the files nor pinned.
    #[error("{0:?} is neither one of the step's files nor an absolute path with its sha256")]
    NotPinned(String),
    /// A file that is not there to be handed in.
    #[error("the contract has no file {0:?}")]
    NoFile(String),
    /// A file whose name leads out of the folder.
    #[error("{0:?} is no plain file name")]
    FileName(String),
    /// There is no program at its path.
    #[error("there is no program {path}: {why}")]
    Missing {
        /// Its path.
        path: String,
        /// What the system says.
        why: String,
    },
    /// The program at the path is not the pinned one.
    #[error("the program {path} was changed: its sha256 is {found}, and the step says {expected}")]
    Changed {
        /// Its path.
        path: String,
        /// The pinned hash.
        expected: String,
        /// The hash of what is there.
        found: String,
    },
    /// The system does not start it.
    #[error("the program does not start: {0}")]
    Start(String),
    /// It took too long.
    #[error("the program did not end within {0} ms and was killed")]
    Hanging(u64),
    /// It wrote too much.
    #[error("the program wrote more than {OUTPUT_BYTES_MAX} bytes and was killed")]
    TooMuch,
    /// It ended, and said that it failed.
    #[error("the program failed with {status}{}{complaint}", if complaint.is_empty() { "" } else { ": " })]
    Failed {
        /// Its exit code or signal.
        status: String,
        /// The first line that it wrote to standard error.
        complaint: String,
    },
    /// Its output is not one JSON value.
    #[error("the program's output is not one JSON value: {0}")]
    Garbage(JsonError),
    /// It answered differently the second time.
    #[error("the program gave another result when it was run again")]
    Differs,
    /// Its input has no JSON form.
    #[error("the program's input: {0}")]
    Input(WriteError),
    /// The folder for it could not be made.
    #[error("the folder for the program: {0}")]
    Folder(String),
}

/// The result of the program that `step` names for `input`. `files` has the bytes of the files it names.
pub(super) fn run(
    step: &External,
    files: &BTreeMap<String, Vec<u8>>,
    input: &Value,
) -> Result<Value, ExternalError> {
    let plain = Style {
        indent: None,
        newline: "\n",
        colon: "".into(),
        comma: "".into(),
        end: "\n".into(),
        escapes: Escapes::Needed,
    };
    let input = json::write(input, &plain).map_err(ExternalError::Input)?;
    let first = once(step, files, &input)?;
    let second = once(step, files, &input)?;
    if first == second { Ok(first) } else { Err(ExternalError::Differs) }
}

fn once(
    step: &External,
    files: &BTreeMap<String, Vec<u8>>,
    input: &str,
) -> Result<Value, ExternalError> {
    let folder = folder_with(&step.files, files)?;
    let program = pinned(step, folder.path())?;
    let output = Run::start(step, &program, folder.path(), input)?.output()?;
    let json = json::read(&output).map_err(ExternalError::Garbage)?;
    Ok(json.value)
}

/// A fresh folder with the files that are named. It goes away with the value.
fn folder_with(
    named: &[String],
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<TempDir, ExternalError> {
    let failed = |error: io::Error| ExternalError::Folder(error.to_string());
    let folder = tempfile::Builder::new().prefix("glyph-program-").tempdir().map_err(failed)?;
    for name in named {
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name.as_str())
        {
            return Err(ExternalError::FileName(name.clone()));
        }
        let bytes = files.get(name).ok_or_else(|| ExternalError::NoFile(name.clone()))?;
        let path = folder.path().join(name);
        fs::write(&path, bytes).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).map_err(failed)?;
    }
    Ok(folder)
}

/// The path of the program, which has the bytes that the contract says.
fn pinned(step: &External, folder: &Path) -> Result<PathBuf, ExternalError> {
    let name = step.argv.first().ok_or(ExternalError::Nameless)?;
    match &step.sha256 {
        None if step.files.contains(name) => Ok(folder.join(name)),
        Some(expected) if Path::new(name).is_absolute() => {
            let bytes = fs::read(name).map_err(|error| ExternalError::Missing {
                path: name.clone(),
                why: error.to_string(),
            })?;
            let found = ContentHash::of(&bytes).to_string();
            if found == *expected {
                return Ok(name.into());
            }
            Err(ExternalError::Changed { path: name.clone(), expected: expected.clone(), found })
        }
        _ => Err(ExternalError::NotPinned(name.clone())),
    }
}

/// A program that runs. Dropped, it and all it started in its group are killed.
struct Run {
    /// Nothing once it was waited for: then its number may be another's.
    child: Option<Child>,
    news: Receiver<News>,
    timeout_ms: u64,
    /// When its time is over.
    end: Instant,
}

/// What happens while a program runs.
enum News {
    /// It ended; its number is not given to another process yet.
    Ended,
    /// All that it wrote, up to one byte more than it may.
    Output(Vec<u8>),
    /// The beginning of what it complained about.
    Complaint(Vec<u8>),
}

impl Run {
    fn start(
        step: &External,
        program: &Path,
        folder: &Path,
        input: &str,
    ) -> Result<Self, ExternalError> {
        let mut command = Command::new(program);
        command
            .args(step.argv.iter().skip(1))
            .env_clear()
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let child = spawn(&mut command)?;
        let (tell, news) = channel();
        let timeout_ms = step.timeout_ms.min(TIMEOUT_MS_MAX);
        let end = Instant::now() + Duration::from_millis(timeout_ms);
        let mut run = Self { child: Some(child), news, timeout_ms, end };
        if let Some(child) = &mut run.child {
            feed(child, input.to_owned())?;
            listen(child, &tell)?;
            await_end(child, tell)?;
        }
        Ok(run)
    }

    /// What it wrote, if it ended well and in time.
    fn output(mut self) -> Result<Vec<u8>, ExternalError> {
        let (mut output, mut complaint, mut ended) = (None, None, false);
        while !(ended && output.is_some() && complaint.is_some()) {
            let left = self.end.saturating_duration_since(Instant::now());
            match self.news.recv_timeout(left) {
                Ok(News::Ended) => {
                    ended = true;
                    // What it left behind holds its output open, and must not outlive it.
                    self.kill();
                }
                Ok(News::Output(bytes)) if bytes.len() > OUTPUT_BYTES_MAX => {
                    return Err(ExternalError::TooMuch);
                }
                Ok(News::Output(bytes)) => output = Some(bytes),
                Ok(News::Complaint(bytes)) => complaint = Some(bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(ExternalError::Hanging(self.timeout_ms));
                }
            }
        }
        let status = self.child.take().map(|mut child| child.wait());
        let status = status.and_then(Result::ok).unwrap_or_default();
        if status.success() {
            return Ok(output.unwrap_or_default());
        }
        let complaint = complaint.unwrap_or_default();
        let complaint = String::from_utf8_lossy(&complaint);
        let complaint = complaint.lines().next().unwrap_or_default().trim_end().to_owned();
        Err(ExternalError::Failed { status: words(status), complaint })
    }

    /// Kills its whole group. Its number is still its own, because nobody has waited for it yet.
    fn kill(&self) {
        if let Some(group) = self.child.as_ref().and_then(pid) {
            // A group of which nobody is left is as good as killed.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.kill();
        if let Some(child) = &mut self.child {
            // Killed, it ends; how it ended nobody asks any more.
            let _ = child.wait();
        }
    }
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "neither exit code nor signal".to_owned(),
    }
}

fn spawn(command: &mut Command) -> Result<Child, ExternalError> {
    for _ in 1..STARTS_MAX {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                thread::sleep(START_AGAIN_AFTER);
            }
            other => return other.map_err(|error| ExternalError::Start(error.to_string())),
        }
    }
    command.spawn().map_err(|error| ExternalError::Start(error.to_string()))
}

/// Gives it its input. One that does not read it ends without.
fn feed(child: &mut Child, input: String) -> Result<(), ExternalError> {
    let Some(mut pipe) = child.stdin.take() else { return Ok(()) };
    beside(move || {
        let _ = pipe.write_all(input.as_bytes());
    })
}

/// Tells what it writes. Nobody listens any more when its time is over.
fn listen(child: &mut Child, tell: &Sender<News>) -> Result<(), ExternalError> {
    let (Some(output), Some(mut complaints)) = (child.stdout.take(), child.stderr.take()) else {
        return Ok(());
    };
    let (tell, tell_complaint) = (tell.clone(), tell.clone());
    beside(move || {
        let _ = tell.send(News::Output(beginning(output, OUTPUT_BYTES_MAX + 1)));
    })?;
    beside(move || {
        let complaint = beginning(&mut complaints, COMPLAINT_BYTES_MAX);
        // Read to its end, so that one who complains at length is not stopped by it.
        let _ = io::copy(&mut complaints, &mut io::sink());
        let _ = tell_complaint.send(News::Complaint(complaint));
    })
}

fn beginning(pipe: impl Read, bytes_max: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A pipe that breaks ends there; what is missing is no JSON value.
    let _ = pipe.take(bytes_max as u64).read_to_end(&mut bytes);
    bytes
}

/// Tells when it ended, without taking its number from it.
fn await_end(child: &Child, tell: Sender<News>) -> Result<(), ExternalError> {
    let Some(pid) = pid(child) else { return Ok(()) };
    beside(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(pid), options), Err(rustix::io::Errno::INTR)) {}
        let _ = tell.send(News::Ended);
    })
}

fn beside(work: impl FnOnce() + Send + 'static) -> Result<(), ExternalError> {
    let thread = thread::Builder::new().spawn(work);
    thread.map(drop).map_err(|error| ExternalError::Start(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Pointer;

    fn script(name: &str, text: &str) -> BTreeMap<String, Vec<u8>> {
        [(name.to_owned(), format!("#!/bin/sh\n{text}").into_bytes())].into()
    }

    fn step(argv: &[&str]) -> External {
        External {
            path: Pointer::default(),
            argv: argv.iter().map(ToString::to_string).collect(),
            files: vec!["x".to_owned()],
            sha256: None,
            timeout_ms: 20_000,
        }
    }

    fn run_script(text: &str) -> Result<Value, ExternalError> {
        run(&step(&["x"]), &script("x", text), &Value::from(vec![1.into()]))
    }

    #[test]
    fn a_program_reads_json_and_writes_json() {
        assert_eq!(run_script("cat"), Ok(Value::from(vec![1.into()])));
        assert_eq!(run_script("echo '\"done\"'"), Ok(Value::text("done")));
        let with_arguments = External { argv: vec!["x".into(), "4".into()], ..step(&[]) };
        assert_eq!(run(&with_arguments, &script("x", "echo $1"), &Value::Null), Ok(4.into()));
    }

    #[test]
    fn it_sees_its_files_and_nothing_else() {
        let mut files =
            script("x", "printf '[%s,%s,\"%s\"]' $(ls | wc -l) \"$(cat y)\" \"$HOME$PATHX\"");
        files.insert("y".into(), b"7".to_vec());
        files.insert("z".into(), b"8".to_vec());
        let step = External { files: vec!["x".into(), "y".into()], ..step(&["x"]) };
        let seen = run(&step, &files, &Value::Null).unwrap();
        assert_eq!(seen, Value::from(vec![2.into(), 7.into(), Value::text("")]));
    }

    #[test]
    fn every_failure_has_its_name() {
        assert!(matches!(run_script("echo no"), Err(ExternalError::Garbage(_))));
        assert!(matches!(run_script("echo 1 2"), Err(ExternalError::Garbage(_))));
        assert!(matches!(run_script("true"), Err(ExternalError::Garbage(_))));
        assert_eq!(run_script("date +1%N; sleep 0.01"), Err(ExternalError::Differs));
        assert_eq!(
            run_script("echo 1; echo why >&2; echo more >&2; exit 3").unwrap_err().to_string(),
            "the program failed with exit code 3: why"
        );
        assert_eq!(
            run_script("kill -9 $$").unwrap_err().to_string(),
            "the program failed with signal 9"
        );
        let not_program = [("x".to_owned(), b"no program".to_vec())].into();
        let refused = |step: &External| run(step, &not_program, &Value::Null).unwrap_err();
        assert!(matches!(refused(&step(&["x"])), ExternalError::Start(_)));
        assert_eq!(refused(&step(&[])), ExternalError::Nameless);
        assert_eq!(refused(&step(&["/bin/sh"])), ExternalError::NotPinned("/bin/sh".into()));
        assert_eq!(refused(&step(&["sh"])), ExternalError::NotPinned("sh".into()));
        let file = |name: &str| External { files: vec![name.into()], ..step(&[name]) };
        assert_eq!(refused(&file("y")), ExternalError::NoFile("y".into()));
        for name in ["../x", "/x", "a/b", "..", "x/", ""] {
            assert_eq!(refused(&file(name)), ExternalError::FileName(name.into()));
        }
        let bytes = run(&step(&["x"]), &not_program, &Value::Bytes([1].into())).unwrap_err();
        assert!(matches!(bytes, ExternalError::Input(_)));
    }

    #[test]
    fn a_program_by_its_path_is_the_pinned_one() {
        let found = ContentHash::of(&fs::read("/bin/sh").unwrap()).to_string();
        let by_path = |path: &str, sha256: &str| External {
            argv: vec![path.into(), "x".into()],
            sha256: Some(sha256.into()),
            ..step(&[])
        };
        let files = script("x", "echo 5");
        assert_eq!(run(&by_path("/bin/sh", &found), &files, &Value::Null), Ok(5.into()));
        let wrong = run(&by_path("/bin/sh", &"0".repeat(64)), &files, &Value::Null);
        assert!(matches!(wrong, Err(ExternalError::Changed { .. })));
        let missing = run(&by_path("/no/such", &found), &files, &Value::Null);
        assert!(matches!(missing, Err(ExternalError::Missing { .. })));
        let relative = run(&by_path("x", &found), &files, &Value::Null);
        assert!(matches!(relative, Err(ExternalError::NotPinned(_))));
    }

    /// Whoever holds the pipe and lives long enough writes into it; reading it to its end waits for all who hold it.
    #[test]
    fn nothing_outlives_a_program_that_ends_or_hangs() {
        use rustix::fs::{CWD, Mode, OFlags, fcntl_setfl, mkfifoat, open};
        for (end, timeout_ms, expected) in [
            ("echo 1", 20_000, Ok(1.into())),
            ("sleep 3", 300, Err(ExternalError::Hanging(300))),
            ("exec >&- 2>&-; sleep 3", 300, Err(ExternalError::Hanging(300))),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let pipe = folder.path().join("pipe");
            mkfifoat(CWD, &pipe, Mode::RWXU).unwrap();
            let reader = open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
            let text = format!(
                "exec 3>{}; (sleep 3; echo alive >&3) & {end}; echo late >&3",
                pipe.display()
            );
            let step = External { timeout_ms, ..step(&["x"]) };
            let text = if timeout_ms == 300 { text } else { text.replace("; echo late >&3", "") };
            assert_eq!(run(&step, &script("x", &text), &Value::Null), expected, "{end}");
            fcntl_setfl(&reader, OFlags::empty()).unwrap();
            let mut written = String::new();
            fs::File::from(reader).read_to_string(&mut written).unwrap();
            assert_eq!(written, "", "{end}");
        }
    }

    #[test]
    fn too_much_complaint_stops_nobody_and_input_may_stay_unread() {
        let complaint = "head -c 300000 /dev/zero >&2; echo 1";
        assert_eq!(run_script(complaint), Ok(1.into()));
        let input = Value::text("x".repeat(1 << 20));
        assert_eq!(run(&step(&["x"]), &script("x", "echo 2"), &input), Ok(2.into()));
    }
}
