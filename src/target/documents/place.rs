//! The places of documents: what stands there, and how something else is put there, durably and whole or not at all.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File, Metadata};
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use ledger_format::hash::ContentHash;
use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, openat, renameat_with};
use rustix::io::Errno;
use siphasher::sip::SipHasher13;

use super::tree::{Tree, TreeError, UNFINISHED};
use crate::document::DOCUMENT_BYTES_MAX;

/// Fewest files of a batch that are synced together, by one call for their whole file system, and not one by one.
const SYNC_TOGETHER_MIN: usize = 32;

/// What stands in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their name.
    pub content: ContentHash,
    /// Its permission bits.
    pub mode: u32,
    /// Number of names that the file has; more than one where it is hard-linked.
    pub names: u64,
}

/// What the file system says of the file in a place, by which it is known again there as long as nobody writes to it, replaces
/// it or changes its permissions. Whoever takes pains can give a file that was changed the stamp that it had; so it spares
/// reading where the bytes are compared once more before anything is lost, and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp(
    /// A hash, since one is held for every document. It is not kept.
    u64,
);

/// The stamps of many places.
#[derive(Debug, Default)]
pub struct Stamps(HashSet<Stamp>);

impl Stamps {
    /// Remembers one.
    pub fn insert(&mut self, stamp: Stamp) {
        self.0.insert(stamp);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl Stamp {
    fn of(id: &str, metadata: &Metadata) -> Self {
        let mut hasher = SipHasher13::new();
        id.hash(&mut hasher);
        let file = (metadata.dev(), metadata.ino(), metadata.mode(), metadata.len());
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        (file, modified, changed).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// What lies beside a place, under the name that an output has before it is put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// A file.
    File(Found),
    /// A link, a folder or anything else that is no document.
    Other,
}

/// What is to stand in a place.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    /// The document.
    pub id: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its permission bits.
    pub mode: u32,
}

/// The places of a tree's documents.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a>(pub &'a Tree);

impl Places<'_> {
    /// What stands in the place of `id`; none if nothing does. A link is refused, and so is what is too large to be a
    /// document, before it is read.
    pub fn look(&self, id: &str) -> Result<Option<Found>, TreeError> {
        Ok(self.look_and_stamp(id)?.map(|(found, _)| found))
    }

    /// The same with the stamp that it had right before it was read.
    pub fn look_and_stamp(&self, id: &str) -> Result<Option<(Found, Stamp)>, TreeError> {
        let looked = look_at(&self.place(id)?)?;
        Ok(looked.map(|(found, metadata)| (found, Stamp::of(id, &metadata))))
    }

    /// Where the document `id` lies. A folder on the way that is a link leads out of the tree, to files that are nobody's to
    /// touch here.
    fn place(self, id: &str) -> Result<PathBuf, TreeError> {
        let mut folder = self.0.path("");
        let (folders, _) = id.rsplit_once('/').unwrap_or_default();
        for name in folders.split('/').filter(|name| !name.is_empty()) {
            folder.push(name);
            match fs::symlink_metadata(&folder) {
                Ok(found) if found.is_symlink() => return Err(TreeError::Link { path: folder }),
                Err(source) if source.kind() == io::ErrorKind::NotFound => break,
                Err(source) => return Err(TreeError::Io { path: folder, source }),
                Ok(_) => {}
            }
        }
        Ok(self.0.path(id))
    }

    /// Whether what stands in the place of `id` is what one of these stamps was taken of there. What cannot be told is not.
    pub fn bears_one_of(&self, id: &str, stamps: &Stamps) -> bool {
        if stamps.0.is_empty() {
            return false;
        }
        let Ok(path) = self.place(id) else { return false };
        let found = fs::symlink_metadata(path);
        found.is_ok_and(|metadata| stamps.0.contains(&Stamp::of(id, &metadata)))
    }

    /// Writes an output beside its place, one of `many`: durably if they are few, else [`Places::harden`] makes them durable
    /// together. What a killed job left there is replaced.
    pub fn prepare(&self, output: &Output<'_>, many: usize) -> Result<(), TreeError> {
        let path = self.place(output.id)?;
        let fresh = unfinished(&path);
        write(&path, &fresh, output, many < SYNC_TOGETHER_MIN)
            .map_err(|source| TreeError::Io { path: fresh, source })
    }

    /// Makes what was prepared of `many` outputs durable, before the first is put into its place.
    pub fn harden(&self, ids: &[&str], many: usize) -> Result<(), TreeError> {
        if many < SYNC_TOGETHER_MIN { Ok(()) } else { self.sync_together(ids) }
    }

    /// Puts a prepared output into its place if `may_replace` what stands there. Output and place change names in one
    /// step, and what comes out is judged then, so that nothing which somebody writes in the last moment is lost: it is put
    /// back. `is_output` knows the output again. Whether it stands in its place.
    ///
    /// A file system that cannot exchange names has the place judged right before the output is renamed.
    pub fn put(
        &self,
        id: &str,
        is_output: &dyn Fn(&Found) -> bool,
        may_replace: &dyn Fn(Option<&Found>) -> bool,
    ) -> Result<bool, TreeError> {
        let path = self.place(id)?;
        let fresh = unfinished(&path);
        let placed = match exchange(&fresh, &path) {
            Ok(()) => match look_at(&fresh) {
                Ok(Some((found, _))) if may_replace(Some(&found)) => true,
                _ => return self.take_out(id, is_output),
            },
            Err(Errno::NOENT) => may_replace(None) && Self::put_into_empty(&fresh, &path)?,
            Err(error) if is_unknown(error) => {
                let may = may_replace(self.look(id)?.as_ref());
                if may {
                    fs::rename(&fresh, &path).map_err(|source| TreeError::Io { path, source })?;
                }
                may
            }
            Err(error) => return Err(TreeError::Io { path, source: error.into() }),
        };
        remove(&fresh)?;
        Ok(placed)
    }

    /// Takes an output out of its place again, and puts back what came out for it. Should somebody have replaced the output
    /// meanwhile, what is newest stays in the place, and what is older beside it.
    fn take_out(self, id: &str, is_output: &dyn Fn(&Found) -> bool) -> Result<bool, TreeError> {
        self.put_back(id)?;
        match self.beside(id)? {
            Beside::File(found) if is_output(&found) => self.forget(id)?,
            _ => self.put_back(id)?,
        }
        Ok(false)
    }

    /// Puts an output where nothing stands. Not if something stands there by now.
    fn put_into_empty(fresh: &Path, path: &Path) -> Result<bool, TreeError> {
        let io = |source| TreeError::Io { path: path.to_owned(), source };
        match renameat_with(CWD, fresh, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) if is_unknown(error) => fs::rename(fresh, path).map(|()| true).map_err(io),
            Err(error) => Err(io(error.into())),
        }
    }

