//! A store as it was, as files in a new folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use ledger_format::body::ObjectState;
use ledger_format::hash::ContentHash;

use super::Replay;
use crate::objects::{Objects, ObjectsError};
use crate::target::sqlite::{DatabaseError, ImageError, PageTree, Snapshot, image};
use crate::verify::{AuditTextError, audit_text};

/// Permission bits of a mode, without the kind of file.
const MODE_BITS: u32 = 0o7777;

/// What was written, every object read back and compared with the fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Materialised {
    /// The folder.
    pub out: PathBuf,
    /// The store's version.
    pub version: String,
    /// Its objects, by id.
    pub objects: Vec<String>,
}

/// A store that was not put on disk. The folder asked for is not there.
#[derive(Debug, thiserror::Error)]
pub enum MaterialiseError {
    /// No store was adopted up to the cursor.
    #[error("at that cursor the ledger has no store")]
    NoStore,
    /// There is something where the folder was to be.
    #[error("{} exists already", path.display())]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// An object id that is no path below a store.
    #[error("object {object:?} has no place below the folder")]
    Place {
        /// The id.
        object: String,
    },
    /// Stored content cannot be read.
    #[error("{object}: {error}")]
    Object {
        /// The object.
        object: String,
        /// What happened.
        error: ObjectsError,
    },
    /// An append-only file cannot be put together.
    #[error("{object}: {error}")]
    Audit {
        /// The object.
        object: String,
        /// What happened.
        error: AuditTextError,
    },
    /// A database cannot be put together.
    #[error("{object}: {error}")]
    Image {
        /// The object.
        object: String,
        /// What happened.
        error: ImageError,
    },
    /// A database that was written cannot be read back.
    #[error("{object}: {error}")]
    Database {
        /// The object.
        object: String,
        /// What happened.
        error: DatabaseError,
    },
    /// What was written reads back as something else.
    #[error("{object} reads back as {actual}, the ledger has {expected}")]
    ReadBack {
        /// The object.
        object: String,
        /// Its state in the fold.
        expected: String,
        /// What the written file is.
        actual: String,
    },
    /// The file system.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

/// Writes the store as `replay` has it into the new folder `out`. It is built and read back beside
/// its place, made durable, and appears there whole or not at all.
pub fn materialise(
    replay: &Replay,
    objects: &dyn Objects,
    out: &Path,
) -> Result<Materialised, MaterialiseError> {
    let store = replay.state.store();
    if store.contract.is_none() {
        return Err(MaterialiseError::NoStore);
    }
    match fs::symlink_metadata(out) {
        Ok(_) => return Err(MaterialiseError::Exists { path: out.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(io_error(out)(source)),
    }
    let parent = match out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let building = tempfile::Builder::new().prefix(".glyph-ledger-replay.").tempdir_in(parent);
    let building = building.map_err(io_error(parent))?;
    for (object, state) in &store.objects {
        let one = One { replay, objects, object, state };
        let path = building.path().join(place(object)?);
        one.write(&path)?;
        one.read_back(&path)?;
    }
    sync_folders(building.path())?;
    fs::rename(building.path(), out).map_err(io_error(out))?;
    // There is nothing left to remove at the temporary place.
    let _moved = building.keep();
    sync_folder(parent)?;
    let objects = store.objects.keys().cloned().collect();
    Ok(Materialised { out: out.to_owned(), version: store.version.clone(), objects })
}

/// One object on its way to disk.
struct One<'a> {
    replay: &'a Replay,
    objects: &'a dyn Objects,
    object: &'a str,
    state: &'a ObjectState,
}

impl One<'_> {
    fn write(&self, path: &Path) -> Result<(), MaterialiseError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(io_error(folder))?;
        let object = || self.object.to_owned();
        match self.state {
            ObjectState::Document { content, mode, .. } => {
                let bytes = self.objects.get(content);
                let bytes =
                    bytes.map_err(|error| MaterialiseError::Object { object: object(), error })?;
                write_file(path, &bytes, Some(*mode))
            }
            ObjectState::Log { .. } => {
                let text = audit_text(&self.replay.audit, self.object, self.objects);
                let text =
                    text.map_err(|error| MaterialiseError::Audit { object: object(), error })?;
                write_file(path, &text, None)
            }
            ObjectState::Database { page_root, .. } => {
                let written = image::materialise(page_root, self.objects, path);
                written.map_err(|error| MaterialiseError::Image { object: object(), error })?;
                Ok(())
            }
        }
    }

    fn read_back(&self, path: &Path) -> Result<(), MaterialiseError> {
        let (expected, actual) = match self.state {
            ObjectState::Document { content, bytes, mode } => {
                let (found, length) = read_file(path)?;
                let held = fs::metadata(path).map_err(io_error(path))?.permissions().mode();
                let held = held & MODE_BITS;
                let shown =
                    |content, bytes, mode| format!("{content}, {bytes} bytes, mode {mode:o}");
                (shown(*content, *bytes, *mode), shown(found, length, held))
            }
            ObjectState::Log { content, bytes, .. } => {
                let (found, length) = read_file(path)?;
                let shown = |content, bytes| format!("{content}, {bytes} bytes");
                (shown(*content, *bytes), shown(found, length))
            }
            ObjectState::Database { page_root, schema, .. } => {
                let read = || -> Result<_, DatabaseError> {
                    let snapshot = Snapshot::open(path, Duration::ZERO)?;
                    Ok((PageTree::build(&snapshot)?.root(), snapshot.schema_digest()?))
                };
                let object = self.object.to_owned();
                let (root, found) =
                    read().map_err(|error| MaterialiseError::Database { object, error })?;
                let shown = |root, schema| format!("page root {root}, schema {schema}");
                (shown(*page_root, **schema), shown(root, found))
            }
        };
        if expected == actual {
            Ok(())
        } else {
            Err(MaterialiseError::ReadBack { object: self.object.to_owned(), expected, actual })
        }
    }
}

/// The path of an object below its store: names only, nothing that leads elsewhere.
fn place(object: &str) -> Result<&Path, MaterialiseError> {
    let path = Path::new(object);
    let named = path.components().all(|part| matches!(part, Component::Normal(_)));
    if named && !object.is_empty() {
        Ok(path)
    } else {
        Err(MaterialiseError::Place { object: object.to_owned() })
    }
}

fn write_file(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<(), MaterialiseError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        // Set at the end, so that neither the umask nor a read-only mode stands in the way.
        file.set_permissions(fs::Permissions::from_mode(mode.unwrap_or(0o644)))?;
        file.sync_all()
    };
    write().map_err(io_error(path))
}

fn read_file(path: &Path) -> Result<(ContentHash, u64), MaterialiseError> {
    let bytes = fs::read(path).map_err(io_error(path))?;
    Ok((ContentHash::of(&bytes), bytes.len() as u64))
}

fn sync_folders(dir: &Path) -> Result<(), MaterialiseError> {
    for entry in fs::read_dir(dir).map_err(io_error(dir))? {
        let entry = entry.map_err(io_error(dir))?;
        if entry.file_type().map_err(io_error(dir))?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(dir)
}

fn sync_folder(dir: &Path) -> Result<(), MaterialiseError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error(dir))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> MaterialiseError {
    move |source| MaterialiseError::Io { path: path.to_owned(), source }
}
