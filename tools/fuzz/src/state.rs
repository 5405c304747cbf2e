//! Readers of what a ledger keeps for itself: the state cache beside it, and page trees among its objects.

use glyph_ledger::objects::{MemoryObjects, Objects, ObjectsError};
use glyph_ledger::target::sqlite::image;
use ledger_format::hash::{CommitHash, ContentHash};
use projections::State;

use crate::seeds;

pub(crate) fn cache(input: &[u8]) {
    // Names in a set may stand in any order there: only the state that comes of it is held against a signed digest.
    let Some(state) = State::from_cache(input) else { return };
    assert_eq!(state.digests().len(), State::NAMES.len());
    let _head = state.chain().head();
    let written = state.to_cache();
    let again = State::from_cache(&written).expect("what was written can be read");
    assert_eq!(again.digest(), state.digest());
    assert_eq!(again.to_cache(), written);
}

/// The input is the root object; the runs below it are those of the seeds.
pub(crate) fn image(input: &[u8]) {
    let objects = RootOver { root: input, below: seeds::image_objects() };
    let root = CommitHash::from_bytes(*ContentHash::of(input).as_bytes());
    if let Ok(tree) = image::load(&root, &objects) {
        assert_eq!(tree.root(), root, "loaded, and it is another tree");
        assert!(tree.diff(&tree).is_empty());
    }
}

/// One object more than there is.
struct RootOver<'a> {
    root: &'a [u8],
    below: &'a MemoryObjects,
}

impl Objects for RootOver<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<ContentHash, ObjectsError> {
        Ok(ContentHash::of(bytes))
    }

    fn get(&self, name: &ContentHash) -> Result<Vec<u8>, ObjectsError> {
        if ContentHash::of(self.root) == *name {
            Ok(self.root.to_vec())
        } else {
            self.below.get(name)
        }
    }

    fn contains(&self, name: &ContentHash) -> bool {
        self.get(name).is_ok()
    }

    fn sync(&mut self) -> Result<(), ObjectsError> {
        Ok(())
    }
}