    /// What lies beside the place of `id`: an output that was not put there, or what came out when one was.
    pub fn beside(&self, id: &str) -> Result<Beside, TreeError> {
        match look_at(&unfinished(&self.place(id)?)) {
            Ok(Some((found, _))) => Ok(Beside::File(found)),
            Ok(None) => Ok(Beside::Nothing),
            Err(TreeError::Link { .. } | TreeError::Special { .. } | TreeError::Large { .. }) => {
                Ok(Beside::Other)
            }
            Err(error) => Err(error),
        }
    }

    /// Exchanges what lies beside the place of `id` with what stands in it.
    pub fn put_back(&self, id: &str) -> Result<(), TreeError> {
        let path = self.place(id)?;
        exchange(&unfinished(&path), &path)
            .map_err(|error| TreeError::Io { path, source: error.into() })
    }

    /// Makes the names of what was put durable, and what a killed job may have left with the kernel alone.
    pub fn settle(&self, ids: &[&str]) -> Result<(), TreeError> {
        if ids.len() >= SYNC_TOGETHER_MIN {
            return self.sync_together(ids);
        }
        for id in ids {
            let path = self.0.path(id);
            sync(&path)
                .and_then(|()| sync(folder_of(&path)))
                .map_err(|source| TreeError::Io { path, source })?;
        }
        Ok(())
    }

    /// Removes what is left beside the place of `id` by a job that will not go on.
    pub fn forget(&self, id: &str) -> Result<(), TreeError> {
        remove(&unfinished(&self.place(id)?))
    }

