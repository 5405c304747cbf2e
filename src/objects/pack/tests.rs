//! Packs as they grow, are cut off, are damaged and are opened again.

use super::*;
use crate::effects::syncs::failing::FailNth;

struct Home {
    _home: tempfile::TempDir,
    dir: PathBuf,
}

/// A folder with `count` synced objects.
fn filled(count: u32) -> Home {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("objects");
    let mut objects = PackObjects::create(&dir).unwrap();
    for number in 0..count {
        objects.put(&object(number)).unwrap();
    }
    drop(objects);
    Home { _home: home, dir }
}

fn object(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(1 + number as usize % 300)
}

fn name(number: u32) -> ContentHash {
    ContentHash::of(&object(number))
}

fn has_all(objects: &PackObjects, count: u32) -> bool {
    (0..count).all(|number| objects.get(&name(number)).is_ok_and(|got| got == object(number)))
}

#[test]
fn objects_come_back_from_buffer_pack_and_index() {
    let home = filled(0);
    let mut objects = PackObjects::open(&home.dir).unwrap();
    for number in 0..3_000 {
        objects.put(&object(number)).unwrap();
        assert_eq!(objects.get(&name(number)).unwrap(), object(number));
    }
    assert!(has_all(&objects, 3_000));
    assert_eq!(objects.len(), 3_000);
    let sizes: Vec<u64> = objects.names().into_iter().map(|(_, length)| length).collect();
    assert!((0..3_000).map(|number| object(number).len() as u64).eq(sizes));
    drop(objects);
    let bytes = fs::metadata(home.dir.join("00000000.pack")).unwrap().len();
    let mut objects = PackObjects::open(&home.dir).unwrap();
    assert!(has_all(&objects, 3_000));
    objects.put(&object(7)).unwrap();
    drop(objects);
    assert_eq!(fs::metadata(home.dir.join("00000000.pack")).unwrap().len(), bytes, "kept twice");
}

#[test]
fn the_index_is_made_again_when_it_is_missing_damaged_or_behind() {
    let home = filled(500);
    let index = home.dir.join("index");
    let whole = fs::read(&index).unwrap();
    let early = {
        let few = filled(100);
        fs::read(few.dir.join("index")).unwrap()
    };
    let mut bent = whole.clone();
    bent[3_000] ^= 1;
    for bytes in [b"".to_vec(), bent, early, whole[..2_000].to_vec()] {
        fs::write(&index, &bytes).unwrap();
        assert!(has_all(&PackObjects::open_read_only(&home.dir).unwrap(), 500));
        assert_eq!(fs::read(&index).unwrap(), bytes, "reading wrote the index");
    }
    fs::remove_file(&index).unwrap();
    assert!(has_all(&PackObjects::open(&home.dir).unwrap(), 500));
    assert_eq!(fs::read(&index).unwrap().len(), whole.len());
}

#[test]
fn a_torn_tail_is_cut_off_by_the_writer_and_skipped_by_readers() {
    let home = filled(300);
    let pack = home.dir.join("00000000.pack");
    let whole = fs::read(&pack).unwrap();
    let mut record = MAGIC.to_vec();
    record.extend_from_slice(name(300).as_bytes());
    record.extend_from_slice(&u32::try_from(object(300).len()).unwrap().to_be_bytes());
    record.extend_from_slice(&object(300));
    // Cut off anywhere, or of full length with bytes that never reached the disk.
    let mut hollow = record.clone();
    hollow[HEADER_BYTES..].fill(0);
    for tail in [&record[..1], &record[..20], &record[..HEADER_BYTES], &hollow] {
        fs::write(&pack, [&whole, tail].concat()).unwrap();
        assert!(has_all(&PackObjects::open_read_only(&home.dir).unwrap(), 300));
        let mut objects = PackObjects::open(&home.dir).unwrap();
        assert_eq!(fs::metadata(&pack).unwrap().len(), whole.len() as u64);
        assert!(has_all(&objects, 300) && !objects.contains(&name(300)));
        objects.put(&object(300)).unwrap();
        drop(objects);
        assert!(has_all(&PackObjects::open(&home.dir).unwrap(), 301));
        fs::write(&pack, &whole).unwrap();
        fs::remove_file(home.dir.join("index")).unwrap();
        drop(PackObjects::open(&home.dir).unwrap());
    }
}

