//! What a disk may hold after the power went: everything that was made durable, and of the rest what a
//! seed chooses.

use std::collections::BTreeMap;

use crate::disk::{Change, Disk, Ino};
use crate::seed::Draw;

/// What a disk writes whole or not at all, in bytes.
const SECTOR_BYTES: u64 = 512;

/// How much of what was not durable got through, in one file or in all folders together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Luck {
    Nothing,
    Everything,
    /// The first so many thousandths, in order.
    Prefix(u64),
    /// Each change or not.
    Subset,
    /// Each sector or not.
    Sectors,
}

impl Disk {
    /// The disk as the machine may find it when it is switched on again after the power went now.
    #[must_use]
    pub fn cut(&self, seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let mut platter = self.platter.clone();
        for change in self.surviving(&mut draw) {
            change.make(&mut platter);
        }
        self.restarted(platter)
    }

    /// The disk after the power went, and nothing that was not durable got through.
    #[must_use]
    pub fn cut_bare(&self) -> Self {
        self.restarted(self.platter.clone())
    }

    fn surviving(&self, draw: &mut Draw) -> Vec<Change> {
        match draw.below(8) {
            0 => Vec::new(),
            1 => self.pending.clone(),
            // Everything up to one moment, the write of that moment torn.
            2 => {
                let end = usize::try_from(draw.below(self.pending.len() as u64 + 1));
                let mut kept = self.pending.clone();
                kept.truncate(end.unwrap_or_default());
                let last = kept.pop();
                kept.extend(last.into_iter().flat_map(|change| torn(&change, draw)));
                kept
            }
            // Names as a journal keeps them, in order; each file as it comes.
            3..=5 => {
                let names = Luck::Prefix(draw.below(1_001));
                self.by_luck(names, draw)
            }
            // Names as a disk without a journal may keep them.
            _ => self.by_luck(Luck::Subset, draw),
        }
    }

    fn by_luck(&self, names: Luck, draw: &mut Draw) -> Vec<Change> {
        let mut files: BTreeMap<Ino, (Luck, u64)> = BTreeMap::new();
        let mut totals: BTreeMap<Ino, u64> = BTreeMap::new();
        for ino in self.pending.iter().filter_map(Change::file) {
            *totals.entry(ino).or_default() += 1;
        }
        let names_total =
            self.pending.iter().filter(|change| change.file().is_none()).count() as u64;
        let mut names_seen = 0;
        let mut kept = Vec::new();
        for change in &self.pending {
            let (luck, seen, total) = match change.file() {
                None => {
                    names_seen += 1;
                    (names, names_seen - 1, names_total)
                }
                Some(ino) => {
                    let (luck, seen) = files.entry(ino).or_insert_with(|| (luck(draw), 0));
                    *seen += 1;
                    (*luck, *seen - 1, totals.get(&ino).copied().unwrap_or_default())
                }
            };
            match luck {
                Luck::Nothing => {}
                Luck::Everything => kept.push(change.clone()),
                Luck::Prefix(thousandths) => {
                    let end = (total + 1) * thousandths / 1_001;
                    if seen + 1 == end && draw.coin() {
                        kept.extend(torn(change, draw));
                    } else if seen < end {
                        kept.push(change.clone());
                    }
                }
                Luck::Subset if draw.coin() => kept.push(change.clone()),
                Luck::Subset => {}
                Luck::Sectors => kept.extend(scattered(change, draw)),
            }
        }
        kept
    }
}

fn luck(draw: &mut Draw) -> Luck {
    match draw.below(5) {
        0 => Luck::Nothing,
        1 => Luck::Everything,
        2 => Luck::Prefix(draw.below(1_001)),
        3 => Luck::Subset,
        _ => Luck::Sectors,
    }
}

/// A write of which the disk finished only the first sectors. Other changes are not torn.
fn torn(change: &Change, draw: &mut Draw) -> Vec<Change> {
    let sectors = sectors(change);
    let end = usize::try_from(draw.below(sectors.len() as u64 + 1)).unwrap_or_default();
    sectors.into_iter().take(end).collect()
}

/// A write of which the disk finished some sectors, in whatever order it liked.
fn scattered(change: &Change, draw: &mut Draw) -> Vec<Change> {
    sectors(change).into_iter().filter(|_| draw.coin()).collect()
}

