//! Replay to a cursor, the store put on disk again, and the live store compared.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use glyph_ledger::objects::MemoryObjects;
use glyph_ledger::replay::{MaterialiseError, Replay, ReplayError, materialise, replay};
use glyph_ledger::verify::{Change, Live, audit_text, compare_live};
use ledger_format::body::ObjectState;
use ledger_format::hash::ContentHash;
use projections::State;

use crate::history::{AUDIT, DATABASE, History, MANIFEST};
use crate::support::{Folder, Kept, key};

fn folder() -> (Folder, MemoryObjects) {
    let mut history = History::new(4, key(1).verifying_key().to_bytes(), Kept::new());
    let folder = Folder::create(&mut history, &[5, 30, 30, 25]);
    (folder, history.matter.objects)
}

#[test]
fn replay_folds_what_the_ledger_folded() {
    let (folder, _) = folder();
    let ledger = folder.open();
    for size in [1, 7, 40, ledger.state().size()] {
        let replayed = replay(&ledger, size).unwrap();
        assert_eq!(replayed.digests(), ledger.state_at(size).unwrap().digests());
        assert_eq!(replayed.head().size, size);
    }
    let replayed = replay(&ledger, ledger.state().size()).unwrap();
    assert_eq!(replayed.head(), *ledger.head().head());
    assert_eq!(replayed.values(&State::NAMES).unwrap().len(), State::NAMES.len());
    assert!(matches!(replayed.values(&["stores"]), Err(ReplayError::Unknown { .. })));
    let size = ledger.state().size() + 1;
    assert!(matches!(replay(&ledger, size), Err(ReplayError::Short { .. })));
}

#[test]
fn l4_replay_restores_the_store_as_it_was() {
    let (folder, objects) = folder();
    let ledger = folder.open();
    let mut made = 0;
    for size in (5..=ledger.state().size()).step_by(9) {
        let replayed = replay(&ledger, size).unwrap();
        let out = folder.root.path().join(format!("at-{size}"));
        let written = materialise(&replayed, &objects, &out).unwrap();
        assert_eq!(written.objects, [AUDIT, MANIFEST, DATABASE]);
        let store = replayed.state.store();
        let ObjectState::Document { content, mode, .. } = &store.objects[MANIFEST] else {
            panic!()
        };
        let manifest = out.join(MANIFEST);
        assert_eq!(ContentHash::of(&fs::read(&manifest).unwrap()), *content);
        assert_eq!(fs::metadata(&manifest).unwrap().permissions().mode() & 0o777, *mode);
        if !store.pending_publish {
            let live = compare(&replayed, &out, &objects);
            assert_eq!(live, Live::Matches, "cursor {size}");
            made += 1;
        }
        let names: Vec<_> =
            fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(matches!(
            materialise(&replayed, &objects, &out),
            Err(MaterialiseError::Exists { .. })
        ));
    }
    assert!(made > 3);
}

fn compare(replayed: &Replay, root: &std::path::Path, objects: &MemoryObjects) -> Live {
    let store = replayed.state.store();
    compare_live(store, &replayed.audit, root, Some(objects), Duration::ZERO).unwrap()
}

#[test]
fn nothing_is_left_when_an_object_is_missing() {
    let (folder, mut objects) = folder();
    let ledger = folder.open();
    let replayed = replay(&ledger, ledger.state().size()).unwrap();
    let ObjectState::Document { content, .. } = replayed.state.store().objects[MANIFEST] else {
        panic!()
    };
    objects.remove(&content);
    let out = folder.root.path().join("out");
    let before = fs::read_dir(folder.root.path()).unwrap().count();
    assert!(matches!(materialise(&replayed, &objects, &out), Err(MaterialiseError::Object { .. })));
    assert_eq!(fs::read_dir(folder.root.path()).unwrap().count(), before);
    let nothing = replay(&ledger, 1).unwrap();
    assert!(matches!(materialise(&nothing, &objects, &out), Err(MaterialiseError::NoStore)));
}