#[test]
fn a_damaged_record_is_named_and_costs_no_other() {
    let home = filled(300);
    let pack = home.dir.join("00000000.pack");
    let whole = fs::read(&pack).unwrap();
    let at = |number: u32| -> usize {
        (0..number).map(|earlier| HEADER_BYTES + object(earlier).len()).sum()
    };
    // In the magic, the name, the length, the bytes of object 150.
    for (inside, keep_index) in
        [(3, true), (20, true), (41, true), (60, true), (3, false), (41, false), (60, false)]
    {
        let mut bent = whole.clone();
        bent[at(150) + inside] ^= 1;
        fs::write(&pack, &bent).unwrap();
        if !keep_index {
            fs::remove_file(home.dir.join("index")).unwrap();
        }
        let objects = PackObjects::open_read_only(&home.dir).unwrap();
        for number in (0..300).filter(|number| *number != 150) {
            assert_eq!(objects.get(&name(number)).unwrap(), object(number), "{inside}: {number}");
        }
        match objects.get(&name(150)) {
            Ok(_) => assert!(keep_index && inside < HEADER_BYTES, "{inside}"),
            Err(
                ObjectsError::Corrupt { name: named, .. } | ObjectsError::Missing { name: named },
            ) => {
                assert_eq!(named, name(150));
            }
            Err(other) => panic!("{other}"),
        }
        drop(PackObjects::open(&home.dir).unwrap());
        assert_eq!(fs::read(&pack).unwrap(), bent, "{inside}: synced bytes were changed");
        fs::write(&pack, &whole).unwrap();
        fs::remove_file(home.dir.join("index")).unwrap();
        drop(PackObjects::open(&home.dir).unwrap());
    }
}

#[test]
fn there_is_one_writer_and_readers_write_nothing() {
    let home = filled(3);
    let writer = PackObjects::open(&home.dir).unwrap();
    match PackObjects::open(&home.dir) {
        Err(ObjectsError::Io { source, .. }) => {
            assert_eq!(source.kind(), io::ErrorKind::WouldBlock);
        }
        other => panic!("{other:?}"),
    }
    let mut reader = PackObjects::open_read_only(&home.dir).unwrap();
    assert!(has_all(&reader, 3));
    assert!(reader.put(&object(9)).is_err() && reader.sync().is_err());
    drop(writer);
    assert!(PackObjects::open(&home.dir.join("nothing")).is_err());
    assert!(PackObjects::open_read_only(&home.dir.join("nothing")).is_err());
}

#[test]
fn a_failed_sync_poisons_the_writer_until_the_pack_is_written_anew() {
    for nth in 0..2 {
        let home = filled(0);
        let failing = Arc::new(FailNth::new(nth));
        let mut objects = PackObjects::open_with(&home.dir, failing).unwrap();
        objects.put(&object(1)).unwrap();
        assert!(objects.sync().is_err());
        assert!(objects.sync().is_err() && objects.put(&object(2)).is_err());
        drop(objects);
        assert!(home.dir.join("POISONED").exists());
        let mut objects = PackObjects::open(&home.dir).unwrap();
        assert!(!home.dir.join("POISONED").exists());
        assert_eq!(objects.get(&name(1)).unwrap(), object(1));
        objects.put(&object(2)).unwrap();
        objects.sync().unwrap();
    }
}

#[test]
fn an_object_beyond_the_limit_is_refused_and_full_packs_are_followed_by_new_ones() {
    let home = filled(0);
    let mut objects = PackObjects::open(&home.dir).unwrap();
    let mut large = vec![0; OBJECT_BYTES_MAX + 1];
    assert!(matches!(objects.put(&large), Err(ObjectsError::TooLarge { .. })));
    large.pop();
    let names: Vec<ContentHash> = (0..5)
        .map(|number| {
            large[0] = number;
            objects.put(&large).unwrap()
        })
        .collect();
    assert_eq!(objects.packs.len(), 2);
    drop(objects);
    let objects = PackObjects::open(&home.dir).unwrap();
    for (number, name) in (0..).zip(names) {
        large[0] = number;
        assert!(objects.get(&name).unwrap() == large);
    }
}

