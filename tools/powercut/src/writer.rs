//! The process that works when power is cut, and what it says of its work through a pipe, so that nothing
//! of it depends on the disk: how many events are acknowledged. Which events these must be is known from
//! undisturbed work, which gives the same ones.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use clap::ValueEnum as _;
use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Error, at};
use crate::scene::{Part, Scene};

/// Which calls of the writer reach the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syncing {
    Real,
    /// `fsync` and `fdatasync` say that all is well and do nothing.
    Pretended,
}

/// What one acknowledgement was about: the ledger has so many events now.
pub(crate) type Acknowledgement = u64;

/// A writer at work.
pub(crate) struct Writer {
    child: Child,
    pid: Option<Pid>,
    said: Receiver<Acknowledgement>,
}

/// Plays the writer in this process, and says what is acknowledged.
pub(crate) fn write(part: Part, home: &Path) -> Result<(), Error> {
    say(&format!("pid {}", std::process::id()))?;
    let mut unsaid = Ok(());
    Scene::at(home).work(part, &mut |size| {
        if let Err(error) = say(&format!("size {size}")) {
            unsaid = Err(error);
        }
    })?;
    unsaid
}

fn say(line: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(at(Path::new("the pipe")))
}

impl Writer {
    pub(crate) fn start(part: Part, home: &Path, syncing: Syncing) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(at(Path::new("powercut")))?;
        let mut command = match syncing {
            Syncing::Real => Command::new(&program),
            Syncing::Pretended => pretending(&program),
        };
        let name = part.to_possible_value().map(|value| value.get_name().to_owned());
        command.arg("write").args(name).arg(home).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(at(&PathBuf::from(command.get_program())))?;
        let out = child.stdout.take();
        let mut lines = BufReader::new(out.ok_or_else(|| silent("no pipe"))?).lines();
        let pid = match lines.next() {
            Some(Ok(line)) => {
                line.strip_prefix("pid ").and_then(|pid| Pid::from_raw(pid.parse().ok()?))
            }
            _ => None,
        };
        let (sender, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Some(size) = line.strip_prefix("size ").and_then(|size| size.parse().ok())
                else {
                    return;
                };
                if sender.send(size).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, pid, said })
    }

    /// The next acknowledgement; `None` when the writer has ended.
    pub(crate) fn next(&self) -> Option<Acknowledgement> {
        self.said.recv().ok()
    }

    /// The newest acknowledgement that has come by now.
    pub(crate) fn newest(&self) -> Option<Acknowledgement> {
        self.said.try_iter().last()
    }

    /// Ends the writer's process; what it is waiting for in the kernel it still waits for.
    pub(crate) fn kill(&self) {
        if let Some(pid) = self.pid {
            // It may have ended by itself.
            let _killed = kill_process(pid, Signal::KILL);
        }
    }

    /// Waits for the end; the newest acknowledgement that came until then.
    pub(crate) fn end(mut self) -> Result<Option<Acknowledgement>, Error> {
        let newest = self.said.iter().last();
        let status = self.child.wait().map_err(at(Path::new("the writer")))?;
        match status.code() {
            // Killed, or done.
            None | Some(0) => Ok(newest),
            Some(code) => Err(silent(&format!("exit {code}"))),
        }
    }
}

/// The program under a tracer that answers its syncs.
fn pretending(program: &Path) -> Command {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-q", "--seccomp-bpf", "-o", "/dev/null"])
        .args(["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:retval=0"])
        .arg(program);
    command
}

fn silent(actual: &str) -> Error {
    let expected = "to be killed or to end well".to_owned();
    Error::Unexpected { what: "the writer", expected, actual: actual.to_owned() }
}