/// A write sector by sector, as they lie on the disk.
fn sectors(change: &Change) -> Vec<Change> {
    let Change::Write { ino, offset, bytes } = change else { return vec![change.clone()] };
    let mut sectors = Vec::new();
    let (mut offset, mut rest) = (*offset, &bytes[..]);
    while !rest.is_empty() {
        let count = usize::try_from(SECTOR_BYTES - offset % SECTOR_BYTES).unwrap_or(usize::MAX);
        let (sector, after) = rest.split_at(count.min(rest.len()));
        sectors.push(Change::Write { ino: *ino, offset, bytes: sector.into() });
        offset += sector.len() as u64;
        rest = after;
    }
    sectors
}

impl Change {
    /// The node whose own change it is; `None` for names.
    const fn file(&self) -> Option<Ino> {
        match self {
            Self::Write { ino, .. } | Self::Length { ino, .. } | Self::Attributes { ino, .. } => {
                Some(*ino)
            }
            Self::Names(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::ffi::OsStr;

    use super::*;
    use crate::content::Content;
    use crate::disk::{Kind, New, ROOT};

    const SEEDS: u64 = 400;

    fn file() -> New {
        New { kind: Kind::File(Content::default()), mode: 0o600, uid: 0, gid: 0 }
    }

    fn folder() -> New {
        New { kind: Kind::Folder(BTreeMap::new()), mode: 0o700, uid: 0, gid: 0 }
    }

    /// A disk with a file of which everything is durable.
    fn with_file(bytes: &[u8]) -> (Disk, Ino) {
        let mut disk = Disk::default();
        let ino = disk.make(ROOT, OsStr::new("a"), file()).unwrap();
        disk.write(ino, 0, bytes).unwrap();
        disk.sync(ino, false);
        disk.sync(ROOT, false);
        (disk, ino)
    }

    /// Every content the file of that name has after some cut; `None` where it has no name.
    fn after_cuts(disk: &Disk, name: &str) -> BTreeSet<Option<Vec<u8>>> {
        let found = |seed| {
            let cut = disk.cut(seed);
            let ino = cut.lookup(ROOT, OsStr::new(name)).ok()?;
            Some(cut.read(ino, 0, 1 << 20).unwrap())
        };
        (0..SEEDS).map(found).collect()
    }

    #[test]
    fn what_was_synced_survives_every_cut() {
        let (disk, _) = with_file(b"kept");
        assert_eq!(after_cuts(&disk, "a"), [Some(b"kept".to_vec())].into());
    }

    #[test]
    fn what_was_not_synced_is_lost_in_some_cuts_and_there_in_others() {
        let (mut disk, ino) = with_file(b"old");
        disk.write(ino, 0, b"new").unwrap();
        assert_eq!(after_cuts(&disk, "a"), [Some(b"old".to_vec()), Some(b"new".to_vec())].into());
        disk.sync(ino, true);
        assert_eq!(after_cuts(&disk, "a"), [Some(b"new".to_vec())].into());
        assert_eq!(disk.cut(3).read(ino, 0, 9).unwrap(), b"new");
    }

    #[test]
    fn writes_to_one_file_may_get_through_in_any_order() {
        let (mut disk, ino) = with_file(b"0000");
        disk.write(ino, 0, b"1").unwrap();
        disk.write(ino, 1, b"2").unwrap();
        let found = after_cuts(&disk, "a");
        let expected = [b"0000", b"1000", b"0200", b"1200"].map(|bytes| Some(bytes.to_vec()));
        assert_eq!(found, expected.into());
    }

    #[test]
    fn a_write_is_torn_between_sectors_and_nowhere_else() {
        let (mut disk, ino) = with_file(&[0; 2_048]);
        disk.write(ino, 100, &[1; 1_500]).unwrap();
        let found = after_cuts(&disk, "a");
        let mut torn = 0;
        for bytes in found.into_iter().flatten() {
            for sector in bytes.chunks(512) {
                let written: BTreeSet<u8> = sector.iter().copied().collect();
                assert!(
                    written.len() == 1 || sector[..100] == [0; 100] || sector[64..] == [0; 448]
                );
            }
            assert!(bytes.iter().all(|byte| *byte <= 1));
            torn += usize::from(bytes[100] != bytes[1_000]);
        }
        assert!(torn > 3, "{torn}");
    }

    #[test]
    fn a_synced_file_without_a_synced_name_may_be_gone() {
        let mut disk = Disk::default();
        let ino = disk.make(ROOT, OsStr::new("a"), file()).unwrap();
        disk.write(ino, 0, b"bytes").unwrap();
        disk.sync(ino, false);
        assert_eq!(after_cuts(&disk, "a"), [None, Some(b"bytes".to_vec())].into());
        disk.sync(ROOT, false);
        assert_eq!(after_cuts(&disk, "a"), [Some(b"bytes".to_vec())].into());
    }

    #[test]
    fn a_name_may_get_through_without_the_bytes() {
        let mut disk = Disk::default();
        let ino = disk.make(ROOT, OsStr::new("a"), file()).unwrap();
        disk.write(ino, 0, b"bytes").unwrap();
        disk.sync(ROOT, false);
        assert_eq!(after_cuts(&disk, "a"), [Some(b"".to_vec()), Some(b"bytes".to_vec())].into());
    }

    #[test]
    fn a_rename_is_old_or_new_and_never_neither() {
        let (mut disk, _) = with_file(b"old");
        let fresh = disk.make(ROOT, OsStr::new("b"), file()).unwrap();
        disk.write(fresh, 0, b"new").unwrap();
        disk.sync(fresh, false);
        disk.rename((ROOT, OsStr::new("b")), (ROOT, OsStr::new("a"))).unwrap();
        assert_eq!(after_cuts(&disk, "a"), [Some(b"old".to_vec()), Some(b"new".to_vec())].into());
        // The new name without the old one's end is possible only if the first name never was.
        for seed in 0..SEEDS {
            let cut = disk.cut(seed);
            let a = cut.lookup(ROOT, OsStr::new("a")).unwrap();
            assert_ne!(cut.lookup(ROOT, OsStr::new("b")), Ok(a), "seed {seed}");
        }
    }

    #[test]
    fn a_folder_comes_back_with_what_was_synced_into_it_once_it_has_a_name() {
        let mut disk = Disk::default();
        let below = disk.make(ROOT, OsStr::new("d"), folder()).unwrap();
        disk.make(below, OsStr::new("f"), file()).unwrap();
        disk.sync(below, false);
        let found: BTreeSet<_> = (0..SEEDS)
            .map(|seed| {
                let cut = disk.cut(seed);
                let below = cut.lookup(ROOT, OsStr::new("d")).ok();
                below.map(|below| cut.lookup(below, OsStr::new("f")).is_ok())
            })
            .collect();
        assert_eq!(found, [None, Some(true)].into());
    }

    #[test]
    fn what_a_refused_sync_left_is_seen_and_never_becomes_durable() {
        let (mut disk, ino) = with_file(b"old");
        disk.write(ino, 0, b"new").unwrap();
        disk.refuse_sync(ino);
        disk.sync(ino, false);
        assert_eq!(disk.read(ino, 0, 9).unwrap(), b"new");
        assert_eq!(after_cuts(&disk, "a"), [Some(b"old".to_vec())].into());
        disk.write(ino, 0, b"new").unwrap();
        disk.sync(ino, false);
        assert_eq!(after_cuts(&disk, "a"), [Some(b"new".to_vec())].into());
    }

    #[test]
    fn fdatasync_keeps_length_and_not_attributes() {
        use crate::disk::Attributes;
        let (mut disk, ino) = with_file(b"old");
        disk.set_len(ino, 2).unwrap();
        let attributes = Attributes { mode: Some(0o644), ..Attributes::default() };
        disk.set_attributes(ino, attributes).unwrap();
        disk.sync(ino, true);
        assert_eq!(after_cuts(&disk, "a"), [Some(b"ol".to_vec())].into());
        assert_eq!(disk.cut_bare().node(ino).unwrap().mode, 0o600);
        disk.sync(ino, false);
        assert_eq!(disk.cut_bare().node(ino).unwrap().mode, 0o644);
    }

    #[test]
    fn the_same_seed_gives_the_same_disk() {
        let (mut disk, ino) = with_file(&[0; 4_096]);
        for at in 0..8 {
            disk.write(ino, at * 512, &[1; 512]).unwrap();
        }
        for seed in 0..50 {
            let cuts = [disk.cut(seed), disk.cut(seed)];
            let [one, two] = cuts.map(|cut| cut.read(ino, 0, 4_096).unwrap());
            assert_eq!(one, two);
        }
    }
}
