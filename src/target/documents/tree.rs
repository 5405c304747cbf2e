//! Which files of a tree are documents, and of which kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::document::DOCUMENT_BYTES_MAX;

/// Folder of a ledger beside documents; nothing in it is one.
pub(crate) const LEDGER_FOLDER: &str = ".glyph-ledger";

/// Folders that programs keep for themselves: version control, installed packages, stores of this program. What lies in
/// one is a document only by a glob that names the folder.
const SKIPPED: [&str; 11] = [
    ".git",
    ".hg",
    ".svn",
    ".jj",
    ".bzr",
    ".pijul",
    ".sl",
    "_darcs",
    "CVS",
    "node_modules",
    ".glyph",
];

/// Folder for proofs beside documents; nothing in it is one.
const PROOF_FOLDER: &str = "migration";

/// How a file is named while it is written: hidden, and never a document.
pub(super) const UNFINISHED: (&str, &str) = (".", ".glyph-ledger-new");

/// Longest id of a document, in bytes: an event of 4,096 bytes that says what became of one has its id beside all else.
const ID_BYTES_MAX: usize = 3_200;

/// Most files of a tree. Ids, versions and hashes of each are held in memory while a job runs.
const FILES_MAX: usize = 2_000_000;

/// A tree that cannot be looked through.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A document that is reached by a link.
    #[error("{} is a link; documents behind links are not migrated", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A document that is neither file nor folder.
    #[error("{} is no regular file", path.display())]
    Special {
        /// The path.
        path: PathBuf,
    },
    /// A file that is larger than any document.
    #[error(
        "{} has {bytes} bytes, and a document at most {DOCUMENT_BYTES_MAX}; it was not read",
        path.display()
    )]
    Large {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// A name that no id can stand for.
    #[error("{} has a name that is not UTF-8", path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// A document whose id no event has room for.
    #[error(
        "the path of {} has {} bytes from the root of the tree, and that of a document at most {ID_BYTES_MAX}",
        shortened(id),
        id.len()
    )]
    Long {
        /// Its id.
        id: String,
    },
    /// A file that several contracts claim.
    #[error("{id} is claimed by the contracts {}", kinds.join(" and "))]
    Ambiguous {
        /// Its id.
        id: String,
        /// The contracts.
        kinds: Vec<String>,
    },
    /// A contract that does not say which files are its own.
    #[error("the contract {kind} does not say which files are of its kind (`files`)")]
    NoFiles {
        /// The contract.
        kind: String,
    },
    /// A pattern that is none.
    #[error("the contract {kind}: {reason}")]
    Pattern {
        /// The contract.
        kind: String,
        /// What is wrong.
        reason: String,
    },
    /// A document to leave out that is none.
    #[error("nothing to leave out: no document, and no folder that may hold some, is {pattern:?}")]
    NothingLeftOut {
        /// What was named.
        pattern: String,
    },
    /// More files than can be worked on.
    #[error("{} has more than {FILES_MAX} files", root.display())]
    TooMany {
        /// The tree.
        root: PathBuf,
    },
}

/// Which files are of which kind, by their ids.
#[derive(Debug, Clone)]
pub struct Kinds(Vec<Kind>);

#[derive(Debug, Clone)]
struct Kind {
    name: String,
    globs: GlobSet,
    /// Those of the globs that name folders which are skipped otherwise.
    inside: Vec<(BTreeSet<&'static str>, GlobMatcher)>,
}

impl Kinds {
    /// Each kind with the globs of its files.
    pub fn of<'a>(kinds: impl Iterator<Item = (&'a str, &'a [String])>) -> Result<Self, TreeError> {
        kinds.map(|(kind, globs)| Kind::of(kind, globs)).collect::<Result<_, _>>().map(Self)
    }

    /// The place in the list of the kind that a file is of; none if it is of no kind.
    pub fn of_file(&self, id: &str) -> Result<Option<usize>, TreeError> {
        let folders = id.rsplit_once('/').map_or("", |(folders, _)| folders);
        self.of_file_in(&skipped_in(folders), id)
    }

