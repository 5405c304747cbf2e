//! Images: whole databases as objects that share every page they have in common. A page root names
//! one; going back to it means reading its tree. Knows objects and files, no connection.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ledger_format::cbor::{self, EVENT_DEPTH_MAX, Value};
use ledger_format::hash::{CommitHash, ContentHash, HASH_BYTES};

use super::page::{PageSize, PageSource, Pages, give_life, normalised};
use super::page_tree::{PageTree, node_bytes};
use super::sweep::sweep;
use super::{DatabaseError, RUN_LENGTH};
use crate::effects::{KernelSyncs, syncs};
use crate::objects::{Named, Objects, ObjectsError};

/// Entries a level's list is made for before any of them was read; a forged page count must not
/// reserve memory.
const PREALLOCATED_ENTRIES_MAX: usize = 1 << 16;

/// One write to the file system carries this much.
const WRITE_BUFFER_BYTES: usize = 1 << 20;

/// Why an image could not be stored or read back.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The database's pages could not be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// An object could not be stored or read.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// An object exists under this name, but is not what an image has there.
    #[error("object {name} is not part of a database image: {reason}")]
    Malformed {
        /// The object.
        name: ContentHash,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A page read from the source is not the page its tree names.
    #[error("page {page} has changed: expected {expected}, found {actual}")]
    PageChanged {
        /// The page's number.
        page: u32,
        /// Its name in the tree.
        expected: ContentHash,
        /// The name of what was read.
        actual: ContentHash,
    },
    /// An image without pages: there is no file to write.
    #[error("image {root} has no pages, so there is no database to write")]
    NoPages {
        /// The image.
        root: CommitHash,
    },
    /// The file to write could not be written; nothing was left there.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Reads every page of `source` once, keeps what `objects` lacks, and returns the tree. Nothing is
/// durable before [`Objects::sync`].
pub fn take(source: &impl PageSource, objects: &mut dyn Objects) -> Result<PageTree, ImageError> {
    let mut names = Vec::with_capacity(source.page_count() as usize);
    sweep(source, named, |pages| {
        for page in pages {
            names.push(objects.put_named(&page)?);
        }
        Ok::<(), ImageError>(())
    })?;
    let tree = PageTree::over(source.page_size(), names);
    store_nodes(&tree, objects)?;
    Ok(tree)
}

fn named(pages: Pages) -> Vec<Named> {
    pages.normalised().each().map(|page| Named::of(page.to_vec())).collect()
}

/// Keeps the image `tree` of `source`, storing only what `objects` lacks, and returns the number of
/// pages stored. Every page and node is asked for: a node that is there says nothing about what lies
/// beneath it, for a power cut may have taken one and left the other. Nothing is durable before
/// [`Objects::sync`].
pub fn store(
    tree: &PageTree,
    source: &impl PageSource,
    objects: &mut dyn Objects,
) -> Result<u32, ImageError> {
    let mut stored = 0;
    for (number, name) in (1..).zip(tree.pages()) {
        if objects.contains(name) {
            continue;
        }
        let page = normalised(number, source.read_page(number)?);
        let actual = ContentHash::of(&page);
        if actual != *name {
            return Err(ImageError::PageChanged { page: number, expected: *name, actual });
        }
        objects.put(&page)?;
        stored += 1;
    }
    store_nodes(tree, objects)?;
    Ok(stored)
}

/// Keeps what stands above the pages of `tree`, as far as `objects` lack it.
fn store_nodes(tree: &PageTree, objects: &mut dyn Objects) -> Result<(), ImageError> {
    for (below, nodes) in tree.node_levels().iter().enumerate() {
        let runs = tree.level(below).unwrap_or_default().chunks(RUN_LENGTH);
        for (node, run) in nodes.iter().zip(runs) {
            if !objects.contains(node) {
                objects.put(&node_bytes(run))?;
            }
        }
    }
    objects.put(&tree.root_bytes())?;
    Ok(())
}

/// As [`store`], where `objects` have all of another image of as many levels, which differs in the pages `changed` only and
/// perhaps in how many there are: asks for these pages and what stands above them.
pub(super) fn store_changed(
    tree: &PageTree,
    changed: &BTreeSet<u32>,
    source: &impl PageSource,
    objects: &mut dyn Objects,
) -> Result<u32, ImageError> {
    let mut stored = 0;
    for &number in changed {
        let Some(expected) = tree.page(number) else { continue };
        if objects.contains(expected) {
            continue;
        }
        let actual = objects.put(&normalised(number, source.read_page(number)?))?;
        if actual != *expected {
            return Err(ImageError::PageChanged { page: number, expected: *expected, actual });
        }
        stored += 1;
    }
    // Where pages were cut off, the last run that is left is a shorter one.
    let last = changed.iter().next_back().is_some_and(|number| *number > tree.page_count());
    let last = last.then_some(tree.page_count());
    let at = |number: &u32| (*number as usize).checked_sub(1);
    let mut dirty: BTreeSet<usize> = changed.iter().chain(&last).filter_map(at).collect();
    for (below, nodes) in tree.node_levels().iter().enumerate() {
        dirty = dirty.into_iter().map(|at| at / RUN_LENGTH).collect();
        let runs = tree.level(below).unwrap_or_default();
        for &at in &dirty {
            let run = runs.chunks(RUN_LENGTH).nth(at);
            if let (Some(node), Some(run)) = (nodes.get(at), run)
                && !objects.contains(node)
            {
                objects.put(&node_bytes(run))?;
            }
        }
    }
    objects.put(&tree.root_bytes())?;
    Ok(stored)
}

/// Names of all objects that the image `tree` consists of, each with its bytes. One that stands in several places is named
/// for each.
pub fn parts(tree: &PageTree) -> impl Iterator<Item = (ContentHash, u64)> {
    let page = u64::from(tree.page_size().bytes());
    let pages = tree.pages().iter().map(move |name| (*name, page));
    let nodes = tree.node_levels().iter().enumerate().flat_map(|(below, nodes)| {
        let runs = tree.level(below).unwrap_or_default().chunks(RUN_LENGTH);
        let bytes = |run: &[ContentHash]| (run.len() * HASH_BYTES) as u64;
        nodes.iter().zip(runs).map(move |(node, run)| (*node, bytes(run)))
    });
    let root = std::iter::once((named_by(&tree.root()), tree.root_bytes().len() as u64));
    pages.chain(nodes).chain(root)
}

/// Reads the page `name` of the image `tree` and checks it against its name and size.
pub fn check_page(
    tree: &PageTree,
    name: &ContentHash,
    objects: &dyn Objects,
) -> Result<(), ImageError> {
    read_page(name, tree.page_size(), objects).map(|_| ())
}

/// Reads the tree of the image `root`, checking every node against its name. Pages are not read.
pub fn load(root: &CommitHash, objects: &dyn Objects) -> Result<PageTree, ImageError> {
    let (page_size, page_count, top) = read_root(root, objects)?;
    let mut widths = vec![page_count as usize];
    while widths.len() == 1 || widths.last().is_some_and(|width| *width > RUN_LENGTH) {
        widths.push(widths.last().map_or(0, |width| width.div_ceil(RUN_LENGTH)));
    }
    let malformed = |reason| ImageError::Malformed { name: named_by(root), reason };
    if widths.pop() != Some(top.len()) {
        return Err(malformed("the number of nodes does not fit the page count"));
    }
    let mut levels = vec![top];
    for width in widths.into_iter().rev() {
        let above = levels.last().map_or(&[][..], Vec::as_slice);
        let mut level = Vec::with_capacity(width.min(PREALLOCATED_ENTRIES_MAX));
        for node in above {
            let expected = (width - level.len()).min(RUN_LENGTH);
            level.extend(read_node(node, expected, objects)?);
        }
        levels.push(level);
    }
    levels.reverse();
    Ok(PageTree::from_levels(page_size, levels))
}

/// The page of an image called `name`.
pub(super) fn read_page(
    name: &ContentHash,
    page_size: PageSize,
    objects: &dyn Objects,
) -> Result<Vec<u8>, ImageError> {
    let page = checked(name, objects)?;
    if page.len() == page_size.bytes() as usize {
        Ok(page)
    } else {
        Err(ImageError::Malformed { name: *name, reason: "a page of another size" })
    }
}

/// Writes the image `root` to `path` as one database file without a journal, durable with its
/// folder entry. A file that is already there is an error and stays.
pub fn materialise(
    root: &CommitHash,
    objects: &dyn Objects,
    path: &Path,
) -> Result<PageTree, ImageError> {
    let tree = load(root, objects)?;
    write_file(path, |file| {
        write_image(&tree, objects, file, path)?;
        file.sync_all().map_err(io_at(path))
    })?;
    let folder = syncs::folder_of(path);
    syncs::folder(&KernelSyncs, folder).map_err(io_at(folder))?;
    Ok(tree)
}

/// The same for as long as this machine runs: nothing is made durable.
pub(super) fn unfold(
    root: &CommitHash,
    objects: &dyn Objects,
    path: &Path,
) -> Result<PageTree, ImageError> {
    let tree = load(root, objects)?;
    write_file(path, |file| write_image(&tree, objects, file, path))?;
    Ok(tree)
}

/// Writes the pages of `source` to `path` as [`materialise`] would, and returns their tree. One pass reads, hashes and writes
/// them. Nothing is made durable.
pub fn copy(source: &impl PageSource, path: &Path) -> Result<PageTree, ImageError> {
    let page_count = source.page_count();
    let page_bytes = u64::from(source.page_size().bytes());
    let mut names = Vec::with_capacity(page_count as usize);
    write_file(path, |file| {
        let file = &*file;
        let put = |pages: Pages| {
            let pages = pages.normalised();
            let (first, names) = (pages.first, pages.names());
            let mut bytes = pages.into_bytes();
            if first == 1 {
                give_life(&mut bytes, page_count);
            }
            let at = u64::from(first - 1) * page_bytes;
            file.write_all_at(&bytes, at).map_err(io_at(path)).map(|()| names)
        };
        sweep(source, put, |of_chunk: Result<Vec<ContentHash>, ImageError>| {
            names.extend(of_chunk?);
            Ok(())
        })
    })?;
    Ok(PageTree::over(source.page_size(), names))
}

/// Makes the file at `path`, which must not be there, and removes it again if `write` fails.
fn write_file(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), ImageError>,
) -> Result<(), ImageError> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = write(&mut file.map_err(io_at(path))?);
    if written.is_err() {
        // The first error is the one to tell; a file that cannot be removed is refused next time.
        let _ = fs::remove_file(path);
    }
    written
}