    /// Syncs the file systems that the places lie on.
    fn sync_together(self, ids: &[&str]) -> Result<(), TreeError> {
        let mut folders = BTreeSet::new();
        for id in ids {
            folders.insert(folder_of(&self.0.path(id)).to_owned());
        }
        let mut done = BTreeSet::new();
        for folder in folders {
            let sync = || -> io::Result<()> {
                let file = File::open(&folder)?;
                if done.insert(file.metadata()?.dev()) {
                    rustix::fs::syncfs(&file)?;
                }
                Ok(())
            };
            let mut sync = sync;
            sync().map_err(|source| TreeError::Io { path: folder.clone(), source })?;
        }
        Ok(())
    }
}

/// What stands at `path`, read no further than a document may be long, and how its file was right before.
fn look_at(path: &Path) -> Result<Option<(Found, Metadata)>, TreeError> {
    let io = |source| TreeError::Io { path: path.to_owned(), source };
    // What is exchanged in this moment for a link or a pipe is neither followed nor waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match openat(CWD, path, OFlags::RDONLY | flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(TreeError::Link { path: path.to_owned() }),
        Err(error) => return Err(unopened(path, error.into())),
    };
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(TreeError::Special { path: path.to_owned() });
    }
    let large = |bytes| TreeError::Large { path: path.to_owned(), bytes };
    let bytes_max = DOCUMENT_BYTES_MAX as u64;
    if metadata.len() > bytes_max {
        return Err(large(metadata.len()));
    }
    let bytes = read(&file, metadata.len()).map_err(io)?;
    if bytes.len() as u64 > bytes_max {
        return Err(large(bytes.len() as u64));
    }
    let (content, mode) = (ContentHash::of(&bytes), metadata.permissions().mode() & 0o7777);
    let found = Found { bytes, content, mode, names: metadata.nlink() };
    Ok(Some((found, metadata)))
}

/// Why something cannot be opened: sockets and devices cannot, and are no documents.
fn unopened(path: &Path, source: io::Error) -> TreeError {
    let path = path.to_owned();
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_symlink() => TreeError::Link { path },
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => TreeError::Special { path },
        _ => TreeError::Io { path, source },
    }
}

