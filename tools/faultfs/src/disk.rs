//! The model: a tree of files as programs see it, the tree as it is on the platter, and the changes
//! that are in the one and not in the other yet.
//!
//! It is as strict as POSIX allows. Making a file durable does not make its name durable; `fdatasync`
//! makes bytes and length durable and nothing else; only a sync of the folder keeps a name. A rename
//! is never seen half. After a refused sync what was not durable stays visible, and is never tried
//! again: as Linux does, which then holds for clean what the disk never got.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;

use crate::content::Content;

/// The number of a file, folder or link.
pub(crate) type Ino = u64;

pub(crate) const ROOT: Ino = 1;

/// What SQLite maps into memory beside a database. It need not survive anything and is made anew, so it
/// is never on the platter, and no fault meets it: a mapping that cannot be read would end the process.
const SHARED_MEMORY: &str = "-shm";

/// A disk in memory. A copy costs little, so one prepared disk serves any number of cases.
#[derive(Debug, Clone)]
pub struct Disk {
    pub(crate) seen: Tree,
    pub(crate) platter: Tree,
    /// In the order in which they were made.
    pub(crate) pending: Vec<Change>,
    next: Ino,
}

pub(crate) type Tree = BTreeMap<Ino, Node>;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) modified: SystemTime,
    /// Names that lead here.
    pub(crate) links: u32,
    /// The last two parts of its path, for people.
    pub(crate) label: String,
    /// See [`SHARED_MEMORY`].
    pub(crate) aside: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    File(Content),
    Folder(BTreeMap<OsString, Ino>),
    Link(OsString),
}

/// One change that is not durable yet.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Write {
        ino: Ino,
        offset: u64,
        bytes: Arc<[u8]>,
    },
    Length {
        ino: Ino,
        bytes: u64,
    },
    Attributes {
        ino: Ino,
        attributes: Attributes,
    },
    /// Names that appear, change or go in one step.
    Names(Vec<Name>),
}

/// What is to be changed of a node beside its content.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attributes {
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) modified: Option<SystemTime>,
}

/// What a name in a folder leads to, or that there is none.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) folder: Ino,
    pub(crate) entry: OsString,
    pub(crate) leads_to: Option<Ino>,
}

/// What a new node is and whose.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Default for Disk {
    /// An empty disk.
    fn default() -> Self {
        let root = Node {
            kind: Kind::Folder(BTreeMap::new()),
            mode: 0o755,
            uid: 0,
            gid: 0,
            modified: UNIX_EPOCH,
            links: 1,
            label: "/".to_owned(),
            aside: false,
        };
        Self::after([(ROOT, root)].into(), ROOT + 1)
    }
}

impl Disk {
    /// A disk on which everything is durable.
    fn after(tree: Tree, next: Ino) -> Self {
        Self { seen: tree.clone(), platter: tree, pending: Vec::new(), next }
    }

    /// The same disk with everything on it made durable.
    #[must_use]
    pub fn settled(&self) -> Self {
        self.restarted(self.seen.clone())
    }

    /// The disk of a machine that was switched on again with `platter` in it.
    pub(crate) fn restarted(&self, mut platter: Tree) -> Self {
        let mut links: BTreeMap<Ino, u32> = [(ROOT, 1)].into();
        let mut folders = vec![ROOT];
        while let Some(folder) = folders.pop() {
            let Some(Kind::Folder(names)) = platter.get(&folder).map(|node| &node.kind) else {
                continue;
            };
            for ino in names.values() {
                *links.entry(*ino).or_default() += 1;
                folders.push(*ino);
            }
        }
        // What no name leads to is found and freed when a file system is looked through.
        platter.retain(|ino, _| links.contains_key(ino));
        for (ino, node) in &mut platter {
            node.links = links.get(ino).copied().unwrap_or(1);
        }
        Self::after(platter, self.next)
    }

    pub(crate) fn node(&self, ino: Ino) -> Result<&Node, Errno> {
        self.seen.get(&ino).ok_or(Errno::NOENT)
    }

    fn folder(&self, ino: Ino) -> Result<&BTreeMap<OsString, Ino>, Errno> {
        match &self.node(ino)?.kind {
            Kind::Folder(names) => Ok(names),
            _ => Err(Errno::NOTDIR),
        }
    }

    fn file(&self, ino: Ino) -> Result<&Content, Errno> {
        match &self.node(ino)?.kind {
            Kind::File(content) => Ok(content),
            _ => Err(Errno::ISDIR),
        }
    }