    /// The same where it is known which of the folders it lies in are skipped otherwise.
    fn of_file_in(
        &self,
        skipped: &BTreeSet<&'static str>,
        id: &str,
    ) -> Result<Option<usize>, TreeError> {
        let claims = self.0.iter().enumerate().filter(|(_, kind)| kind.claims(skipped, id));
        let claims: Vec<usize> = claims.map(|(place, _)| place).collect();
        match claims.as_slice() {
            [] => Ok(None),
            [kind] => Ok(Some(*kind)),
            several => {
                let named = several.iter().filter_map(|place| self.0.get(*place));
                let kinds = named.map(|kind| kind.name.clone()).collect();
                Err(TreeError::Ambiguous { id: id.to_owned(), kinds })
            }
        }
    }

    /// Whether some glob names all of these folders.
    fn look_into(&self, skipped: &BTreeSet<&'static str>) -> bool {
        let mut named = self.0.iter().flat_map(|kind| &kind.inside);
        skipped.is_empty() || named.any(|(named, _)| skipped.is_subset(named))
    }
}

impl Kind {
    fn of(kind: &str, globs: &[String]) -> Result<Self, TreeError> {
        let wrong = |error: globset::Error| TreeError::Pattern {
            kind: kind.to_owned(),
            reason: error.to_string(),
        };
        let mut set = GlobSetBuilder::new();
        let mut inside = Vec::new();
        for text in globs {
            let glob = Glob::new(text).map_err(wrong)?;
            let named = skipped_in(text);
            if !named.is_empty() {
                inside.push((named, glob.compile_matcher()));
            }
            set.add(glob);
        }
        Ok(Self { name: kind.to_owned(), globs: set.build().map_err(wrong)?, inside })
    }

    fn claims(&self, skipped: &BTreeSet<&'static str>, id: &str) -> bool {
        if skipped.is_empty() {
            return self.globs.is_match(id);
        }
        let mut named = self.inside.iter();
        named.any(|(named, glob)| skipped.is_subset(named) && glob.is_match(id))
    }
}

/// The folders of a path or a glob that are skipped unless a glob names them.
fn skipped_in(path: &str) -> BTreeSet<&'static str> {
    let names = path.split(['/', '{', '}', ',']);
    names.filter_map(|name| SKIPPED.into_iter().find(|skipped| *skipped == name)).collect()
}

/// The documents of a tree, and what of it was not looked into.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Ids of all documents with the place of their kind.
    pub documents: BTreeMap<String, usize>,
    /// Folders that are skipped because programs keep them for themselves.
    pub skipped: BTreeSet<String>,
    /// Folders that are links.
    pub links: BTreeSet<String>,
    /// Folders below the root that hold a ledger of their own.
    pub ledgers: BTreeSet<String>,
    /// Documents that were to be left out, and with a `/` at the end folders that were.
    pub left_out: BTreeSet<String>,
    /// Those of them that are always left out.
    pub always: BTreeSet<String>,
    /// What was to be left out and is not there.
    pub not_there: Vec<String>,
}

impl Survey {
    /// Refuses where something was to be left out that is not there: whoever named it meant something else.
    pub fn must_leave_out_all(&self) -> Result<(), TreeError> {
        self.not_there
            .first()
            .map_or(Ok(()), |pattern| Err(TreeError::NothingLeftOut { pattern: pattern.clone() }))
    }
}

/// A folder whose files are documents, or one file in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    root: PathBuf,
    only: Option<String>,
    left_out: Vec<String>,
    always: Always,
}

/// What is left out whenever a tree is looked through, whether it is there or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Always {
    /// Where the root lies in the tree that the names are of; empty for that tree itself.
    below: String,
    named: Vec<String>,
}

impl Tree {
    /// The documents at or below `root`.
    pub const fn new(root: PathBuf) -> Self {
        let always = Always { below: String::new(), named: Vec::new() };
        Self { root, only: None, left_out: Vec::new(), always }
    }

