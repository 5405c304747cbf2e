//! The lock of a ledger's folder: the kernel's, on a file that is never deleted, so that it ends with
//! the process that holds it and no two processes ever lock different files of that name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to sleep between two attempts at a lock that somebody else holds.
const POLL: Duration = Duration::from_millis(20);

/// Longest content of a lock file that is looked at: a process id is far shorter.
const HOLDER_BYTES_MAX: u64 = 32;

/// A held lock; dropping it lets it go.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    exclusive: bool,
}

impl Drop for Lock {
    /// Takes the process id out again, so that nobody takes a reader for the writer before.
    fn drop(&mut self) {
        if self.exclusive {
            let _still_there = self.file.set_len(0);
        }
    }
}

/// Why a lock is not held.
pub(super) enum LockError {
    /// Somebody else holds it: a writer, whose process id is then known, or readers.
    Busy { pid: Option<u32> },
    /// The file cannot be locked.
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Lock {
    /// Waits at most `wait` to be the only holder, and leaves this process's id in the file.
    pub(super) fn exclusive(path: &Path, wait: Duration) -> Result<Self, LockError> {
        let mut file = open(path)?;
        acquire(&mut file, wait, File::try_lock)?;
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { file, exclusive: true })
    }

    /// Waits at most `wait` to hold the lock together with other readers.
    pub(super) fn shared(path: &Path, wait: Duration) -> Result<Self, LockError> {
        let mut file = OpenOptions::new().read(true).open(path)?;
        acquire(&mut file, wait, File::try_lock_shared)?;
        Ok(Self { file, exclusive: false })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn acquire(
    file: &mut File,
    wait: Duration,
    attempt: fn(&File) -> Result<(), TryLockError>,
) -> Result<(), LockError> {
    let start = Instant::now();
    loop {
        match attempt(file) {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
            Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                return Err(LockError::Busy { pid: holder(file) });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(POLL),
        }
    }
}

/// The process id in the lock file. It is a message for people: it may be that of an earlier writer
/// while readers hold the lock, so it is only believed while such a process exists.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
    let pid: u32 = text.trim().parse().ok()?;
    Path::new("/proc").join(pid.to_string()).exists().then_some(pid)
}
