//! The anchor: the newest acknowledged head, in a file that the engine never sees. A store that does
//! not reach its anchor has lost something.
//!
//! `HEAD` has two slots of 4 KiB that are written in turn, in place, with one `fdatasync`; so the slot
//! before the newest is whole whatever happens during a write, and no rename is needed. A slot is
//! magic ‖ counter ‖ last event id ‖ its time ‖ note length ‖ note ‖ zeros ‖ SHA-256 of all that.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use ledger_format::hash::{ContentHash, EventId, HASH_BYTES};
use ledger_format::head::SignedHead;

use crate::effects::Syncs;

/// Size of one slot, in bytes: a page, which disks write whole or not at all more often than not,
/// and more than the longest note with what stands around it.
pub(super) const SLOT_BYTES: usize = 4_096;

const MAGIC: [u8; 8] = *b"GLYPHanc";

/// What a ledger's folder last acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The head that closes the last acknowledged batch.
    pub head: SignedHead,
    /// Id of the last event under it.
    pub last: EventId,
    /// Time of that event, in milliseconds since the Unix epoch.
    pub last_at: u64,
}

/// A slot that does not hold what was written into it: torn by a power cut, or changed since.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("slot {slot}: {reason}")]
pub struct AnchorFault {
    /// Which of the two slots, 0 or 1.
    pub slot: u64,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What `HEAD` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorReading {
    /// The newer of the readable slots.
    pub anchor: Anchor,
    /// The slot that is not readable, if one is not.
    pub fault: Option<AnchorFault>,
}

/// The open anchor of a writer.
#[derive(Debug)]
pub(super) struct AnchorFile {
    file: File,
    counter: u64,
}

impl AnchorFile {
    /// Creates the file with `anchor` in both slots.
    pub(super) fn create(path: &Path, anchor: &Anchor, syncs: &dyn Syncs) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        for counter in 0..2 {
            write_slot(&file, counter, anchor)?;
        }
        syncs.all(&file)?;
        Ok(Self { file, counter: 1 })
    }

    /// Opens the file for writing and reads it.
    pub(super) fn open(path: &Path) -> io::Result<Result<(Self, AnchorReading), AnchorFault>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(read_slots(&file)?.map(|(counter, reading)| (Self { file, counter }, reading)))
    }

    /// Writes `anchor` over the older slot and returns once it is durable.
    pub(super) fn write(&mut self, anchor: &Anchor, syncs: &dyn Syncs) -> io::Result<()> {
        write_slot(&self.file, self.counter + 1, anchor)?;
        syncs.data(&self.file)?;
        self.counter += 1;
        Ok(())
    }
}

/// Reads the anchor in `path` without any lock: a slot being written is not the one that counts.
pub(super) fn read(path: &Path) -> io::Result<Result<AnchorReading, AnchorFault>> {
    Ok(read_slots(&File::open(path)?)?.map(|(_, reading)| reading))
}

type Slot = Result<(u64, Anchor), AnchorFault>;

fn read_slots(file: &File) -> io::Result<Result<(u64, AnchorReading), AnchorFault>> {
    let (first, second) = (read_slot(file, 0)?, read_slot(file, 1)?);
    Ok(match (first, second) {
        (Ok(first), Ok(second)) => {
            let (counter, anchor) = if first.0 > second.0 { first } else { second };
            Ok((counter, AnchorReading { anchor, fault: None }))
        }
        (Ok((counter, anchor)), Err(fault)) | (Err(fault), Ok((counter, anchor))) => {
            Ok((counter, AnchorReading { anchor, fault: Some(fault) }))
        }
        (Err(fault), Err(_)) => Err(fault),
    })
}

fn read_slot(file: &File, slot: u64) -> io::Result<Slot> {
    let mut bytes = [0; SLOT_BYTES];
    match file.read_exact_at(&mut bytes, slot * SLOT_BYTES as u64) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Ok(Err(AnchorFault { slot, reason: "cut off" }));
        }
        other => other?,
    }
    Ok(decode(&bytes)
        .and_then(|(counter, anchor)| {
            if counter % 2 == slot {
                Ok((counter, anchor))
            } else {
                Err("written for the other slot")
            }
        })
        .map_err(|reason| AnchorFault { slot, reason }))
}