    /// Without the documents and folders that these ids or globs name; they are not looked at.
    #[must_use]
    pub fn leaving_out(self, left_out: Vec<String>) -> Self {
        Self { left_out, ..self }
    }

    /// Always without what these ids or globs name, of a tree in which this one lies at `below`: nothing has to be there.
    #[must_use]
    pub fn always_leaving_out(self, named: Vec<String>, below: String) -> Self {
        Self { always: Always { below, named }, ..self }
    }

    /// What is always left out, as it was named.
    pub fn always(&self) -> &[String] {
        &self.always.named
    }

    /// Whether the document `id`, or a folder that it lies in, is always left out; without an id the root or the only document.
    pub fn leaves_out_always(&self, id: &str) -> bool {
        let id = if id.is_empty() { self.only.as_deref().unwrap_or_default() } else { id };
        let (named, path) = (self.always.each(), self.always.path(Path::new(id)));
        let folders: Vec<&Path> = path.ancestors().filter(|path| *path != Path::new("")).collect();
        named.iter().any(|left_out| folders.iter().any(|path| left_out.means(path)))
    }

    /// What is left out, as it was named.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// One document of the tree at `root`.
    #[must_use]
    pub fn only(self, id: String) -> Self {
        Self { only: Some(id), ..self }
    }

    /// Whether it is of one document only.
    pub const fn is_one(&self) -> bool {
        self.only.is_some()
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the document `id` lies.
    pub fn path(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// Finds all documents. Of a tree with one document that one, which is of the only kind if there is only one. What
    /// cannot be one of them although a kind claims it is refused, the first in the order of ids, unless it is left out.
    pub fn find(&self, kinds: &Kinds) -> Result<Survey, TreeError> {
        if let Some(id) = &self.only {
            let kind = if kinds.0.len() == 1 { Some(0) } else { kinds.of_file(id)? };
            let documents = kind.map(|kind| (id.clone(), kind)).into_iter().collect();
            let not_there = self.left_out.clone();
            return Ok(Survey { documents, not_there, ..Survey::default() });
        }
        if let Some(kind) = kinds.0.iter().find(|kind| kind.globs.is_empty()) {
            return Err(TreeError::NoFiles { kind: kind.name.clone() });
        }
        let mut walk = Walk {
            tree: self,
            kinds,
            folders: vec![String::new()],
            seen: 0,
            survey: Survey::default(),
            refused: BTreeMap::new(),
            left_out: self.left_out.iter().map(|named| LeftOut::of(named)).collect(),
            always: self.always.each(),
        };
        while let Some(folder) = walk.folders.pop() {
            walk.folder(&folder)?;
        }
        let not_there = walk.left_out.iter().filter(|left_out| !left_out.is_there);
        walk.survey.not_there = not_there.map(|left_out| left_out.named.clone()).collect();
        match walk.refused.into_values().next() {
            Some(refused) => Err(refused),
            None => Ok(walk.survey),
        }
    }
}

/// A way through all folders of a tree.
struct Walk<'a> {
    tree: &'a Tree,
    kinds: &'a Kinds,
    /// Those still to be looked into.
    folders: Vec<String>,
    /// Number of entries seen.
    seen: usize,
    survey: Survey,
    /// What cannot be a document and is claimed as one, by its id.
    refused: BTreeMap<String, TreeError>,
    left_out: Vec<LeftOut>,
    always: Vec<LeftOut>,
}

/// Documents that are left out.
struct LeftOut {
    named: String,
    glob: Option<GlobMatcher>,
    /// Whether something was.
    is_there: bool,
}

impl LeftOut {
    /// The document or folder of that id, or all that the glob means. What is no glob is an id.
    fn of(named: &str) -> Self {
        let glob = Glob::new(named).ok().map(|glob| glob.compile_matcher());
        Self { named: named.to_owned(), glob, is_there: false }
    }

    fn means(&self, path: &Path) -> bool {
        Path::new(&self.named) == path || self.glob.as_ref().is_some_and(|glob| glob.is_match(path))
    }
}

impl Always {
    fn each(&self) -> Vec<LeftOut> {
        self.named.iter().map(|named| LeftOut::of(named)).collect()
    }

