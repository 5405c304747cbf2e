//! The disk whose power is cut: three file systems, each on a loop device over a file of the one above
//! it, the first of them on a tmpfs.
//!
//! ```text
//! tmpfs ─ base.img ─▶ base ─ outer.img ─▶ outer ─ inner.img ─▶ inner: the store
//! ```
//!
//! Freezing a file system stops every write to the files on it between one block request and the next.
//! With `outer` frozen, `inner.img` is what reached the disk's own memory: every block written so far,
//! flushed or not. With `base` frozen, `outer.img` has of `inner.img` what was flushed, and of the rest
//! only what the kernel happened to write back: what a disk keeps that loses its volatile cache. What
//! `inner` still has in the page cache is in neither.
//!
//! All of it lives in a mount namespace of its own, on loop devices that go away with their mounts: when
//! the process ends, however it ends, nothing is left. Only a process killed while something is frozen
//! leaves a loop device behind.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, at};

const MIB: u64 = 1024 * 1024;
const INNER_BYTES: u64 = 48 * MIB;
const OUTER_BYTES: u64 = 60 * MIB;
const BASE_BYTES: u64 = 72 * MIB;
const TMPFS_OPTIONS: &str = "size=512m";

/// Without a journal: what is written to a file in place changes nothing else.
const NO_JOURNAL: [&str; 2] = ["-O", "^has_journal"];

/// What becomes of blocks that were written and not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    /// The disk keeps them.
    Kept,
    /// The disk had them in a volatile cache.
    Lost,
}

/// How the file system of the store is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mounting {
    /// Data before the metadata that shows it, as usual.
    Ordered,
    /// Metadata may come before its data.
    Writeback,
    /// No flush ever reaches the disk.
    NoFlush,
}

impl Mounting {
    const fn options(self) -> &'static str {
        match self {
            Self::Ordered => "loop,noatime,data=ordered",
            Self::Writeback => "loop,noatime,data=writeback",
            Self::NoFlush => "loop,noatime,data=ordered,barrier=0",
        }
    }
}

/// The disk, built.
pub(crate) struct Stack {
    root: PathBuf,
}

impl Stack {
    /// Builds the disk below the empty folder `root` and has the store's first content made by `fill`.
    pub(crate) fn build(
        root: &Path,
        fill: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let stack = Self { root: root.to_owned() };
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", TMPFS_OPTIONS, "powercut"])
            .arg(root))?;
        for folder in ["base", "outer", "inner", "lifted", "after"] {
            let folder = stack.at(folder);
            fs::create_dir(&folder).map_err(at(&folder))?;
        }
        let (base, outer, inner) = (stack.at("base.img"), stack.outer_image(), stack.inner_image());
        make_image(&base, BASE_BYTES, &NO_JOURNAL)?;
        mount("loop,noatime", &base, &stack.at("base"))?;
        make_image(&outer, OUTER_BYTES, &NO_JOURNAL)?;
        mount("loop,noatime", &outer, &stack.at("outer"))?;
        make_image(&inner, INNER_BYTES, &[])?;
        stack.plug_in(Mounting::Ordered)?;
        fill(&stack.inner())?;
        stack.unplug()?;
        fs::copy(&inner, stack.prepared()).map_err(at(&inner))?;
        Ok(stack)
    }

    /// Where the store's file system is mounted.
    pub(crate) fn inner(&self) -> PathBuf {
        self.at("inner")
    }

    /// Puts the first content back, flushed down to the last of it.
    pub(crate) fn reset(&self) -> Result<(), Error> {
        let (from, to) = (self.prepared(), self.inner_image());
        let over = || -> io::Result<()> {
            // In place: the file keeps its blocks, so that later writes change nothing but them.
            let mut target = File::options().write(true).open(&to)?;
            io::copy(&mut File::open(&from)?, &mut target)?;
            target.sync_all()
        };
        over().map_err(at(&to))
    }

    /// Mounts the store's file system.
    pub(crate) fn plug_in(&self, mounting: Mounting) -> Result<(), Error> {
        mount(mounting.options(), &self.inner_image(), &self.inner())
    }

    pub(crate) fn unplug(&self) -> Result<(), Error> {
        unmount(&self.inner())
    }

    /// Stops the disk between two block requests.
    pub(crate) fn freeze(&self, cache: Cache) -> Result<Frozen<'_>, Error> {
        let folder = match cache {
            Cache::Kept => self.at("outer"),
            Cache::Lost => self.at("base"),
        };
        run(Command::new("fsfreeze").arg("--freeze").arg(&folder))?;
        Ok(Frozen { stack: self, cache, folder, thawed: false })
    }

    /// Mounts what was on the disk when it was stopped, on a device of its own.
    pub(crate) fn after(&self) -> Result<PathBuf, Error> {
        let folder = self.at("after");
        mount("loop,noatime", &self.image_after(), &folder)?;
        Ok(folder)
    }

    /// Ends [`Stack::after`].
    pub(crate) fn forget_after(&self) -> Result<(), Error> {
        unmount(&self.at("after"))
    }

    /// Keeps what was on the disk when it was stopped, as it was before anybody mounted it.
    pub(crate) fn keep(&self, at_path: &Path) -> Result<(), Error> {
        fs::copy(self.at("cut.img"), at_path).map(drop).map_err(at(at_path))
    }

    /// Takes the disk apart.
    pub(crate) fn take_apart(self) -> Result<(), Error> {
        for folder in ["outer", "base"] {
            unmount(&self.at(folder))?;
        }
        unmount(&self.root)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn prepared(&self) -> PathBuf {
        self.at("prepared.img")
    }

    fn outer_image(&self) -> PathBuf {
        self.at("base").join("outer.img")
    }

    fn inner_image(&self) -> PathBuf {
        self.at("outer").join("inner.img")
    }

    fn image_after(&self) -> PathBuf {
        self.at("after.img")
    }
}