fn write_image(
    tree: &PageTree,
    objects: &dyn Objects,
    file: &mut File,
    path: &Path,
) -> Result<(), ImageError> {
    if tree.page_count() == 0 {
        return Err(ImageError::NoPages { root: tree.root() });
    }
    let mut out = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
    for (at, name) in tree.pages().iter().enumerate() {
        let mut page = read_page(name, tree.page_size(), objects)?;
        if at == 0 {
            give_life(&mut page, tree.page_count());
        }
        out.write_all(&page).map_err(io_at(path))?;
    }
    out.flush().map_err(io_at(path))
}

fn io_at(path: &Path) -> impl FnOnce(std::io::Error) -> ImageError + use<> {
    let path = path.to_owned();
    move |source| ImageError::Io { path, source }
}

type Root = (PageSize, u32, Vec<ContentHash>);

fn read_root(root: &CommitHash, objects: &dyn Objects) -> Result<Root, ImageError> {
    let name = named_by(root);
    let bytes = checked(&name, objects)?;
    parse_root(&bytes).ok_or(ImageError::Malformed { name, reason: "not a page root" })
}

fn parse_root(bytes: &[u8]) -> Option<Root> {
    let Value::Array(pair) = cbor::decode(bytes, EVENT_DEPTH_MAX).ok()? else { return None };
    let [tag, value] = pair.as_slice() else { return None };
    if *tag != Value::from("page_root") {
        return None;
    }
    let fields: RootFields = cbor::from_value(value).ok()?;
    Some((PageSize::new(fields.page_size)?, fields.page_count, fields.nodes))
}