    /// Where what lies at `path` in this tree lies in the one that the names are of.
    fn path(&self, path: &Path) -> PathBuf {
        if path == Path::new("") {
            PathBuf::from(&self.below)
        } else {
            Path::new(&self.below).join(path)
        }
    }
}

impl Walk<'_> {
    fn folder(&mut self, folder: &str) -> Result<(), TreeError> {
        let path = self.tree.root.join(folder);
        let io = |source| TreeError::Io { path: path.clone(), source };
        let inside = skipped_in(folder);
        for entry in fs::read_dir(&path).map_err(io)? {
            let entry = entry.map_err(io)?;
            self.seen += 1;
            if self.seen > FILES_MAX {
                return Err(TreeError::TooMany { root: self.tree.root.clone() });
            }
            let kind = entry.file_type().map_err(io)?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                let id = Path::new(folder).join(entry.file_name());
                let end = if kind.is_dir() { "/" } else { "" };
                if self.leaves_out(&id, &format!("{}{end}", id.display())) {
                    continue;
                }
                return Err(TreeError::Name { path: entry.path() });
            };
            if name == LEDGER_FOLDER && !folder.is_empty() && kind.is_dir() {
                self.survey.ledgers.insert(folder.to_owned());
            }
            if name == LEDGER_FOLDER || is_unfinished(&name) {
                continue;
            }
            let id = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if kind.is_dir() {
                self.meets_folder(&name, id, &inside);
            } else if kind.is_symlink() && entry.path().is_dir() {
                self.survey.links.insert(id);
            } else {
                self.meets_file(id, kind, &inside);
            }
        }
        Ok(())
    }

    fn meets_folder(&mut self, name: &str, id: String, inside: &BTreeSet<&'static str>) {
        if name == PROOF_FOLDER {
            return;
        }
        let mut inside = inside.clone();
        inside.extend(skipped_in(name));
        if self.kinds.look_into(&inside) {
            if !self.leaves_out(Path::new(&id), &format!("{id}/")) {
                self.folders.push(id);
            }
        } else {
            self.survey.skipped.insert(id);
        }
    }

    /// Whether something is to be left out; it is then noted as `told`.
    fn leaves_out(&mut self, id: &Path, told: &str) -> bool {
        let mut leaves = false;
        for left_out in self.left_out.iter_mut().filter(|left_out| left_out.means(id)) {
            (left_out.is_there, leaves) = (true, true);
        }
        let whole = self.tree.always.path(id);
        if self.always.iter().any(|left_out| left_out.means(&whole)) {
            self.survey.always.insert(told.to_owned());
            leaves = true;
        }
        if leaves {
            self.survey.left_out.insert(told.to_owned());
        }
        leaves
    }

    fn meets_file(&mut self, id: String, kind: fs::FileType, inside: &BTreeSet<&'static str>) {
        let claimed = self.kinds.of_file_in(inside, &id);
        if !matches!(claimed, Ok(None)) && self.leaves_out(Path::new(&id), &id) {
            return;
        }
        let path = || self.tree.path(&id);
        let refused = match claimed {
            Ok(None) => return,
            Ok(Some(_)) if id.len() > ID_BYTES_MAX => TreeError::Long { id: id.clone() },
            Ok(Some(_)) if kind.is_symlink() => TreeError::Link { path: path() },
            Ok(Some(_)) if !kind.is_file() => TreeError::Special { path: path() },
            Ok(Some(of)) => {
                self.survey.documents.insert(id, of);
                return;
            }
            Err(ambiguous) => ambiguous,
        };
        self.refused.insert(id, refused);
    }
}

/// A long id for people: its first folder and its name.
fn shortened(id: &str) -> String {
    let first = id.split_once('/').map_or(id, |(first, _)| first);
    let name = id.rsplit_once('/').map_or(id, |(_, name)| name);
    format!("{first}/…/{name}")
}