#[test]
fn an_index_that_points_outside_of_the_packs_is_passed_over() {
    let home = filled(3);
    let path = home.dir.join("index");
    let lengths = [fs::metadata(home.dir.join("00000000.pack")).unwrap().len()];
    let index = index::Index::load(&path, &lengths).unwrap();
    for bent in [
        Place { pack: 0, offset: HEADER_BYTES as u64, length: u32::MAX },
        Place { pack: 0, offset: u64::MAX, length: 1 },
        Place { pack: 1, offset: 0, length: 0 },
    ] {
        let mut places = index.places.clone();
        places.insert(name(2), bent);
        index::Index { scanned: index.scanned.clone(), places }.save(&path).unwrap();
        assert_eq!(index::Index::load(&path, &lengths), None);
        let objects = PackObjects::open_read_only(&home.dir).unwrap();
        assert_eq!(objects.get(&name(2)).unwrap(), object(2), "found by looking");
    }
}

#[test]
fn a_damaged_record_never_swallows_the_ones_behind_it() {
    let whole = filled(3);
    let pack = fs::read(whole.dir.join("00000000.pack")).unwrap();
    // Behind bytes that are none, the header of a record that claims to reach to the end, or to the next but one.
    for swallowed in [pack.len(), HEADER_BYTES + object(0).len()] {
        let home = filled(0);
        let length = u32::try_from(swallowed).unwrap();
        let forged = [b"?".as_slice(), &scan::encode_header(&name(9), length), &pack].concat();
        fs::write(home.dir.join("00000000.pack"), forged).unwrap();
        let _gone = fs::remove_file(home.dir.join("index"));
        assert!(has_all(&PackObjects::open_read_only(&home.dir).unwrap(), 3), "{swallowed}");
        assert!(has_all(&PackObjects::open(&home.dir).unwrap(), 3), "{swallowed}");
    }
}

#[test]
fn what_is_pruned_is_gone_and_nothing_else_is() {
    let home = filled(300);
    let gone = |number: u32| number.is_multiple_of(3);
    let names = (0..300).filter(|number| gone(*number)).map(name).collect();
    let before = fs::metadata(home.dir.join("00000000.pack")).unwrap().len();
    let stale = fs::read(home.dir.join("index")).unwrap();
    let reader = PackObjects::open_read_only(&home.dir).unwrap();
    let mut objects = PackObjects::open(&home.dir).unwrap();
    objects.prune(&names).unwrap();
    assert!(has_all(&reader, 300), "whoever read goes on reading");
    assert!(fs::metadata(home.dir.join("00000000.pack")).unwrap().len() < before);
    let only_kept = |objects: &PackObjects| {
        (0..300).all(|number| match objects.get(&name(number)) {
            Ok(bytes) => !gone(number) && bytes == object(number),
            Err(error) => gone(number) && matches!(error, ObjectsError::Missing { .. }),
        })
    };
    assert!(only_kept(&objects));
    objects.put(&object(300)).unwrap();
    drop(objects);
    assert!(only_kept(&PackObjects::open(&home.dir).unwrap()));
    // Put again, it is there again.
    let mut objects = PackObjects::open(&home.dir).unwrap();
    objects.put(&object(0)).unwrap();
    drop(objects);
    let objects = PackObjects::open(&home.dir).unwrap();
    assert_eq!(objects.get(&name(0)).unwrap(), object(0));
    assert_eq!(objects.get(&name(300)).unwrap(), object(300));
    drop(objects);
    // Killed after the list was written and before anything was done, or after the packs were renamed: the next writer ends it.
    let list = |names: &std::collections::HashSet<ContentHash>| {
        super::prune::announce(&Folder { dir: home.dir.clone() }, names, &KernelSyncs).unwrap();
    };
    list(&[name(1), name(2)].into());
    fs::write(home.dir.join("fresh"), b"half of a pack").unwrap();
    fs::write(home.dir.join("index"), &stale).unwrap();
    let objects = PackObjects::open(&home.dir).unwrap();
    assert!(!objects.contains(&name(1)) && !objects.contains(&name(2)));
    assert_eq!(objects.get(&name(4)).unwrap(), object(4));
    drop(objects);
    list(&[name(1), name(2)].into());
    assert_eq!(PackObjects::open(&home.dir).unwrap().get(&name(4)).unwrap(), object(4));
    assert!(!home.dir.join("PRUNING").exists());
    // A list that is not whole takes nothing.
    fs::write(home.dir.join("PRUNING"), b"GLYPHprn").unwrap();
    assert!(PackObjects::open(&home.dir).is_err());
    assert_eq!(PackObjects::open_read_only(&home.dir).unwrap().get(&name(4)).unwrap(), object(4));
}