/// The value that a page root is the hash of.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RootFields {
    page_size: u32,
    page_count: u32,
    nodes: Vec<ContentHash>,
}

fn read_node(
    node: &ContentHash,
    expected: usize,
    objects: &dyn Objects,
) -> Result<Vec<ContentHash>, ImageError> {
    let bytes = checked(node, objects)?;
    let (names, rest) = bytes.as_chunks();
    if rest.is_empty() && names.len() == expected {
        Ok(names.iter().copied().map(ContentHash::from_bytes).collect())
    } else {
        Err(ImageError::Malformed { name: *node, reason: "a run of another length" })
    }
}

/// The object called `name`, hashed here once more: this folder believes no storage.
fn checked(name: &ContentHash, objects: &dyn Objects) -> Result<Vec<u8>, ImageError> {
    let bytes = objects.get(name)?;
    let actual = ContentHash::of(&bytes);
    if actual == *name {
        Ok(bytes)
    } else {
        Err(ObjectsError::Corrupt { name: *name, actual }.into())
    }
}

/// A page root is the SHA-256 of its stored preimage, so the same bytes name that object.
fn named_by(root: &CommitHash) -> ContentHash {
    ContentHash::from_bytes(*root.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::MemoryObjects;
    use crate::target::sqlite::Snapshot;
    use crate::target::sqlite::testing::{WAIT, database, sql};

    const ROWS: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO t SELECT i, 'value ' || i FROM n;";

    #[test]
    fn an_image_comes_back_as_a_file_with_the_same_root() {
        let dir = tempfile::tempdir().unwrap();
        for (journal, page_size) in [("wal", 4096), ("delete", 512), ("delete", 65_536)] {
            let live = dir.path().join(format!("{journal}{page_size}.db"));
            let pragmas = format!("PRAGMA page_size={page_size}; PRAGMA journal_mode={journal};");
            database(&live, &format!("{pragmas}{ROWS}"));
            let snapshot = Snapshot::open(&live, WAIT).unwrap();
            let mut objects = MemoryObjects::new();
            let tree = take(&snapshot, &mut objects).unwrap();
            assert_eq!(tree, PageTree::build(&snapshot).unwrap());
            assert_eq!(load(&tree.root(), &objects).unwrap(), tree);

            let copy = dir.path().join("copy.db");
            materialise(&tree.root(), &objects, &copy).unwrap();
            let again = Snapshot::open(&copy, WAIT).unwrap();
            assert_eq!(PageTree::build(&again).unwrap().root(), tree.root());
            drop(again);
            assert_eq!(sql::<i64>(&copy, "SELECT count(*) FROM t"), 20_000);
            assert_eq!(sql::<String>(&copy, "PRAGMA integrity_check"), "ok");
            assert!(matches!(
                materialise(&tree.root(), &objects, &copy),
                Err(ImageError::Io { .. })
            ));
            let direct = dir.path().join("direct.db");
            assert_eq!(super::copy(&snapshot, &direct).unwrap(), tree);
            assert_eq!(fs::read(&direct).unwrap(), fs::read(&copy).unwrap());
            fs::remove_file(&copy).unwrap();
            fs::remove_file(&direct).unwrap();
        }
    }

    #[test]
    fn a_second_image_stores_only_what_changed() {
        let dir = tempfile::tempdir().unwrap();
        let live = dir.path().join("live.db");
        database(&live, ROWS);
        let mut objects = MemoryObjects::new();
        let before = take(&Snapshot::open(&live, WAIT).unwrap(), &mut objects).unwrap();
        database(&live, "UPDATE t SET v = 'other' WHERE id = 9000");
        let snapshot = Snapshot::open(&live, WAIT).unwrap();
        let after = PageTree::build(&snapshot).unwrap();
        let changed = before.diff(&after);
        let kept = objects.len();
        assert_eq!(store(&after, &snapshot, &mut objects).unwrap() as usize, changed.len());
        // One leaf, the node above it and the root; page 1 keeps its content.
        assert_eq!((changed.len(), objects.len() - kept), (1, 3));
        assert_eq!(store(&after, &snapshot, &mut objects).unwrap(), 0);
        assert_eq!(load(&before.root(), &objects).unwrap(), before);
        assert_eq!(load(&after.root(), &objects).unwrap(), after);
    }

    #[test]
    fn any_damaged_or_missing_object_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let live = dir.path().join("live.db");
        database(&live, "CREATE TABLE t(a); INSERT INTO t VALUES (1)");
        let mut objects = MemoryObjects::new();
        let tree = take(&Snapshot::open(&live, WAIT).unwrap(), &mut objects).unwrap();
        let root = tree.root();
        let names =
            [named_by(&root), *tree.page(2).unwrap(), *tree.node_levels()[0].first().unwrap()];
        for name in names {
            let mut broken = objects.clone();
            let mut bytes = broken.get(&name).unwrap();
            bytes[0] ^= 1;
            broken.damage(name, bytes);
            let copy = dir.path().join("copy.db");
            let refused = materialise(&root, &broken, &copy);
            assert!(matches!(
                refused,
                Err(ImageError::Objects(ObjectsError::Corrupt { name: told, .. })) if told == name
            ));
            assert!(!copy.exists());
            broken.remove(&name);
            assert!(matches!(
                materialise(&root, &broken, &copy),
                Err(ImageError::Objects(ObjectsError::Missing { .. }))
            ));
        }
    }

    #[test]
    fn an_image_of_no_pages_is_refused_by_name() {
        let mut objects = MemoryObjects::new();
        let empty = PageTree::over(PageSize::new(4096).unwrap(), Vec::new());
        objects.put(&empty.root_bytes()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let refused = materialise(&empty.root(), &objects, &dir.path().join("x.db"));
        assert!(matches!(refused, Err(ImageError::NoPages { .. })));
    }

    #[test]
    fn a_source_that_changed_since_its_tree_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let live = dir.path().join("live.db");
        database(&live, "CREATE TABLE t(a)");
        let old = PageTree::build(&Snapshot::open(&live, WAIT).unwrap()).unwrap();
        database(&live, "INSERT INTO t VALUES (1)");
        let now = Snapshot::open(&live, WAIT).unwrap();
        let refused = store(&old, &now, &mut MemoryObjects::new());
        assert!(matches!(refused, Err(ImageError::PageChanged { page: 2, .. })));
    }
}