fn is_unfinished(name: &str) -> bool {
    let (before, after) = UNFINISHED;
    name.starts_with(before) && name.ends_with(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(globs: &[&str], files: &[&str]) -> Survey {
        let folder = tempfile::tempdir().unwrap();
        for id in files {
            let path = folder.path().join(id);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        std::os::unix::fs::symlink("a", folder.path().join("z")).unwrap();
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let kinds = Kinds::of([("kind", globs.as_slice())].into_iter()).unwrap();
        Tree::new(folder.path().to_owned()).find(&kinds).unwrap()
    }

    #[test]
    fn what_is_named_is_left_out_and_what_is_not_there_is_told() {
        use std::os::unix::ffi::OsStrExt as _;

        let folder = tempfile::tempdir().unwrap();
        for id in ["a.json", "b/c.json", "b/d/e.json", "f[1].json", "other.txt"] {
            let path = folder.path().join(id);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        std::os::unix::fs::symlink("a.json", folder.path().join("l.json")).unwrap();
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"n\xff.json")), "{}").unwrap();
        let globs = ["**/*.json".to_owned()];
        let kinds = Kinds::of([("kind", globs.as_slice())].into_iter()).unwrap();
        let found = |left_out: &[&str]| {
            let left_out = left_out.iter().map(|named| (*named).to_owned()).collect();
            Tree::new(folder.path().to_owned()).leaving_out(left_out).find(&kinds)
        };
        assert!(matches!(found(&[]), Err(TreeError::Name { .. })));
        assert!(matches!(found(&["n*.json"]), Err(TreeError::Link { .. })));
        let survey =
            found(&["n*.json", "l.json", "b", "f[1].json", "other.txt", "b/c.json"]).unwrap();
        assert_eq!(survey.documents.into_keys().collect::<Vec<_>>(), ["a.json"]);
        let left_out: Vec<String> = survey.left_out.into_iter().collect();
        assert_eq!(left_out, ["b/", "f[1].json", "l.json", "n\u{fffd}.json"]);
        // Nothing would be done with these two anyway.
        assert_eq!(survey.not_there, ["other.txt", "b/c.json"]);
        let all = found(&["*"]).unwrap();
        assert_eq!((all.documents.len(), all.not_there.len()), (0, 0));
    }

    #[test]
    fn what_is_always_left_out_need_not_be_there_and_is_found_from_folders_below() {
        let folder = tempfile::tempdir().unwrap();
        for id in ["a.json", "b/c.json", "b/d/e.json", "f.json"] {
            let path = folder.path().join(id);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        let globs = ["**/*.json".to_owned()];
        let kinds = Kinds::of([("kind", globs.as_slice())].into_iter()).unwrap();
        let always = || ["b/d", "f*", "gone"].map(str::to_owned).to_vec();
        let tree = |at: &str| {
            Tree::new(folder.path().join(at)).always_leaving_out(always(), at.to_owned())
        };
        let asked = tree("").leaving_out(vec!["a.json".to_owned()]);
        let survey = asked.find(&kinds).unwrap();
        assert_eq!(survey.documents.keys().collect::<Vec<_>>(), ["b/c.json"]);
        assert_eq!(survey.left_out.iter().collect::<Vec<_>>(), ["a.json", "b/d/", "f.json"]);
        assert_eq!(survey.always.iter().collect::<Vec<_>>(), ["b/d/", "f.json"]);
        survey.must_leave_out_all().unwrap();
        let below = tree("b").find(&kinds).unwrap();
        assert_eq!(below.documents.keys().collect::<Vec<_>>(), ["c.json"]);
        assert_eq!(below.always.iter().collect::<Vec<_>>(), ["d/"]);
        for (at, id, is) in [
            ("", "b/d", true),
            ("", "b/d/e.json", true),
            ("", "b/c.json", false),
            ("", "", false),
            ("b", "d/e.json", true),
            ("b", "", false),
            ("b/d", "", true),
            ("b/d", "e.json", true),
        ] {
            assert_eq!(tree(at).leaves_out_always(id), is, "{at} {id}");
        }
        assert!(tree("").only("f.json".to_owned()).leaves_out_always(""));
    }

    #[test]
    fn what_became_of_a_document_with_the_longest_path_fits_an_event() {
        use ledger_format::body::{Body, ObjectMigrated, ObjectState, Verdict};
        use ledger_format::cbor::Value;
        use ledger_format::event::EVENT_BYTES_MAX;
        use ledger_format::hash::{CommitHash, ContentHash, EventId};

        let content = ContentHash::of(b"");
        let state = ObjectState::Document { content, bytes: u64::MAX, mode: 0o7777 };
        let verdicts = ["validates_at_target", "loss_declared", "round_trips"];
        let verdict = |name: &str| (name.to_owned(), Verdict::NotApplicable);
        let body = Body::from(ObjectMigrated {
            run: EventId::of(b"run"),
            object: "n".repeat(ID_BYTES_MAX),
            route: Some(u64::MAX),
            operator: "glyph-ledger.migrate.document".to_owned(),
            source: state.clone(),
            target: state,
            loss: CommitHash::of("x", &Value::Null),
            lost: u64::MAX,
            reads_inputs: false,
            loss_list: Some(content),
            verdicts: verdicts.into_iter().map(verdict).collect(),
            renamed: Vec::new(),
        });
        let bytes = body.to_value().unwrap().encode().len();
        // The envelope takes some 300 bytes more.
        assert!(bytes + 300 <= EVENT_BYTES_MAX, "{bytes}");
    }

    #[test]
    fn a_document_whose_path_is_too_long_for_an_event_is_named_by_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let deep = vec!["d".repeat(200); 15].join("/");
        fs::create_dir_all(folder.path().join(&deep)).unwrap();
        let globs = ["**/*.json".to_owned()];
        let kinds = Kinds::of([("kind", globs.as_slice())].into_iter()).unwrap();
        let name = |bytes: usize| format!("{}.json", "n".repeat(bytes - deep.len() - 6));
        let found = |left_out: Vec<String>| {
            Tree::new(folder.path().to_owned()).leaving_out(left_out).find(&kinds)
        };
        fs::write(folder.path().join(&deep).join(name(ID_BYTES_MAX)), "{}").unwrap();
        assert_eq!(found(Vec::new()).unwrap().documents.len(), 1);
        fs::write(folder.path().join(&deep).join(name(ID_BYTES_MAX + 1)), "{}").unwrap();
        let refused = found(Vec::new()).unwrap_err().to_string();
        assert!(refused.contains("has 3201 bytes") && refused.len() < 600, "{refused}");
        let left_out = format!("{deep}/{}", name(ID_BYTES_MAX + 1));
        assert_eq!(found(vec![left_out]).unwrap().documents.len(), 1);
    }

    const FILES: [&str; 7] = [
        "a/b.json",
        "a/.glyph-ledger/c.json",
        "a/node_modules/p/d.json",
        "a/node_modules/p/node_modules/e.json",
        ".git/f.json",
        ".github/g.json",
        "migration/h.json",
    ];

    #[test]
    fn folders_that_programs_keep_for_themselves_are_skipped_and_named() {
        let found = survey(&["**/*.json"], &FILES);
        assert_eq!(found.documents.into_keys().collect::<Vec<_>>(), [".github/g.json", "a/b.json"]);
        assert_eq!(found.skipped.into_iter().collect::<Vec<_>>(), [".git", "a/node_modules"]);
        assert_eq!(found.links.into_iter().collect::<Vec<_>>(), ["z"]);
        assert_eq!(found.ledgers.into_iter().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_glob_that_names_such_a_folder_is_followed_and_no_other_is() {
        let found = survey(&["*.json", "**/node_modules/**/d.json", "{.git,x}/*.json"], &FILES);
        let ids: Vec<String> = found.documents.into_keys().collect();
        // `*` crosses folders here, but not into one that is skipped.
        assert_eq!(ids, [".git/f.json", ".github/g.json", "a/b.json", "a/node_modules/p/d.json"]);
        assert!(found.skipped.is_empty());
    }
}