    pub(crate) fn names(&self, folder: Ino) -> Result<Vec<(OsString, Ino)>, Errno> {
        Ok(self.folder(folder)?.iter().map(|(name, ino)| (name.clone(), *ino)).collect())
    }

    pub(crate) fn lookup(&self, folder: Ino, name: &OsStr) -> Result<Ino, Errno> {
        self.folder(folder)?.get(name).copied().ok_or(Errno::NOENT)
    }

    pub(crate) fn read(&self, ino: Ino, offset: u64, count: usize) -> Result<Vec<u8>, Errno> {
        Ok(self.file(ino)?.read(offset, count))
    }

    /// Whether writing there needs space that the file does not have yet.
    pub(crate) fn allocates(&self, ino: Ino, offset: u64, count: usize) -> bool {
        self.file(ino).is_ok_and(|content| !content.holds(offset, count))
    }

    pub(crate) fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.file(ino)?;
        self.change(Change::Write { ino, offset, bytes: bytes.into() });
        self.touch(ino);
        Ok(())
    }

    pub(crate) fn set_len(&mut self, ino: Ino, bytes: u64) -> Result<(), Errno> {
        self.file(ino)?;
        self.change(Change::Length { ino, bytes });
        self.touch(ino);
        Ok(())
    }

    pub(crate) fn set_attributes(&mut self, ino: Ino, attributes: Attributes) -> Result<(), Errno> {
        self.node(ino)?;
        self.change(Change::Attributes { ino, attributes });
        Ok(())
    }

    pub(crate) fn make(&mut self, folder: Ino, name: &OsStr, new: New) -> Result<Ino, Errno> {
        if self.folder(folder)?.contains_key(name) {
            return Err(Errno::EXIST);
        }
        let ino = self.next;
        self.next += 1;
        let label = self.label(folder, name);
        let aside = name.as_encoded_bytes().ends_with(SHARED_MEMORY.as_bytes());
        let New { kind, mode, uid, gid } = new;
        let modified = SystemTime::now();
        let node = Node { kind, mode, uid, gid, modified, links: 0, label, aside };
        // A node is on the platter from the beginning: without a name it is as good as nowhere.
        self.platter.insert(ino, node.clone());
        self.seen.insert(ino, node);
        self.rename_all(vec![(folder, name, Some(ino))]);
        Ok(ino)
    }

    pub(crate) fn link(&mut self, ino: Ino, folder: Ino, name: &OsStr) -> Result<(), Errno> {
        self.file(ino)?;
        if self.folder(folder)?.contains_key(name) {
            return Err(Errno::EXIST);
        }
        self.rename_all(vec![(folder, name, Some(ino))]);
        Ok(())
    }

    pub(crate) fn unlink(&mut self, folder: Ino, name: &OsStr) -> Result<(), Errno> {
        let ino = self.lookup(folder, name)?;
        if matches!(self.node(ino)?.kind, Kind::Folder(_)) {
            return Err(Errno::ISDIR);
        }
        self.rename_all(vec![(folder, name, None)]);
        Ok(())
    }

    pub(crate) fn rmdir(&mut self, folder: Ino, name: &OsStr) -> Result<(), Errno> {
        if !self.folder(self.lookup(folder, name)?)?.is_empty() {
            return Err(Errno::NOTEMPTY);
        }
        self.rename_all(vec![(folder, name, None)]);
        Ok(())
    }

    pub(crate) fn rename(&mut self, from: (Ino, &OsStr), to: (Ino, &OsStr)) -> Result<(), Errno> {
        let ino = self.lookup(from.0, from.1)?;
        match self.lookup(to.0, to.1) {
            Ok(replaced) if replaced == ino => return Ok(()),
            Ok(replaced) => match (&self.node(ino)?.kind, &self.node(replaced)?.kind) {
                (Kind::Folder(_), Kind::Folder(names)) if names.is_empty() => {}
                (Kind::Folder(_), Kind::Folder(_)) => return Err(Errno::NOTEMPTY),
                (Kind::Folder(_), _) => return Err(Errno::NOTDIR),
                (_, Kind::Folder(_)) => return Err(Errno::ISDIR),
                _ => {}
            },
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        let label = self.label(to.0, to.1);
        self.rename_all(vec![(from.0, from.1, None), (to.0, to.1, Some(ino))]);
        if let Some(node) = self.seen.get_mut(&ino) {
            node.label = label;
        }
        Ok(())
    }

    /// `fsync`, or `fdatasync` with `data_only`: of a file its own changes, of a folder its names.
    pub(crate) fn sync(&mut self, ino: Ino, data_only: bool) {
        let platter = &mut self.platter;
        self.pending.retain(|change| {
            let reached = change.is_of(ino) && !(data_only && change.is_attributes());
            if reached {
                change.make(platter);
            }
            !reached
        });
    }

    /// A sync that failed: what was written to the file is never tried again, and is seen all the same.
    /// Names are the journal's, and wait for its next turn.
    pub(crate) fn refuse_sync(&mut self, ino: Ino) {
        self.pending
            .retain(|change| !matches!(change, Change::Write { ino: of, .. } if *of == ino));
    }

    fn label(&self, folder: Ino, name: &OsStr) -> String {
        let folder = self.node(folder).map(|node| node.label.as_str()).unwrap_or_default();
        let folder = folder.rsplit('/').next().unwrap_or_default();
        format!("{folder}/{}", name.to_string_lossy())
    }

    fn rename_all(&mut self, names: Vec<(Ino, &OsStr, Option<Ino>)>) {
        let names = names.into_iter().map(|(folder, name, leads_to)| Name {
            folder,
            entry: name.to_owned(),
            leads_to,
        });
        let names: Vec<Name> = names.collect();
        for name in &names {
            let before = self.lookup(name.folder, &name.entry).ok();
            for (ino, more) in [(before, false), (name.leads_to, true)] {
                if let Some(node) = ino.and_then(|ino| self.seen.get_mut(&ino)) {
                    node.links = if more { node.links + 1 } else { node.links.saturating_sub(1) };
                }
            }
            self.touch(name.folder);
        }
        self.change(Change::Names(names));
    }

    fn change(&mut self, change: Change) {
        change.make(&mut self.seen);
        if !self.is_aside(&change) {
            self.pending.push(change);
        }
    }

    fn is_aside(&self, change: &Change) -> bool {
        let (Change::Write { ino, .. }
        | Change::Length { ino, .. }
        | Change::Attributes { ino, .. }) = change
        else {
            return false;
        };
        self.seen.get(ino).is_some_and(|node| node.aside)
    }

    /// The time of the last change; it becomes durable with the change or with its own sync, which
    /// nobody may rely on, so it simply never does by itself.
    fn touch(&mut self, ino: Ino) {
        if let Some(node) = self.seen.get_mut(&ino) {
            node.modified = SystemTime::now();
        }
    }
}

