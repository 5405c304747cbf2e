//! Which pages a write-ahead log holds. Counts what SQLite itself would believe: frames with the
//! header's salts and running checksums, up to the last commit among them. What a killed or rolled
//! back writer left behind that is not counted.
//!
//! Format: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::DatabaseError;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// One read from the file system carries this much.
const READ_BUFFER_BYTES: usize = 1 << 16;

/// The committed part of a write-ahead log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Wal {
    /// Every page that a committed frame holds, and where in the log its newest such frame has it.
    pub(super) pages: BTreeMap<u32, u64>,
    /// Pages in the database after the last commit; `None` without a commit.
    pub(super) page_count: Option<u32>,
}

/// A log that was read, and the file to read its pages from.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) wal: Wal,
    file: File,
    path: PathBuf,
}

impl Log {
    /// Reads the log at `path`. A missing one is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, DatabaseError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(DatabaseError::io(path)(error)),
        };
        let wal = parse(&mut BufReader::with_capacity(READ_BUFFER_BYTES, &file));
        let wal = wal.map_err(DatabaseError::io(path))?;
        Ok(Some(Self { wal, file, path: path.to_owned() }))
    }

    /// Page `number`, of `bytes` bytes, as it was committed last; `None` if it is not in the log.
    pub(super) fn page(&self, number: u32, bytes: usize) -> Result<Option<Vec<u8>>, DatabaseError> {
        let Some(&at) = self.wal.pages.get(&number) else { return Ok(None) };
        let mut page = vec![0; bytes];
        self.file.read_exact_at(&mut page, at).map_err(DatabaseError::io(&self.path))?;
        Ok(Some(page))
    }
}

fn parse(log: &mut impl Read) -> std::io::Result<Wal> {
    let mut wal = Wal::default();
    let mut header = [0; HEADER_BYTES];
    if !fill(log, &mut header)? {
        return Ok(wal);
    }
    let Some((mut sum, salts, page_bytes)) = parse_header(&header) else { return Ok(wal) };
    let mut frame = [0; FRAME_HEADER_BYTES];
    let mut page = vec![0; page_bytes];
    let mut at = HEADER_BYTES as u64;
    let mut uncommitted = BTreeMap::new();
    while fill(log, &mut frame)? && fill(log, &mut page)? {
        let [number, page_count, salt_1, salt_2, sum_1, sum_2] = words(&frame);
        sum.add(frame.get(..8).unwrap_or_default());
        sum.add(&page);
        if salts != (salt_1, salt_2) || (sum.first, sum.second) != (sum_1, sum_2) {
            break;
        }
        uncommitted.insert(number, at + FRAME_HEADER_BYTES as u64);
        at += (FRAME_HEADER_BYTES + page_bytes) as u64;
        if page_count > 0 {
            wal.pages.append(&mut uncommitted);
            wal.page_count = Some(page_count);
        }
    }
    Ok(wal)
}

/// The checksum after the header, the salts, and the size of a page.
fn parse_header(header: &[u8; HEADER_BYTES]) -> Option<(Checksum, (u32, u32), usize)> {
    /// Last bit of the magic number: checksums read big-endian words.
    const MAGIC: u32 = 0x377f_0682;
    let [magic, _version, page_bytes, _sequence, salt_1, salt_2, sum_1, sum_2] = words(header);
    if magic & !1 != MAGIC {
        return None;
    }
    let mut sum = Checksum { big_endian: magic & 1 == 1, first: 0, second: 0 };
    sum.add(header.get(..24)?);
    ((sum.first, sum.second) == (sum_1, sum_2)).then_some((
        sum,
        (salt_1, salt_2),
        page_bytes as usize,
    ))
}

/// SQLite's running checksum over pairs of 32-bit words.
struct Checksum {
    big_endian: bool,
    first: u32,
    second: u32,
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        let word = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let (words, _) = bytes.as_chunks::<4>();
        for [one, two] in words.as_chunks::<2>().0 {
            self.first = self.first.wrapping_add(word(*one)).wrapping_add(self.second);
            self.second = self.second.wrapping_add(word(*two)).wrapping_add(self.first);
        }
    }
}

/// The first `N` big-endian words of `bytes`; missing ones are 0.
fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|at| words.get(at).map_or(0, |word| u32::from_be_bytes(*word)))
}

/// Whether `buffer` could be filled before the end.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::sqlite::testing::owner;

    fn log(script: &str) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.db");
        let prepared = "PRAGMA page_size=512; PRAGMA journal_mode=wal;
            PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); PRAGMA wal_checkpoint(TRUNCATE);";
        let writer = owner(&path, &format!("{prepared}{script}"));
        let bytes = std::fs::read(dir.path().join("w.db-wal")).unwrap();
        drop(writer);
        bytes
    }

    fn named(wal: &Wal) -> Vec<u32> {
        wal.pages.keys().copied().collect()
    }

    #[test]
    fn the_newest_committed_bytes_of_a_page_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let bytes = log("INSERT INTO t VALUES ('one'); INSERT INTO t VALUES ('two');");
        std::fs::write(&path, &bytes).unwrap();
        let log = Log::read(&path).unwrap().unwrap();
        let page = log.page(2, 512).unwrap().unwrap();
        assert!(page.windows(3).any(|text| text == b"two"), "{page:?}");
        assert_eq!(page, bytes[bytes.len() - 512..]);
        assert!(log.page(3, 512).unwrap().is_none());
        assert!(Log::read(&dir.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn committed_pages_and_the_page_count_are_named() {
        let bytes = log("INSERT INTO t VALUES (1)");
        let wal = parse(&mut bytes.as_slice()).unwrap();
        assert_eq!((named(&wal), wal.page_count), (vec![2], Some(2)));
        assert_eq!(parse(&mut [].as_slice()).unwrap(), Wal::default());
    }

    #[test]
    fn frames_beyond_the_last_commit_do_not_count() {
        let bytes = log("INSERT INTO t VALUES (1); PRAGMA cache_size=5; BEGIN;
            INSERT INTO t SELECT randomblob(400) FROM pragma_function_list LIMIT 90;");
        assert!(bytes.len() > 32 + 5 * (512 + 24), "the cache did not spill");
        let wal = parse(&mut bytes.as_slice()).unwrap();
        assert_eq!((named(&wal), wal.page_count), (vec![2], Some(2)));
    }

    #[test]
    fn nothing_counts_from_the_first_damaged_byte_on() {
        let bytes = log("INSERT INTO t VALUES (1); CREATE TABLE u(a);");
        let whole = parse(&mut bytes.as_slice()).unwrap();
        assert_eq!(whole.page_count, Some(3));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            // The sequence number in the header is covered by its checksum like all else.
            let wal = parse(&mut damaged.as_slice()).unwrap();
            assert_ne!(wal, whole, "byte {at}");
            let cut = parse(&mut &bytes[..at]).unwrap();
            assert!(cut.pages.len() < whole.pages.len(), "cut at {at}");
        }
    }
}
