//! Every fsync of the log and of the objects goes through here, so that one of them can be made to
//! fail.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::path::Path;

/// The calls that make written bytes durable. None of them is ever tried a second time: after a
/// failed fsync the kernel may hold as clean what the disk never got.
pub trait Syncs: Debug + Send + Sync {
    /// `fdatasync`: a file's bytes and its length.
    fn data(&self, file: &File) -> io::Result<()>;

    /// `fsync`: a file, or the entries of a folder.
    fn all(&self, file: &File) -> io::Result<()>;
}

/// The operating system's.
#[derive(Debug, Clone, Copy, Default)]
pub struct KernelSyncs;

impl Syncs for KernelSyncs {
    fn data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn all(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }
}

/// Makes the entries of `folder` durable.
pub(crate) fn folder(syncs: &dyn Syncs, folder: &Path) -> io::Result<()> {
    syncs.all(&File::open(folder)?)
}

/// Creates the folder `path` and whatever of the folders above it is missing; a name that is new is
/// durable, so that what is put there later can be found again.
pub(crate) fn make_folder(syncs: &dyn Syncs, path: &Path) -> io::Result<()> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    std::fs::create_dir_all(path)?;
    missing.into_iter().try_for_each(|made| folder(syncs, folder_of(made)))
}

/// The folder that the name `path` stands in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Syncs every file and folder below `dir`, and `dir`.
pub(crate) fn below(dir: &Path, syncs: &dyn Syncs) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            below(&entry.path(), syncs)?;
        } else {
            syncs.all(&File::open(entry.path())?)?;
        }
    }
    folder(syncs, dir)
}

/// For copies that need not survive anything.
#[derive(Debug)]
pub(crate) struct NoSync;

impl Syncs for NoSync {
    fn data(&self, _: &File) -> io::Result<()> {
        Ok(())
    }

    fn all(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod failing {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{File, KernelSyncs, Syncs, io};

    /// Fails the n-th call, counted from 0, and no other.
    #[derive(Debug)]
    pub(crate) struct FailNth {
        calls: AtomicUsize,
        nth: usize,
    }

    impl FailNth {
        pub(crate) const fn new(nth: usize) -> Self {
            Self { calls: AtomicUsize::new(0), nth }
        }

        pub(crate) fn calls(&self) -> usize {
            self.calls.load(Ordering::SeqCst)
        }

        fn count(&self) -> io::Result<()> {
            if self.calls.fetch_add(1, Ordering::SeqCst) == self.nth {
                return Err(io::Error::other("injected sync failure"));
            }
            Ok(())
        }
    }

    impl Syncs for FailNth {
        fn data(&self, file: &File) -> io::Result<()> {
            self.count()?;
            KernelSyncs.data(file)
        }

        fn all(&self, file: &File) -> io::Result<()> {
            self.count()?;
            KernelSyncs.all(file)
        }
    }
}
