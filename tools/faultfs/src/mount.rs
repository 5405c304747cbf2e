//! Serving a disk to the kernel.
//!
//! The kernel keeps names and attributes, since it is the only one who changes them, and no bytes: every
//! read and write of a program is one call here, whatever memory the machine has. Only what SQLite maps
//! into memory goes through the kernel's pages.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, CopyFileRangeFlags, FileAttr, FileHandle, FileType,
    Filesystem, FopenFlags, Generation, INodeNo, KernelConfig, LockOwner, MountOption, OpenFlags,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use crate::content::{Content, PAGE_BYTES};
use crate::disk::{Attributes, Disk, Ino, Kind, New};
use crate::fault::{Admitted, Call, Counts, Fault, Faulty};

/// How long the kernel may keep what it was told: nobody else changes it.
const LIFE: Duration = Duration::from_hours(1);

/// Longest write in one call, in bytes: more than the engine's segments have.
const WRITE_BYTES_MAX: u32 = 1 << 20;

/// Blocks of the disk: four gigabytes, of which nearly all are free.
const BLOCKS: u64 = 1 << 20;

/// A disk in its place in the tree of files. Dropping it takes it away.
#[derive(Debug)]
pub struct Mounted {
    state: Arc<Mutex<Faulty>>,
    place: PathBuf,
    session: Option<BackgroundSession>,
}

/// Why no disk can be served here, if none can.
pub fn unavailable() -> Option<String> {
    let tried = tempfile::tempdir()
        .and_then(|folder| Mounted::new(Disk::default(), None, folder.path()).map(drop));
    tried.err().map(|error| format!("no FUSE here: {error}"))
}

impl Mounted {
    /// Serves `disk` in the empty folder `place`, with a fault in it or without.
    pub fn new(disk: Disk, fault: Option<Fault>, place: &Path) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(Faulty::new(disk, fault)));
        let mut config = Config::default();
        config.mount_options =
            vec![MountOption::FSName("faultfs".to_owned()), MountOption::NoAtime];
        let served = Served(Arc::clone(&state));
        let session = fuser::spawn_mount(served, place, &config)?;
        Ok(Self { state, place: place.to_owned(), session: Some(session) })
    }

    /// From here on nothing fails any more, but where the power went.
    pub fn lift(&self) {
        locked(&self.state).lift();
    }

    /// Calls so far.
    pub fn counts(&self) -> Counts {
        locked(&self.state).counts
    }

    /// What the fault met, if it met anything.
    pub fn met(&self) -> Option<String> {
        locked(&self.state).met.clone()
    }

    /// Takes the disk out.
    pub fn unmount(mut self) -> io::Result<Disk> {
        self.end()?;
        Ok(locked(&self.state).disk.clone())
    }

    /// Whoever still holds a file of it keeps it until it lets go, served by a thread that ends then;
    /// nobody finds it any more.
    fn end(&mut self) -> io::Result<()> {
        let Some(session) = self.session.take() else { return Ok(()) };
        match unmount(&self.place, UnmountFlags::DETACH) {
            Ok(()) => Ok(()),
            // Only the helper program may unmount for an ordinary user.
            Err(_) => session.umount_and_join(),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _taken_away = self.end();
    }
}

fn locked(state: &Mutex<Faulty>) -> MutexGuard<'_, Faulty> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Served(Arc<Mutex<Faulty>>);

/// Answers with a value or with the error's number.
macro_rules! answer {
    ($reply:ident, $result:expr, $answer:expr) => {
        match $result {
            Ok(value) => $answer($reply, value),
            Err(errno) => $reply.error(fuser::Errno::from_i32(Errno::raw_os_error(errno))),
        }
    };
}

impl Served {
    fn attributes(&self, ino: Ino) -> Result<FileAttr, Errno> {
        let state = locked(&self.0);
        state.powered(ino)?;
        let node = state.disk.node(ino)?;
        let (kind, size) = match &node.kind {
            Kind::File(content) => (FileType::RegularFile, content.len()),
            Kind::Folder(_) => (FileType::Directory, PAGE_BYTES as u64),
            Kind::Link(to) => (FileType::Symlink, to.len() as u64),
        };
        let modified = node.modified;
        Ok(FileAttr {
            ino: INodeNo(ino),
            size,
            blocks: size.div_ceil(512),
            atime: modified,
            mtime: modified,
            ctime: modified,
            crtime: modified,
            kind,
            perm: u16::try_from(node.mode & 0o7777).unwrap_or_default(),
            nlink: node.links,
            uid: node.uid,
            gid: node.gid,
            rdev: 0,
            blksize: u32::try_from(PAGE_BYTES).unwrap_or_default(),
            flags: 0,
        })
    }