impl Change {
    /// Whether a sync of `ino` makes it durable.
    fn is_of(&self, ino: Ino) -> bool {
        match self {
            Self::Write { ino: of, .. }
            | Self::Length { ino: of, .. }
            | Self::Attributes { ino: of, .. } => *of == ino,
            Self::Names(names) => names.iter().any(|name| name.folder == ino),
        }
    }

    const fn is_attributes(&self) -> bool {
        matches!(self, Self::Attributes { .. })
    }

    /// Makes the change in `tree`. Names do not depend on what stood there before, so that any of them
    /// can be left out.
    pub(crate) fn make(&self, tree: &mut Tree) {
        match self {
            Self::Write { ino, offset, bytes } => {
                if let Some(content) = content(tree, *ino) {
                    content.write(*offset, bytes);
                }
            }
            Self::Length { ino, bytes } => {
                if let Some(content) = content(tree, *ino) {
                    content.set_len(*bytes);
                }
            }
            Self::Attributes { ino, attributes } => {
                if let Some(node) = tree.get_mut(ino) {
                    node.mode = attributes.mode.unwrap_or(node.mode);
                    node.uid = attributes.uid.unwrap_or(node.uid);
                    node.gid = attributes.gid.unwrap_or(node.gid);
                    node.modified = attributes.modified.unwrap_or(node.modified);
                }
            }
            Self::Names(names) => {
                for Name { folder, entry: name, leads_to } in names {
                    let folder = tree.get_mut(folder).map(|node| &mut node.kind);
                    let Some(Kind::Folder(held)) = folder else { continue };
                    match leads_to {
                        Some(ino) => drop(held.insert(name.clone(), *ino)),
                        None => drop(held.remove(name)),
                    }
                }
            }
        }
    }
}

fn content(tree: &mut Tree, ino: Ino) -> Option<&mut Content> {
    match tree.get_mut(&ino).map(|node| &mut node.kind) {
        Some(Kind::File(content)) => Some(content),
        _ => None,
    }
}