fn write_slot(file: &File, counter: u64, anchor: &Anchor) -> io::Result<()> {
    let bytes = encode(counter, anchor).ok_or_else(|| io::Error::other("the note is too long"))?;
    file.write_all_at(&bytes, counter % 2 * SLOT_BYTES as u64)
}

pub(super) fn encode(counter: u64, anchor: &Anchor) -> Option<Vec<u8>> {
    let note = anchor.head.encode();
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&counter.to_be_bytes());
    bytes.extend_from_slice(anchor.last.as_bytes());
    bytes.extend_from_slice(&anchor.last_at.to_be_bytes());
    bytes.extend_from_slice(&u16::try_from(note.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(&note);
    if bytes.len() > SLOT_BYTES - HASH_BYTES {
        return None;
    }
    bytes.resize(SLOT_BYTES - HASH_BYTES, 0);
    let checksum = ContentHash::of(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    Some(bytes)
}

pub(super) fn decode(bytes: &[u8; SLOT_BYTES]) -> Result<(u64, Anchor), &'static str> {
    let (body, checksum) =
        bytes.split_last_chunk::<HASH_BYTES>().ok_or("shorter than its checksum")?;
    if ContentHash::of(body).as_bytes() != checksum {
        return Err("its checksum does not match");
    }
    let short = "its parts do not fill it";
    let (magic, rest) = body.split_first_chunk::<8>().ok_or(short)?;
    let (counter, rest) = rest.split_first_chunk::<8>().ok_or(short)?;
    let (last, rest) = rest.split_first_chunk::<HASH_BYTES>().ok_or(short)?;
    let (last_at, rest) = rest.split_first_chunk::<8>().ok_or(short)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(short)?;
    if *magic != MAGIC {
        return Err("not an anchor");
    }
    let note = rest.get(..usize::from(u16::from_be_bytes(*length))).ok_or(short)?;
    let head = SignedHead::parse(note).map_err(|_| "its note is not a head")?;
    let (last, last_at) = (EventId::from_bytes(*last), u64::from_be_bytes(*last_at));
    Ok((u64::from_be_bytes(*counter), Anchor { head, last, last_at }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::KernelSyncs;
    use crate::log::samples::Author;

    fn anchors(count: usize) -> Vec<Anchor> {
        let mut author = Author::new(1);
        let anchor = |_| {
            let (batch, _) = author.batch(1);
            let last = EventId::of(&batch.events[0]);
            Anchor { head: batch.head, last, last_at: 7 }
        };
        (0..count).map(anchor).collect()
    }

    #[test]
    fn the_newest_anchor_is_read_back_after_every_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("HEAD");
        let anchors = anchors(5);
        AnchorFile::create(&path, &anchors[0], &KernelSyncs).unwrap();
        for (before, next) in anchors.iter().zip(&anchors[1..]) {
            let (mut file, reading) = AnchorFile::open(&path).unwrap().unwrap();
            assert_eq!((&reading.anchor, &reading.fault), (before, &None));
            file.write(next, &KernelSyncs).unwrap();
        }
        assert_eq!(read(&path).unwrap().unwrap().anchor, anchors[4]);
    }

    #[test]
    fn a_damaged_slot_is_named_and_the_other_one_answers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("HEAD");
        let anchors = anchors(3);
        let mut file = AnchorFile::create(&path, &anchors[0], &KernelSyncs).unwrap();
        file.write(&anchors[1], &KernelSyncs).unwrap();
        file.write(&anchors[2], &KernelSyncs).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for (at, slot, answer) in
            [(0, 0, 2), (1_000, 0, 2), (SLOT_BYTES + 20, 1, 1), (2 * SLOT_BYTES - 1, 1, 1)]
        {
            let mut bent = whole.clone();
            bent[at] ^= 1;
            std::fs::write(&path, &bent).unwrap();
            let reading = read(&path).unwrap().unwrap();
            assert_eq!(reading.fault.unwrap().slot, slot, "byte {at}");
            assert_eq!(reading.anchor, anchors[answer], "byte {at}");
        }
        std::fs::write(&path, &whole[..=SLOT_BYTES]).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().fault.unwrap().reason, "cut off");
        std::fs::write(&path, b"").unwrap();
        assert!(read(&path).unwrap().is_err());
        std::fs::write(&path, [&whole[SLOT_BYTES..], &whole[..SLOT_BYTES]].concat()).unwrap();
        assert!(read(&path).unwrap().is_err(), "slots exchanged");
    }
}
