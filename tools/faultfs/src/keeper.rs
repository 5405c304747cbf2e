//! A process of its own that keeps disks and serves them.
//!
//! Whoever works on a disk must not be the process that serves it: the kernel may wait for the server
//! while it holds the memory of the one that waits (unmapping what SQLite shares does that), and a
//! server with the same memory then waits for the kernel.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};

use crate::disk::Disk;
use crate::fault::{Call, Counts, Effect, Fault};
use crate::mount::Mounted;

/// Where a started process finds whom it keeps disks for.
const SOCKET: &str = "FAULTFS_SOCKET";

/// The other process, and the way to it.
#[derive(Debug)]
pub struct Keeper {
    wire: Mutex<BufReader<UnixStream>>,
    process: Child,
}

/// One of the keeper's disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskId(u64);

impl DiskId {
    /// The empty disk.
    pub const EMPTY: Self = Self(0);
}

impl Keeper {
    /// Starts `command`, which must come to [`keep`].
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket)?;
        let process = command.env(SOCKET, &socket).spawn()?;
        let (wire, _) = listener.accept()?;
        Ok(Self { wire: Mutex::new(BufReader::new(wire)), process })
    }

    /// Serves a disk in the empty folder `place`, with a fault in it or without. One at a time.
    pub fn mount(&self, disk: DiskId, fault: Option<Fault>, place: &Path) -> io::Result<()> {
        let fault = fault.map_or_else(|| "-".to_owned(), |fault| fault.to_string());
        self.ask(&format!("mount {} {fault} {}", disk.0, place.display())).map(drop)
    }

    /// From here on nothing fails any more, but where the power went.
    pub fn lift(&self) -> io::Result<()> {
        self.ask("lift").map(drop)
    }

    /// Calls so far.
    pub fn counts(&self) -> io::Result<Counts> {
        let said = self.ask("counts")?;
        Ok(Counts::of_calls(said.split(' ').filter_map(|count| count.parse().ok())))
    }

    /// What the fault met, if it met anything.
    pub fn met(&self) -> io::Result<Option<String>> {
        let said = self.ask("met")?;
        Ok(Some(said).filter(|said| !said.is_empty()))
    }

    /// Takes the disk out.
    pub fn unmount(&self) -> io::Result<DiskId> {
        self.disk("unmount")
    }

    /// [`Disk::settled`], as a further disk.
    pub fn settled(&self, disk: DiskId) -> io::Result<DiskId> {
        self.disk(&format!("settled {}", disk.0))
    }

    /// [`Disk::cut`], as a further disk.
    pub fn cut(&self, disk: DiskId, seed: u64) -> io::Result<DiskId> {
        self.disk(&format!("cut {} {seed}", disk.0))
    }

    /// [`Disk::cut_bare`], as a further disk.
    pub fn cut_bare(&self, disk: DiskId) -> io::Result<DiskId> {
        self.disk(&format!("bare {}", disk.0))
    }

    /// Forgets every disk made after `disk`.
    pub fn forget_after(&self, disk: DiskId) -> io::Result<()> {
        self.ask(&format!("forget {}", disk.0)).map(drop)
    }

    fn disk(&self, question: &str) -> io::Result<DiskId> {
        let said = self.ask(question)?;
        said.parse().map(DiskId).map_err(io::Error::other)
    }

    fn ask(&self, question: &str) -> io::Result<String> {
        let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(wire.get_mut(), "{question}")?;
        let mut said = String::new();
        wire.read_line(&mut said)?;
        let said = said.trim_end_matches('\n');
        match said.split_once(' ').unwrap_or((said, "")) {
            ("ok", rest) => Ok(rest.to_owned()),
            _ => Err(io::Error::other(format!("{question}: {said}"))),
        }
    }
}

impl Drop for Keeper {
    /// The keeper ends when nobody listens any more, and takes its disk out of the tree.
    fn drop(&mut self) {
        let wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        let _gone_already = wire.get_ref().shutdown(std::net::Shutdown::Both);
        let _waited = self.process.wait();
    }
}