    fn make(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        made: (Kind, u32),
    ) -> Result<FileAttr, Errno> {
        let ino = {
            let mut state = locked(&self.0);
            state.admit(Call::Name, parent.0, &format!("make {} in", name.to_string_lossy()))?;
            state.spacious(true)?;
            let (kind, mode) = made;
            let new = New { kind, mode, uid: req.uid(), gid: req.gid() };
            state.disk.make(parent.0, name, new)?
        };
        self.attributes(ino)
    }

    /// Changes names, which needs no space.
    fn name(
        &self,
        folder: INodeNo,
        what: &str,
        change: impl FnOnce(&mut Disk) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut state = locked(&self.0);
        state.admit(Call::Name, folder.0, what)?;
        change(&mut state.disk)
    }

    fn write_bytes(&self, ino: Ino, offset: u64, data: &[u8]) -> Result<u32, Errno> {
        let mut state = locked(&self.0);
        let what = format!("write {} bytes at {offset} of", data.len());
        let admitted = state.admit(Call::Write, ino, &what)?;
        let needs_space = state.disk.allocates(ino, offset, data.len());
        state.spacious(needs_space)?;
        let count = match admitted {
            Admitted::Whole => data.len(),
            Admitted::Half => data.len().div_ceil(2),
        };
        let data = data.get(..count).unwrap_or_default();
        state.disk.write(ino, offset, data)?;
        state.warms(ino, offset, data.len());
        Ok(u32::try_from(data.len()).unwrap_or(u32::MAX))
    }

    fn set_len(&self, ino: Ino, bytes: u64) -> Result<(), Errno> {
        let mut state = locked(&self.0);
        state.admit(Call::Write, ino, &format!("set to {bytes} bytes"))?;
        state.disk.set_len(ino, bytes)
    }

    fn read_bytes(&self, ino: Ino, offset: u64, count: usize) -> Result<Vec<u8>, Errno> {
        let mut state = locked(&self.0);
        state.powered(ino)?;
        let bytes = state.disk.read(ino, offset, count)?;
        if !state.warms(ino, offset, bytes.len()) {
            let admitted =
                state.admit(Call::Read, ino, &format!("read {count} bytes at {offset} of"));
            if let Err(errno) = admitted {
                state.cool(ino, offset, bytes.len());
                return Err(errno);
            }
        }
        Ok(bytes)
    }

    fn sync(&self, ino: Ino, data_only: bool) -> Result<(), Errno> {
        let mut state = locked(&self.0);
        state.admit(Call::Sync, ino, if data_only { "fdatasync" } else { "fsync" })?;
        state.disk.sync(ino, data_only);
        Ok(())
    }

    fn opened(&self, ino: Ino) -> Result<FopenFlags, Errno> {
        let state = locked(&self.0);
        state.powered(ino)?;
        let aside = state.disk.node(ino)?.aside;
        Ok(if aside { FopenFlags::FOPEN_KEEP_CACHE } else { FopenFlags::FOPEN_DIRECT_IO })
    }
}

