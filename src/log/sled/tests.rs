//! What an ordinary life of a ledger's folder looks like, and what is refused.

use super::*;
use crate::effects::syncs;
use crate::log::samples::Author;

pub(super) fn identity(author: &Author) -> Identity {
    Identity { public_key: author.public_key, nonce: author.nonce }
}

/// A new ledger in `dir` with one batch of one event.
pub(super) fn init(dir: &Path, author: &mut Author) -> SledLog {
    let (batch, frontier) = author.batch(1);
    SledLog::init(dir, &identity(author), &batch, &frontier, &OpenOptions::default()).unwrap()
}

pub(super) fn append(log: &mut SledLog, author: &mut Author, count: usize) {
    let size = author.size();
    let (batch, frontier) = author.batch(count);
    log.append(size, &batch, &frontier).unwrap();
}

pub(super) fn open(dir: &Path) -> Result<SledLog, OpenError> {
    SledLog::open(dir, &OpenOptions::default())
}

pub(super) fn all(log: &impl ReadLog) -> Vec<Batch> {
    log.read(0..u64::MAX).collect::<Result<_, _>>().unwrap()
}

/// Every byte below `dir`, by path.
fn bytes_of(dir: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(bytes_of(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    // The lock file's content is a message about whoever opened last, refused or not.
    found.remove(&dir.join("lock"));
    found
}

/// A closed ledger of three batches (1, 40 and 3 events), its folder in a temporary one.
struct Closed {
    _home: tempfile::TempDir,
    dir: PathBuf,
    author: Author,
}

fn closed(seed: u8) -> Closed {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let mut author = Author::new(seed);
    let mut log = init(&dir, &mut author);
    append(&mut log, &mut author, 40);
    append(&mut log, &mut author, 3);
    Closed { _home: home, dir, author }
}

impl Closed {
    fn db(&self) -> PathBuf {
        self.dir.join("sled/db")
    }

    /// Opens, expects a refusal, and that it left every byte as it was.
    fn refused(&self) -> OpenError {
        let before = bytes_of(&self.dir);
        let error = open(&self.dir).unwrap_err();
        assert!(bytes_of(&self.dir) == before, "a refused store was changed: {error}");
        error
    }
}

fn size(head: &ledger_format::head::TreeHead) -> u64 {
    head.size
}

#[test]
fn a_store_without_its_parts_is_missing() {
    for part in ["LEDGER", "HEAD", "sled/db", "sled"] {
        let ledger = closed(1);
        let path = ledger.dir.join(part);
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap();
        match ledger.refused() {
            OpenError::Missing { path: named, anchored } => {
                assert!(named.starts_with(&path), "{part}: {}", named.display());
                assert_eq!(anchored.is_some(), part.starts_with("sled"), "{part}");
            }
            other => panic!("{part}: {other}"),
        }
    }
    let nowhere = tempfile::tempdir().unwrap().path().join("nothing");
    assert!(matches!(open(&nowhere), Err(OpenError::Missing { .. })));
    assert!(!nowhere.exists());
}

#[test]
fn an_emptied_or_truncated_store_has_regressed_and_is_salvaged() {
    let ledger = closed(1);
    let whole = fs::read(ledger.db()).unwrap();
    for keep in [0, 1, 20, 4_096, 9_000] {
        fs::write(ledger.db(), &whole[..keep]).unwrap();
        match ledger.refused() {
            OpenError::Regressed { anchored, stored, .. } => {
                assert_eq!(size(&anchored), 44);
                assert!(stored.is_none_or(|head| head.size < 44), "{keep}");
            }
            OpenError::Damaged { anchored, .. } => assert_eq!(size(&anchored.unwrap()), 44),
            other => panic!("{keep}: {other}"),
        }
        let salvaged = SalvagedLog::read_raw(&ledger.dir, &OpenOptions::default()).unwrap();
        assert!(salvaged.salvage().size < 44, "{keep}");
    }
}

#[test]
fn an_older_store_under_a_newer_anchor_has_regressed() {
    let mut ledger = closed(1);
    let older = tempfile::tempdir().unwrap();
    folder::copy_store(&ledger.dir.join("sled"), &older.path().join("sled"), &syncs::NoSync)
        .unwrap();
    append(&mut open(&ledger.dir).unwrap(), &mut ledger.author, 5);
    fs::remove_dir_all(ledger.dir.join("sled")).unwrap();
    fs::rename(older.path().join("sled"), ledger.dir.join("sled")).unwrap();
    match ledger.refused() {
        OpenError::Regressed { anchored, stored: Some(stored), .. } => {
            assert_eq!((size(&anchored), size(&stored)), (49, 44));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn another_ledgers_parts_are_foreign_and_another_history_is_forked() {
    let (ledger, other) = (closed(1), closed(2));
    fs::remove_dir_all(ledger.dir.join("sled")).unwrap();
    fs::rename(other.dir.join("sled"), ledger.dir.join("sled")).unwrap();
    match ledger.refused() {
        OpenError::Foreign { expected, found, .. } => {
            assert_eq!((expected, found.ledger), (ledger.author.ledger(), other.author.ledger()));
        }
        error => panic!("{error}"),
    }
    fs::copy(other.dir.join("HEAD"), ledger.dir.join("HEAD")).unwrap();
    assert!(matches!(ledger.refused(), OpenError::Foreign { .. }));

    // The same ledger twice, with batches of other sizes.
    let (ledger, mut twin) = (closed(1), Author::new(1));
    let home = tempfile::tempdir().unwrap();
    let mut log = init(&home.path().join("twin"), &mut twin);
    append(&mut log, &mut twin, 60);
    drop(log);
    fs::remove_dir_all(ledger.dir.join("sled")).unwrap();
    fs::rename(home.path().join("twin/sled"), ledger.dir.join("sled")).unwrap();
    match ledger.refused() {
        OpenError::Forked { anchored, stored, .. } => {
            assert_eq!((size(&anchored), size(&stored)), (44, 61));
        }
        error => panic!("{error}"),
    }
}

#[test]
fn a_flipped_byte_of_the_store_is_never_read_as_another_history() {
    let ledger = closed(1);
    let whole = fs::read(ledger.db()).unwrap();
    let expected = all(&open(&ledger.dir).unwrap());
    let fresh = bytes_of(&ledger.dir);
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let (mut refused, mut unharmed) = (0, 0);
    for at in (0..=used).step_by(used / 97) {
        for (path, bytes) in &fresh {
            fs::write(path, bytes).unwrap();
        }
        let mut bent = fresh[&ledger.db()].clone();
        bent[at] ^= 0x10;
        fs::write(ledger.db(), &bent).unwrap();
        let read = match open(&ledger.dir) {
            Ok(log) => log.read(0..u64::MAX).collect::<Result<Vec<_>, _>>().ok(),
            Err(error) => {
                assert!(fs::read(ledger.db()).unwrap() == bent, "byte {at} was refused: {error}");
                None
            }
        };
        match read {
            Some(read) if read == expected => unharmed += 1,
            Some(_) => panic!("byte {at}: another history"),
            None => refused += 1,
        }
    }
    assert!(refused > 10, "{refused} refused, {unharmed} unharmed");
}

#[test]
fn salvage_finds_everything_in_a_sound_store_and_stops_at_a_bad_event() {
    let mut ledger = closed(1);
    append(&mut open(&ledger.dir).unwrap(), &mut ledger.author, 1_000);
    let expected = all(&open(&ledger.dir).unwrap());
    let options = OpenOptions::default();
    let salvaged = SalvagedLog::read_raw(&ledger.dir, &options).unwrap();
    assert_eq!(salvaged.salvage().size, 1_044);
    assert_eq!(salvaged.salvage().head.as_ref(), Some(expected[3].head.head()));
    assert!(all(&salvaged) == expected);
    let firsts = |seqs: Range<u64>| -> Vec<u64> {
        salvaged.read(seqs).map(|batch| batch.unwrap().first_seq).collect()
    };
    assert_eq!((firsts(0..1), firsts(40..42), firsts(44..45)), (vec![0], vec![1, 41], vec![44]));
    assert_eq!((firsts(3..3), firsts(2_000..3_000)), (vec![], vec![]));
    drop(salvaged);

    // One byte of event 500 changes, wherever a copy of it lies.
    let mut raw = fs::read(ledger.db()).unwrap();
    let event = &expected[3].events[456];
    let places: Vec<usize> =
        (0..raw.len() - event.len()).filter(|at| raw[*at..].starts_with(event)).collect();
    for at in places {
        raw[at + 10] ^= 1;
    }
    fs::write(ledger.db(), &raw).unwrap();
    let salvaged = SalvagedLog::read_raw(&ledger.dir, &options).unwrap();
    let report = salvaged.salvage();
    assert_eq!((report.size, report.head.unwrap().size), (500, 44));
    assert_eq!(report.last, EventId::of(&expected[3].events[455]));
    assert!(report.reason.starts_with("event 500: "), "{}", report.reason);
    assert_eq!(report.newest_seen.unwrap().size, 1_044);
    assert!(all(&salvaged) == expected[..3]);
}

#[test]
fn a_torn_newest_slot_leaves_a_tail_that_is_accepted_once() {
    let mut ledger = closed(1);
    let path = ledger.dir.join("HEAD");
    let slots = fs::read(&path).unwrap();
    let newest = if slots[15] > slots[4_096 + 15] { 0 } else { 4_096 };
    let mut torn = slots;
    torn[newest + 600] ^= 1;
    fs::write(&path, &torn).unwrap();
    let mut log = open(&ledger.dir).unwrap();
    match log.relation() {
        Relation::TailBeyondAnchor { anchored } => assert_eq!(anchored.head.head().size, 41),
        Relation::Settled => panic!("settled"),
    }
    assert_eq!(log.anchor_fault().unwrap().slot, newest as u64 / 4_096);
    let (batch, frontier) = ledger.author.batch(1);
    match log.append(44, &batch, &frontier) {
        Err(AppendError::Unsettled { anchored: 41, stored: 44 }) => {}
        other => panic!("{other:?}"),
    }
    log.accept_tail().unwrap();
    log.append(44, &batch, &frontier).unwrap();
    drop(log);
    let log = open(&ledger.dir).unwrap();
    assert_eq!((log.relation(), log.anchor_fault()), (Relation::Settled, None));
    assert_eq!(log.tip().unwrap().unwrap().size(), 45);
}

#[test]
fn a_second_opening_is_busy_and_names_the_process() {
    let ledger = closed(1);
    let first = open(&ledger.dir).unwrap();
    let own = Some(std::process::id());
    for error in [
        open(&ledger.dir).unwrap_err(),
        copy_for_reading(&ledger.dir, &ledger.dir.join("../copy"), &OpenOptions::default())
            .unwrap_err(),
    ] {
        assert!(matches!(error, OpenError::Busy { pid, .. } if pid == own), "{error}");
    }
    assert_eq!(read_anchor(&ledger.dir).unwrap().anchor.head.head().size, 44);
    drop(first);
    open(&ledger.dir).unwrap();
}

#[test]
fn a_copy_for_reading_changes_nothing_and_reads_the_same() {
    let ledger = closed(1);
    let before = bytes_of(&ledger.dir);
    let into = ledger.dir.join("../copy");
    copy_for_reading(&ledger.dir, &into, &OpenOptions::default()).unwrap();
    let copied = all(&open(&into).unwrap());
    assert!(bytes_of(&ledger.dir) == before);
    assert!(copied == all(&open(&ledger.dir).unwrap()));
}

#[test]
fn a_failed_sync_poisons_the_handle_and_the_store_is_renewed() {
    let ledger = closed(1);
    let mut nth = 0;
    loop {
        let mut author = ledger.author.clone();
        let dir = ledger.dir.join(format!("../try-{nth}"));
        copy_for_reading(&ledger.dir, &dir, &OpenOptions::default()).unwrap();
        let failing = Arc::new(syncs::failing::FailNth::new(nth));
        let syncs: Arc<dyn Syncs> = failing.clone();
        let options = OpenOptions { syncs, ..OpenOptions::default() };
        let acknowledged = match SledLog::open(&dir, &options) {
            Err(OpenError::Io { .. }) => false,
            Err(error) => panic!("{error}"),
            Ok(mut log) => {
                let (batch, frontier) = author.batch(2);
                let first = log.append(44, &batch, &frontier);
                if first.is_err() {
                    assert!(matches!(first, Err(AppendError::InDoubt { .. })), "{first:?}");
                    let again = log.append(44, &batch, &frontier);
                    assert!(matches!(again, Err(AppendError::Poisoned { .. })), "{again:?}");
                }
                first.is_ok()
            }
        };
        assert_eq!(dir.join("POISONED").exists(), failing.calls() > nth);
        let mut log = open(&dir).unwrap();
        assert!(!dir.join("POISONED").exists() && !dir.join("sled.replaced").exists());
        log.accept_tail().unwrap();
        let size = log.tip().unwrap().unwrap().size();
        assert!(size == 46 || (size == 44 && !acknowledged), "{nth}: {size}");
        if failing.calls() <= nth {
            assert!(nth >= 5, "{nth} calls on opening and appending");
            return;
        }
        nth += 1;
    }
}

#[test]
fn renewing_goes_on_after_being_cut_short_between_any_two_renames() {
    for renames in 0..=2 {
        let ledger = closed(1);
        let folder = Folder::new(&ledger.dir);
        fs::write(folder.poisoned(), "").unwrap();
        folder::copy_store(&folder.store(), &folder.fresh_store(), &syncs::NoSync).unwrap();
        if renames > 0 {
            fs::rename(folder.store(), folder.replaced_store()).unwrap();
        }
        if renames > 1 {
            fs::rename(folder.fresh_store(), folder.store()).unwrap();
        }
        let log = open(&ledger.dir).unwrap();
        assert_eq!(all(&log).len(), 3);
        for gone in [folder.poisoned(), folder.fresh_store(), folder.replaced_store()] {
            assert!(!gone.exists(), "{renames}: {}", gone.display());
        }
    }
}

#[test]
fn a_sync_that_fails_while_renewing_leaves_the_marker_and_the_store() {
    for nth in 0..40 {
        let ledger = closed(1);
        fs::write(ledger.dir.join("POISONED"), "").unwrap();
        let failing = Arc::new(syncs::failing::FailNth::new(nth));
        let syncs: Arc<dyn Syncs> = failing.clone();
        let result = SledLog::open(&ledger.dir, &OpenOptions { syncs, ..OpenOptions::default() });
        if failing.calls() <= nth {
            assert!(result.is_ok() && nth > 10, "{nth}");
            return;
        }
        assert!(matches!(result, Err(OpenError::Io { .. })), "{nth}");
        assert_eq!(all(&open(&ledger.dir).unwrap()).len(), 3);
    }
    panic!("no end of syncs");
}

#[test]
fn a_half_written_snapshot_does_not_keep_a_ledger_shut() {
    let ledger = closed(1);
    fs::write(ledger.dir.join("sled/snap.FFFFFFFFFFFFFFFF.generating"), b"half").unwrap();
    assert_eq!(all(&open(&ledger.dir).unwrap()).len(), 3);
}

#[test]
fn a_ledger_is_created_once_and_only_from_a_possible_batch() {
    let ledger = closed(1);
    let mut author = Author::new(1);
    let identity = identity(&author);
    let (batch, frontier) = author.batch(1);
    let options = OpenOptions::default();
    let again = SledLog::init(&ledger.dir, &identity, &batch, &frontier, &options);
    assert!(matches!(again, Err(OpenError::Exists { .. })));
    let home = tempfile::tempdir().unwrap();
    let (later, frontier) = author.batch(1);
    let bad = SledLog::init(&home.path().join("x"), &identity, &later, &frontier, &options);
    assert!(matches!(bad, Err(OpenError::Impossible(_))));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn nothing_remains_of_a_creation_whose_sync_failed() {
    for nth in 0..40 {
        let home = tempfile::tempdir().unwrap();
        let mut author = Author::new(1);
        let identity = identity(&author);
        let (batch, frontier) = author.batch(1);
        let failing = Arc::new(syncs::failing::FailNth::new(nth));
        let syncs: Arc<dyn Syncs> = failing.clone();
        let options = OpenOptions { syncs, ..OpenOptions::default() };
        let dir = home.path().join("ledger");
        let result = SledLog::init(&dir, &identity, &batch, &frontier, &options);
        if failing.calls() <= nth {
            assert!(result.is_ok() && nth > 8, "{nth}");
            return;
        }
        assert!(result.is_err());
        let left = fs::read_dir(home.path()).unwrap().count();
        assert!(left == 0 || open(&dir).is_ok(), "{nth}");
    }
    panic!("no end of syncs");
}

#[test]
fn full_frames_never_go_into_files_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("store");
    let mut author = Author::new(1);
    let store = Store::open(&dir, author.ledger(), CACHE_BYTES_DEFAULT).unwrap();
    for _ in 0..20 {
        let (mut batch, frontier) = author.batch(100);
        // Not events, but as long as events may be, so that every frame is as full as can be.
        for event in &mut batch.events {
            *event = vec![0xab; 3_044];
        }
        store.write(&batch, &frontier).unwrap();
    }
    assert!(!Store::has_blobs(&dir).unwrap());
}

#[test]
fn readers_side_by_side_keep_a_writer_out_and_have_no_name() {
    let ledger = closed(1);
    let options = OpenOptions::default();
    let first = SalvagedLog::read_raw(&ledger.dir, &options).unwrap();
    let second = SalvagedLog::read_raw(&ledger.dir, &options).unwrap();
    match open(&ledger.dir) {
        Err(OpenError::Busy { pid: None, .. }) => {}
        other => panic!("{other:?}"),
    }
    drop((first, second));
    open(&ledger.dir).unwrap();
}