/// Keeps disks for whoever started this process, until nobody listens; at once if nobody did.
pub fn keep() -> io::Result<()> {
    let Some(socket) = std::env::var_os(SOCKET) else { return Ok(()) };
    let wire = UnixStream::connect(socket)?;
    let mut shelf = Shelf { disks: [(0, Disk::default())].into(), mounted: None, next: 1 };
    for question in BufReader::new(wire.try_clone()?).lines() {
        let answer = match shelf.answer(&question?) {
            Ok(said) => format!("ok {said}"),
            Err(error) => format!("failed {error}"),
        };
        writeln!(&wire, "{answer}")?;
    }
    Ok(())
}

struct Shelf {
    disks: BTreeMap<u64, Disk>,
    mounted: Option<Mounted>,
    next: u64,
}

impl Shelf {
    fn answer(&mut self, question: &str) -> io::Result<String> {
        let mut words = question.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        match word() {
            "mount" => {
                let (disk, fault, place) =
                    (self.disk(word())?.clone(), word().parse().ok(), word());
                self.mounted = Some(Mounted::new(disk, fault, Path::new(place))?);
                Ok(String::new())
            }
            "lift" => {
                self.mounted()?.lift();
                Ok(String::new())
            }
            "counts" => Ok(self.mounted()?.counts().to_string()),
            "met" => Ok(self.mounted()?.met().unwrap_or_default()),
            "unmount" => {
                self.mounted()?;
                let disk = self.mounted.take().map(Mounted::unmount).transpose()?;
                Ok(self.add(disk.unwrap_or_default()))
            }
            "settled" => self.disk(word()).map(Disk::settled).map(|disk| self.add(disk)),
            "cut" => {
                let (disk, seed) = (self.disk(word())?, word().parse().map_err(io::Error::other)?);
                let disk = disk.cut(seed);
                Ok(self.add(disk))
            }
            "bare" => self.disk(word()).map(Disk::cut_bare).map(|disk| self.add(disk)),
            "forget" => {
                let last: u64 = word().parse().map_err(io::Error::other)?;
                self.disks.retain(|id, _| *id <= last);
                Ok(String::new())
            }
            other => Err(io::Error::other(format!("{other} is no question"))),
        }
    }

    fn add(&mut self, disk: Disk) -> String {
        let id = self.next;
        self.next += 1;
        self.disks.insert(id, disk);
        id.to_string()
    }

    fn disk(&self, id: &str) -> io::Result<&Disk> {
        let found = id.parse().ok().and_then(|id: u64| self.disks.get(&id));
        found.ok_or_else(|| io::Error::other(format!("there is no disk {id}")))
    }

    fn mounted(&self) -> io::Result<&Mounted> {
        self.mounted.as_ref().ok_or_else(|| io::Error::other("no disk is in its place"))
    }
}

/// As `call:nth:effect`.
impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.call.word(), self.nth, self.effect.word())
    }
}

/// Not the form of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAFault(String);

impl std::fmt::Display for NotAFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is no fault: call:nth:effect is one", self.0)
    }
}

impl std::error::Error for NotAFault {}

impl std::str::FromStr for Fault {
    type Err = NotAFault;

    fn from_str(text: &str) -> Result<Self, NotAFault> {
        let parse = || {
            let mut parts = text.split(':');
            let (call, nth, effect) = (parts.next()?, parts.next()?, parts.next()?);
            let call = Call::ALL.into_iter().find(|known| known.word() == call)?;
            let effect = Effect::ALL.into_iter().find(|known| known.word() == effect)?;
            let nth = nth.parse().ok()?;
            parts.next().is_none().then_some(Self { call, nth, effect })
        };
        parse().ok_or_else(|| NotAFault(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_back_as_it_is_written() {
        for call in Call::ALL {
            for effect in Effect::ALL {
                let fault = Fault { call, nth: 17, effect };
                assert_eq!(fault.to_string().parse(), Ok(fault));
            }
        }
        for bad in ["", "-", "sync:1", "sync:x:cut", "sink:1:cut", "sync:1:cut:4"] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }
}