impl Filesystem for Served {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // The largest that the kernel takes is taken where this is too large.
        let _largest = config.set_max_write(WRITE_BYTES_MAX);
        Ok(())
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = {
            let state = locked(&self.0);
            state.powered(parent.0).and_then(|()| state.disk.lookup(parent.0, name))
        };
        let entry = |reply: ReplyEntry, attr| reply.entry(&LIFE, &attr, Generation(0));
        answer!(reply, found.and_then(|ino| self.attributes(ino)), entry);
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        let attr = |reply: ReplyAttr, attr| reply.attr(&LIFE, &attr);
        answer!(reply, self.attributes(ino.0), attr);
    }

    fn setattr(
        &self,
        _req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let change = || {
            if let Some(bytes) = size {
                self.set_len(ino.0, bytes)?;
            }
            let modified = mtime.map(|time| match time {
                TimeOrNow::SpecificTime(time) => time,
                TimeOrNow::Now => SystemTime::now(),
            });
            let mode = mode.map(|mode| mode & 0o7777);
            let attributes = Attributes { mode, uid, gid, modified };
            // What comes along with a new length is the kernel's own bookkeeping of times.
            if size.is_none() {
                let mut state = locked(&self.0);
                state.admit(Call::Name, ino.0, "change attributes of")?;
                state.disk.set_attributes(ino.0, attributes)?;
            }
            self.attributes(ino.0)
        };
        let attr = |reply: ReplyAttr, attr| reply.attr(&LIFE, &attr);
        answer!(reply, change(), attr);
    }

    fn readlink(&self, _req: &Request, ino: INodeNo, reply: ReplyData) {
        let found = locked(&self.0).disk.node(ino.0).map(|node| match &node.kind {
            Kind::Link(to) => to.clone(),
            _ => std::ffi::OsString::new(),
        });
        let data = |reply: ReplyData, to: std::ffi::OsString| reply.data(to.as_encoded_bytes());
        answer!(reply, found, data);
    }

    fn mkdir(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let made = self.make(req, parent, name, (Kind::Folder(BTreeMap::new()), mode));
        let entry = |reply: ReplyEntry, attr| reply.entry(&LIFE, &attr, Generation(0));
        answer!(reply, made, entry);
    }

    fn symlink(
        &self,
        req: &Request,
        parent: INodeNo,
        link_name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let link = Kind::Link(target.as_os_str().to_owned());
        let entry = |reply: ReplyEntry, attr| reply.entry(&LIFE, &attr, Generation(0));
        answer!(reply, self.make(req, parent, link_name, (link, 0o777)), entry);
    }

    fn unlink(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let what = format!("unlink {} in", name.to_string_lossy());
        let done = self.name(parent, &what, |disk| disk.unlink(parent.0, name));
        answer!(reply, done, |reply: ReplyEmpty, ()| reply.ok());
    }

    fn rmdir(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let what = format!("rmdir {} in", name.to_string_lossy());
        let done = self.name(parent, &what, |disk| disk.rmdir(parent.0, name));
        answer!(reply, done, |reply: ReplyEmpty, ()| reply.ok());
    }

    fn rename(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let what =
            format!("rename {} to {} from", name.to_string_lossy(), newname.to_string_lossy());
        let done = self.name(parent, &what, |disk| {
            let taken = disk.lookup(newparent.0, newname).is_ok();
            match flags {
                RenameFlags::RENAME_NOREPLACE if taken => return Err(Errno::EXIST),
                RenameFlags::RENAME_NOREPLACE => {}
                other if other.is_empty() => {}
                _ => return Err(Errno::INVAL),
            }
            disk.rename((parent.0, name), (newparent.0, newname))
        });
        answer!(reply, done, |reply: ReplyEmpty, ()| reply.ok());
    }

    fn link(
        &self,
        _req: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let what = format!("link {} in", newname.to_string_lossy());
        let done = self.name(newparent, &what, |disk| disk.link(ino.0, newparent.0, newname));
        let entry = |reply: ReplyEntry, attr| reply.entry(&LIFE, &attr, Generation(0));
        answer!(reply, done.and_then(|()| self.attributes(ino.0)), entry);
    }

    fn open(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let opened = |reply: ReplyOpen, flags| reply.opened(FileHandle(0), flags);
        answer!(reply, self.opened(ino.0), opened);
    }

    fn create(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let made = self.make(req, parent, name, (Kind::File(Content::default()), mode));
        let opened = made.and_then(|attr| Ok((attr, self.opened(attr.ino.0)?)));
        let created = |reply: ReplyCreate, (attr, flags): (FileAttr, FopenFlags)| {
            reply.created(&LIFE, &attr, Generation(0), FileHandle(0), flags);
        };
        answer!(reply, opened, created);
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.read_bytes(ino.0, offset, usize::try_from(size).unwrap_or_default());
        answer!(reply, read, |reply: ReplyData, bytes: Vec<u8>| reply.data(&bytes));
    }

    fn write(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = |reply: ReplyWrite, count| reply.written(count);
        answer!(reply, self.write_bytes(ino.0, offset, data), written);
    }

    fn copy_file_range(
        &self,
        _req: &Request,
        ino_in: INodeNo,
        _fh_in: FileHandle,
        offset_in: u64,
        ino_out: INodeNo,
        _fh_out: FileHandle,
        offset_out: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let count = usize::try_from(len.min(u64::from(WRITE_BYTES_MAX))).unwrap_or_default();
        let copied = self.read_bytes(ino_in.0, offset_in, count).and_then(|bytes| {
            if bytes.is_empty() { Ok(0) } else { self.write_bytes(ino_out.0, offset_out, &bytes) }
        });
        answer!(reply, copied, |reply: ReplyWrite, count| reply.written(count));
    }

    fn flush(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn fsync(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        answer!(reply, self.sync(ino.0, datasync), |reply: ReplyEmpty, ()| reply.ok());
    }

    fn fsyncdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        answer!(reply, self.sync(ino.0, datasync), |reply: ReplyEmpty, ()| reply.ok());
    }

    fn readdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        reply: ReplyDirectory,
    ) {
        let listed = || {
            let state = locked(&self.0);
            state.powered(ino.0)?;
            let kind = |ino: Ino| match state.disk.node(ino).map(|node| &node.kind) {
                Ok(Kind::Folder(_)) => FileType::Directory,
                Ok(Kind::Link(_)) => FileType::Symlink,
                _ => FileType::RegularFile,
            };
            let names = state.disk.names(ino.0)?;
            let own = [".", ".."].map(|name| (name.into(), ino.0));
            let all = own.into_iter().chain(names).zip(1..);
            let after = all.filter(|(_, at)| *at > offset);
            Ok(after.map(|((name, ino), at)| (ino, at, kind(ino), name)).collect::<Vec<_>>())
        };
        let entries: Result<Vec<(Ino, u64, FileType, std::ffi::OsString)>, Errno> = listed();
        let fill = |mut reply: ReplyDirectory, entries: Vec<_>| {
            for (ino, at, kind, name) in entries {
                if reply.add(INodeNo(ino), at, kind, name) {
                    break;
                }
            }
            reply.ok();
        };
        answer!(reply, entries, fill);
    }

    fn statfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let free = if locked(&self.0).is_full() { 0 } else { BLOCKS };
        let block = u32::try_from(PAGE_BYTES).unwrap_or_default();
        reply.statfs(BLOCKS, free, free, BLOCKS, free, block, 255, block);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::{ErrorKind, Write as _};
    use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

    use super::*;
    use crate::fault::Effect;

    /// Does something on a disk, and returns the disk with what it said.
    fn on<T>(
        disk: Disk,
        fault: impl Into<Option<Fault>>,
        act: impl FnOnce(&Mounted, &Path) -> T,
    ) -> (Disk, T) {
        let place = tempfile::tempdir().unwrap();
        let mounted = Mounted::new(disk, fault.into(), place.path()).unwrap();
        let said = act(&mounted, place.path());
        (mounted.unmount().unwrap(), said)
    }

    fn nowhere() -> bool {
        let why = unavailable();
        if let Some(why) = &why {
            // Not by a macro, whose words are kept back where a test passes.
            writeln!(io::stdout(), "NOT SHOWN: a disk that fails: {why}").unwrap();
        }
        why.is_some()
    }

    const fn one(call: Call, nth: u64, effect: Effect) -> Fault {
        Fault { call, nth, effect }
    }

    #[test]
    fn files_read_back_as_on_any_file_system() {
        if nowhere() {
            return;
        }
        let (disk, ()) = on(Disk::default(), None, |_, dir| {
            fs::create_dir_all(dir.join("a/b")).unwrap();
            fs::write(dir.join("a/b/file"), vec![7; 3_000_000]).unwrap();
            fs::copy(dir.join("a/b/file"), dir.join("copy")).unwrap();
            fs::set_permissions(dir.join("copy"), fs::Permissions::from_mode(0o640)).unwrap();
            fs::rename(dir.join("copy"), dir.join("a/renamed")).unwrap();
            std::os::unix::fs::symlink("b/file", dir.join("a/link")).unwrap();
            fs::hard_link(dir.join("a/renamed"), dir.join("a/again")).unwrap();
            OpenOptions::new()
                .append(true)
                .open(dir.join("a/link"))
                .unwrap()
                .write_all(b"end")
                .unwrap();
            fs::remove_file(dir.join("a/again")).unwrap();
            assert_eq!(
                fs::remove_dir(dir.join("a")).unwrap_err().kind(),
                ErrorKind::DirectoryNotEmpty
            );
            let held = tempfile::NamedTempFile::new_in(dir).unwrap();
            assert!(held.path().exists());
            held.persist_noclobber(dir.join("a/link")).unwrap_err();
        });
        let (_, ()) = on(disk, None, |_, dir| {
            let mut names: Vec<_> = fs::read_dir(dir.join("a"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort();
            assert_eq!(names, ["b", "link", "renamed"]);
            assert_eq!(fs::read(dir.join("a/b/file")).unwrap()[2_999_999..], *b"\x07end");
            let renamed = fs::metadata(dir.join("a/renamed")).unwrap();
            assert_eq!((renamed.len(), renamed.permissions().mode() & 0o777), (3_000_000, 0o640));
        });
    }

    #[test]
    fn the_call_that_was_named_fails_and_no_other() {
        if nowhere() {
            return;
        }
        let write = |dir: &Path| fs::write(dir.join("file"), b"bytes");
        let full = one(Call::Write, 0, Effect::FullOnce);
        let (_, said) = on(Disk::default(), full, |_, dir| [write(dir), write(dir)]);
        let [first, second] = said;
        assert_eq!(first.unwrap_err().kind(), ErrorKind::StorageFull);
        second.unwrap();

        let (_, ()) = on(Disk::default(), one(Call::Write, 0, Effect::Full), |mounted, dir| {
            for _ in 0..3 {
                assert_eq!(write(dir).unwrap_err().kind(), ErrorKind::StorageFull);
            }
            assert_eq!(rustix::fs::statvfs(dir).unwrap().f_bavail, 0);
            mounted.lift();
            write(dir).unwrap();
            assert_eq!(mounted.met().unwrap(), "write 5 bytes at 0 of /file");
        });

        let (_, ()) = on(Disk::default(), one(Call::Write, 0, Effect::Short), |_, dir| {
            let file = File::create(dir.join("file")).unwrap();
            assert_eq!(file.write_at(b"12345", 0).unwrap(), 3);
            assert_eq!(fs::read(dir.join("file")).unwrap(), b"123");
        });

        let (disk, ()) = on(Disk::default(), None, |_, dir| {
            fs::write(dir.join("file"), vec![7; 2 * PAGE_BYTES]).unwrap();
        });
        let (_, ()) = on(disk, one(Call::Read, 1, Effect::Broken), |_, dir| {
            let file = File::open(dir.join("file")).unwrap();
            let mut byte = [0];
            let mut read = |at: usize| file.read_at(&mut byte, (at * PAGE_BYTES) as u64);
            // What was read once is read from memory.
            assert_eq!([read(0).unwrap(), read(0).unwrap()], [1, 1]);
            assert_eq!(read(1).unwrap_err().raw_os_error(), Some(5));
            assert_eq!(read(1).unwrap(), 1);
        });
    }

    #[test]
    fn a_sync_that_failed_loses_the_bytes_although_they_are_still_read() {
        if nowhere() {
            return;
        }
        let (disk, ()) = on(Disk::default(), one(Call::Sync, 1, Effect::Broken), |_, dir| {
            let file = File::create(dir.join("file")).unwrap();
            File::open(dir).unwrap().sync_all().unwrap();
            (&file).write_all(b"bytes").unwrap();
            assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
            file.sync_all().unwrap();
            assert_eq!(fs::read(dir.join("file")).unwrap(), b"bytes");
        });
        for seed in 0..20 {
            let (_, read) = on(disk.cut(seed), None, |_, dir| fs::read(dir.join("file")).unwrap());
            assert_eq!(read, b"", "seed {seed}");
        }
    }

    #[test]
    fn nothing_reaches_a_disk_whose_power_went() {
        if nowhere() {
            return;
        }
        let (disk, ()) = on(Disk::default(), one(Call::Change, 2, Effect::Cut), |mounted, dir| {
            fs::write(dir.join("file"), b"bytes").unwrap();
            let said = [
                File::open(dir).and_then(|dir| dir.sync_all()),
                fs::write(dir.join("file"), b"later"),
                fs::read(dir.join("file")).map(drop),
                fs::create_dir(dir.join("d")),
            ];
            for said in said {
                assert_eq!(said.unwrap_err().raw_os_error(), Some(5));
            }
            mounted.lift();
            fs::create_dir(dir.join("d")).unwrap_err();
        });
        let found = (0..50)
            .map(|seed| on(disk.cut(seed), None, |_, dir| fs::read(dir.join("file")).ok()).1);
        let found: std::collections::BTreeSet<_> = found.collect();
        assert_eq!(found, [None, Some(vec![]), Some(b"bytes".to_vec())].into());
    }
}