#[test]
fn every_kind_of_difference_of_the_live_store_is_named() {
    let (folder, objects) = folder();
    let ledger = folder.open();
    let sizes = 5..=ledger.state().size();
    let settled = |size: &u64| !replay(&ledger, *size).unwrap().state.store().pending_publish;
    let replayed = replay(&ledger, sizes.rev().find(settled).unwrap()).unwrap();
    let audit = audit_text(&replayed.audit, AUDIT, &objects).unwrap();
    let lines = audit.split(|byte| *byte == b'\n').count();
    assert!(lines > 3);
    let store = folder.root.path().join("store");
    let differing = |change: &dyn Fn()| {
        materialise(&replayed, &objects, &store).unwrap();
        change();
        let live = compare(&replayed, &store, &objects);
        fs::remove_dir_all(&store).unwrap();
        match live {
            Live::Differs(differences) if differences.len() == 1 => differences[0].clone(),
            live => panic!("{live:?}"),
        }
    };
    let audit_path = store.join(AUDIT);
    let write = |text: &[u8]| fs::write(&audit_path, text).unwrap();
    let mut line = 1;
    for at in 0..audit.len() {
        let mut bent = audit.clone();
        bent[at] ^= 1;
        let found = differing(&|| write(&bent));
        assert_eq!((found.object.as_str(), found.change), (AUDIT, Change::Line { line }));
        line += u64::from(audit[at] == b'\n');
        if line > 3 {
            break;
        }
    }
    let found = differing(&|| write(&audit[..10]));
    assert_eq!(found.change, Change::Shorter { expected: audit.len() as u64, actual: 10 });
    assert_eq!(found.change.code().unwrap().id, "AUDIT_CHANGED");
    let grown = [audit.as_slice(), b"{}\n"].concat();
    assert_eq!(differing(&|| write(&grown)).change, Change::Grown { bytes: 3 });
    let found = differing(&|| fs::remove_file(&audit_path).unwrap());
    assert_eq!(found.change, Change::Missing);

    let manifest = store.join(MANIFEST);
    let found = differing(&|| fs::write(&manifest, "other").unwrap());
    assert!(matches!(found.change, Change::Bytes { .. }));
    let mode = fs::Permissions::from_mode(0o600);
    let found = differing(&|| fs::set_permissions(&manifest, mode.clone()).unwrap());
    assert_eq!(found.change, Change::Mode { expected: 0o640, actual: 0o600 });

    let sql = |text: &str| {
        rusqlite::Connection::open(store.join(DATABASE)).unwrap().execute_batch(text).unwrap();
    };
    let found = differing(&|| sql("INSERT INTO t VALUES ('new')"));
    assert!(matches!(found.change, Change::Rows { .. }));
    assert_eq!(found.change.code(), None);
    let found = differing(&|| sql("CREATE TABLE u(x)"));
    assert!(matches!(found.change, Change::Schema { .. }));
    let found = differing(&|| fs::write(store.join(DATABASE), "no database").unwrap());
    assert!(matches!(found.change, Change::Unreadable { .. }), "{:?}", found.change);
}

#[test]
fn without_the_objects_a_changed_audit_file_is_found_and_no_line_named() {
    let (folder, objects) = folder();
    let ledger = folder.open();
    let replayed = replay(&ledger, 5).unwrap();
    let out = folder.root.path().join("out");
    materialise(&replayed, &objects, &out).unwrap();
    let mut bytes = fs::read(out.join(AUDIT)).unwrap();
    bytes[3] ^= 1;
    fs::write(out.join(AUDIT), &bytes).unwrap();
    let store = replayed.state.store();
    let live = compare_live(store, &replayed.audit, &out, None, Duration::ZERO).unwrap();
    let Live::Differs(differences) = live else { panic!("{live:?}") };
    assert!(matches!(differences[0].change, Change::Earlier { .. }));
}