/// A disk that is stopped. It goes on when this is dropped.
pub(crate) struct Frozen<'a> {
    stack: &'a Stack,
    cache: Cache,
    folder: PathBuf,
    thawed: bool,
}

impl Frozen<'_> {
    /// Copies what is on the disk, and lets it go on.
    pub(crate) fn copy_and_thaw(mut self) -> Result<(), Error> {
        let stack = self.stack;
        let cut = stack.at("cut.img");
        let copy = |from: &Path, to: &Path| fs::copy(from, to).map(drop).map_err(at(from));
        match self.cache {
            Cache::Kept => {
                copy(&stack.inner_image(), &cut)?;
                self.thaw()?;
            }
            Cache::Lost => {
                let (lifted, folder) = (stack.at("lifted.img"), stack.at("lifted"));
                copy(&stack.outer_image(), &lifted)?;
                self.thaw()?;
                mount("loop,noatime", &lifted, &folder)?;
                copy(&folder.join("inner.img"), &cut)?;
                unmount(&folder)?;
            }
        }
        copy(&cut, &stack.image_after())
    }

    fn thaw(&mut self) -> Result<(), Error> {
        self.thawed = true;
        run(Command::new("fsfreeze").arg("--unfreeze").arg(&self.folder))
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if !self.thawed {
            // Whoever drops this has an error to tell already.
            let _thawed = self.thaw();
        }
    }
}

/// Makes a file that has all its blocks, and a file system in it.
fn make_image(path: &Path, bytes: u64, options: &[&str]) -> Result<(), Error> {
    let zeros = || io::copy(&mut io::Read::take(io::repeat(0), bytes), &mut File::create(path)?);
    zeros().map_err(at(path))?;
    run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).args(options).arg(path))
}

fn mount(options: &str, image: &Path, folder: &Path) -> Result<(), Error> {
    run(Command::new("mount").args(["-t", "ext4", "-o", options]).arg(image).arg(folder))
}

fn unmount(folder: &Path) -> Result<(), Error> {
    run(Command::new("umount").arg(folder))
}

fn run(command: &mut Command) -> Result<(), Error> {
    let shown = format!("{command:?}");
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(at(&program))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Command { command: shown, said })
}