/// The bytes of a file that had this length, up to one more than a document may have.
fn read(file: &File, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).unwrap_or_default();
    let mut bytes = Vec::with_capacity(length.saturating_add(1));
    // One byte more is asked for than there should be, which tells the end without asking again.
    while let Err(error) = rustix::io::read(file, spare_capacity(&mut bytes)) {
        if error != Errno::INTR {
            return Err(error.into());
        }
    }
    if bytes.len() != length {
        let rest = (DOCUMENT_BYTES_MAX as u64 + 1).saturating_sub(bytes.len() as u64);
        file.take(rest).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

/// Whether a file system does not know how to exchange names, or to rename only where nothing stands.
fn is_unknown(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

/// Writes an output whole, with its permissions and the owner of what stands in its place.
fn write(path: &Path, fresh: &Path, output: &Output<'_>, durably: bool) -> io::Result<()> {
    let mut file = create(path, fresh, output.mode)?;
    file.write_all(output.bytes)?;
    let new = file.metadata()?;
    let mut mode = new.permissions().mode() & 0o7777;
    match fs::symlink_metadata(path) {
        Ok(old) if (old.uid(), old.gid()) != (new.uid(), new.gid()) => {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
            mode = file.metadata()?.permissions().mode() & 0o7777;
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if mode != output.mode {
        file.set_permissions(fs::Permissions::from_mode(output.mode))?;
    }
    if durably { file.sync_all() } else { Ok(()) }
}

/// A new file beside a place, open to nobody whom its permissions keep out. What stands in its way is a killed job's; a
/// folder may be gone with its documents.
fn create(path: &Path, fresh: &Path, mode: u32) -> io::Result<File> {
    let mut new = fs::OpenOptions::new();
    new.write(true).create_new(true).mode(mode & 0o777);
    let new = || new.open(fresh);
    match new() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(fresh)?;
            new()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder_of(path))?;
            new()
        }
        other => other,
    }
}

/// Removes what lies there, if anything does.
fn remove(path: &Path) -> Result<(), TreeError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(TreeError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// Longest name of a file that file systems take, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Where a document is written before it has its name. One whose name leaves no room for more has its hash there.
fn unfinished(path: &Path) -> PathBuf {
    let (before, after) = UNFINISHED;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = format!("{before}{name}{after}");
    if beside.len() <= NAME_BYTES_MAX {
        return path.with_file_name(beside);
    }
    let hash = ContentHash::of(name.as_bytes());
    path.with_file_name(format!("{before}{hash}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_borne_until_somebody_touches_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::new(folder.path().to_owned());
        let (places, path) = (Places(&tree), folder.path().join("a"));
        let (mode, other) = (fs::Permissions::from_mode, folder.path().join("b"));
        let touches: [&dyn Fn(); 4] = [
            &|| fs::write(&path, "three").unwrap(),
            &|| fs::set_permissions(&path, mode(0o600)).unwrap(),
            &|| {
                fs::write(&other, "ONE").unwrap();
                fs::rename(&other, &path).unwrap();
            },
            &|| fs::remove_file(&path).unwrap(),
        ];
        for touch in touches {
            fs::write(&path, "one").unwrap();
            fs::set_permissions(&path, mode(0o644)).unwrap();
            let (found, stamp) = places.look_and_stamp("a").unwrap().unwrap();
            assert_eq!((found.bytes.as_slice(), found.mode), (b"one".as_slice(), 0o644));
            assert_eq!(found.content, ContentHash::of(b"one"));
            let mut stamps = Stamps::default();
            assert!(!places.bears_one_of("a", &stamps));
            stamps.insert(stamp);
            assert!(places.bears_one_of("a", &stamps));
            touch();
            assert!(!places.bears_one_of("a", &stamps));
        }
        fs::write(&path, "one").unwrap();
        let (_, stamp) = places.look_and_stamp("a").unwrap().unwrap();
        let stamps = Stamps(HashSet::from([stamp]));
        fs::hard_link(&path, folder.path().join("c")).unwrap();
        assert!(!places.bears_one_of("c", &stamps), "the same file in another place");
    }

    #[test]
    fn no_folder_that_is_a_link_is_followed_out_of_the_tree() {
        let home = tempfile::tempdir().unwrap();
        let (inside, outside) = (home.path().join("in"), home.path().join("out"));
        fs::create_dir_all(inside.join("deep")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("a"), "theirs").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("deep/sub")).unwrap();
        let tree = Tree::new(inside);
        let (places, id) = (Places(&tree), "deep/sub/a");
        let output = Output { id, bytes: b"ours", mode: 0o644 };
        let refused = [
            places.look(id).map(drop),
            places.prepare(&output, 1),
            places.put(id, &|_| true, &|_| true).map(drop),
            places.put_back(id),
            places.beside(id).map(drop),
            places.forget(id),
        ];
        for outcome in refused {
            assert!(matches!(outcome, Err(TreeError::Link { .. })), "{outcome:?}");
        }
        let names: Vec<_> =
            fs::read_dir(&outside).unwrap().map(|found| found.unwrap().file_name()).collect();
        assert_eq!(
            (names, fs::read(outside.join("a")).unwrap()),
            (vec!["a".into()], b"theirs".to_vec())
        );
    }

    #[test]
    fn what_is_no_document_is_told_without_reading_it() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::new(folder.path().to_owned());
        let (places, at) = (Places(&tree), |name: &str| folder.path().join(name));
        fs::create_dir(at("folder")).unwrap();
        std::os::unix::fs::symlink("folder", at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        rustix::fs::mknodat(CWD, at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        File::create(at("large")).unwrap().set_len(DOCUMENT_BYTES_MAX as u64 + 1).unwrap();
        File::create(at("empty")).unwrap();
        assert!(matches!(places.look("link"), Err(TreeError::Link { .. })));
        for special in ["folder", "socket", "pipe"] {
            assert!(matches!(places.look(special), Err(TreeError::Special { .. })), "{special}");
        }
        assert!(matches!(places.look("large"), Err(TreeError::Large { .. })));
        assert!(places.look("empty").unwrap().unwrap().bytes.is_empty());
        assert_eq!(places.look("none").unwrap(), None);
    }

    /// What grows while it is read is read to its end.
    #[test]
    fn what_is_longer_or_shorter_than_it_was_said_to_be_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "twelve bytes").unwrap();
        for said in [0, 1, 11, 12, 13, 100] {
            let file = File::open(&path).unwrap();
            assert_eq!(read(&file, said).unwrap(), b"twelve bytes", "{said}");
        }
    }
}
