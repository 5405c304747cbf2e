//! What a failing disk, another user or a second copy once made go wrong, each on its own.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};

use glyph_ledger::diagnostic::{self, Failure};
use glyph_ledger::ledger::{AppendError, Ledger};
use glyph_ledger::migrate::Silent;

use crate::faults_append::append;
use crate::job_scene::{Scene, migrate};
use crate::support::not_shown;

/// Whom nobody is.
const STRANGER: u32 = 54_321;

#[test]
fn a_manifest_that_is_replaced_keeps_its_owner() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let manifest = scene.layout().manifest();
    if chown(&manifest, Some(STRANGER), Some(STRANGER)).is_err() {
        not_shown("whose a replaced manifest is", "only root gives files away");
        return;
    }
    let before = fs::metadata(&manifest).unwrap();
    migrate(&mut scene.open().unwrap(), "2", &mut Silent).unwrap();
    let after = fs::metadata(&manifest).unwrap();
    assert_ne!(after.ino(), before.ino(), "it was not replaced");
    assert_eq!((after.uid(), after.gid()), (STRANGER, STRANGER));
}

#[test]
fn a_copy_that_is_behind_what_is_remembered_takes_nothing_in() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(&home.path().join("one"));
    let copy = scene.copy_to(&home.path().join("two"));
    let (dir, surroundings) = (copy.layout().ledger(), scene.open_store().surroundings);
    let mut behind = Ledger::open(&dir, &dir, surroundings).unwrap();
    append(&mut scene.open_ledger()).unwrap();
    let size = behind.state().size();
    let refused = append(&mut behind).unwrap_err();
    assert_eq!(refused.code.id, diagnostic::LEDGER_REGRESSED.id, "{refused}");
    assert_eq!(behind.state().size(), size);
    let pinned = Box::new(*scene.open_ledger().head().head());
    let expected = Failure::from(AppendError::Behind { pinned, size });
    assert_eq!(refused.message, expected.message);
    drop(behind);
    // Nor does the copy's log hold what was refused.
    assert_eq!(copy.open_ledger().state().size(), size);
}
