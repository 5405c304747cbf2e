//! Pages: their size, the bytes of page 1 that belong to the file's life and not to its content,
//! and the header fields that cannot change page by page. Knows bytes, no file and no connection.

use std::fmt;
use std::ops::Range;

use ledger_format::hash::ContentHash;

use super::DatabaseError;

/// Bytes of page 1 that change while the content stays: the journal versions (18–19), the change
/// counter (24–27), the schema cookie (40–43), the counter and SQLite version of the last write
/// (92–99). They are zero in every image.
const LIFE: [Range<usize>; 4] = [18..20, 24..28, 40..44, 92..100];

/// A database's first byte that SQLite locks instead of storing; its page is never used.
const LOCK_BYTE: u32 = 0x4000_0000;

/// The page size of a database: a power of two from 512 to 65,536 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u32);

impl PageSize {
    /// `None` for a size that no database has.
    #[must_use]
    pub const fn new(bytes: u32) -> Option<Self> {
        if bytes.is_power_of_two() && bytes >= 512 && bytes <= 65_536 {
            Some(Self(bytes))
        } else {
            None
        }
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }

    /// The number of the page that holds SQLite's lock bytes. Databases larger than 1 GiB have it;
    /// it cannot be written and reads as zeros.
    #[must_use]
    pub const fn lock_page(self) -> u32 {
        LOCK_BYTE / self.0 + 1
    }
}

/// Where pages come from: a live database, a work copy, a test.
pub trait PageSource {
    /// The size of every page.
    fn page_size(&self) -> PageSize;

    /// How many pages there are.
    fn page_count(&self) -> u32;

    /// The bytes of page `number`, counted from 1, as the database has them.
    fn read_page(&self, number: u32) -> Result<Vec<u8>, DatabaseError>;

    /// Calls `work` once with all pages in order, `pages_a_chunk` at a time. The first error is the last item.
    fn in_chunks(&self, pages_a_chunk: u32, work: &mut Chunkwise<'_>) -> Result<(), DatabaseError> {
        let next = |number| self.read_page(number);
        work(&mut chunks(self.page_size(), self.page_count(), pages_a_chunk, |number, bytes| {
            bytes.extend(next(number)?);
            Ok(())
        }));
        Ok(())
    }
}

/// Who takes pages chunk by chunk.
pub type Chunkwise<'a> = dyn FnMut(&mut dyn Iterator<Item = Result<Pages, DatabaseError>>) + 'a;

/// Pages that stand side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages {
    /// The number of the first one.
    pub first: u32,
    page_size: PageSize,
    bytes: Vec<u8>,
}

impl Pages {
    /// The same as an image holds them.
    pub(super) fn normalised(mut self) -> Self {
        if self.first == 1 {
            normalise(&mut self.bytes);
        }
        self
    }

    /// The bytes of each.
    pub(super) fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.page_size.bytes() as usize)
    }

    /// Their names, if they are as an image holds them.
    pub(super) fn names(&self) -> Vec<ContentHash> {
        self.each().map(ContentHash::of).collect()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The pages that `read` appends one by one to a chunk.
pub(super) fn chunks(
    page_size: PageSize,
    page_count: u32,
    pages_a_chunk: u32,
    mut read: impl FnMut(u32, &mut Vec<u8>) -> Result<(), DatabaseError>,
) -> impl Iterator<Item = Result<Pages, DatabaseError>> {
    let mut next: u32 = 1;
    std::iter::from_fn(move || {
        let first = next;
        let last = page_count.min(first.saturating_add(pages_a_chunk - 1));
        if first > last {
            return None;
        }
        let mut bytes =
            Vec::with_capacity((last - first + 1) as usize * page_size.bytes() as usize);
        let read = (first..=last).try_for_each(|number| read(number, &mut bytes));
        next = if read.is_ok() { last + 1 } else { u32::MAX };
        Some(read.map(|()| Pages { first, page_size, bytes }))
    })
}

/// Page `number` as an image holds it: page 1 without the bytes of the file's life.
pub(super) fn normalised(number: u32, mut page: Vec<u8>) -> Vec<u8> {
    if number == 1 {
        normalise(&mut page);
    }
    page
}

fn normalise(page_one: &mut [u8]) {
    for range in LIFE {
        if let Some(bytes) = page_one.get_mut(range) {
            bytes.fill(0);
        }
    }
}

/// The name of page `number` in an image.
pub(super) fn page_name(number: u32, page: Vec<u8>) -> ContentHash {
    ContentHash::of(&normalised(number, page))
}

/// Puts the life bytes of `living` into `page`, both page 1.
pub(super) fn keep_life(page: &mut [u8], living: &[u8]) {
    for range in LIFE {
        if let (Some(to), Some(from)) = (page.get_mut(range.clone()), living.get(range)) {
            to.copy_from_slice(from);
        }
    }
}

/// Makes a normalised page 1 the first page of a file in rollback mode that SQLite opens.
pub(super) fn give_life(page: &mut [u8], page_count: u32) {
    if let Some(versions) = page.get_mut(18..20) {
        versions.fill(1);
    }
    // SQLite believes the page count at 28–31 only while the counters at 24 and 92 agree.
    if big_endian(page, 28) != page_count {
        put_big_endian(page, 24, 1);
    }
}

/// Header fields that pages written one by one cannot change, because other connections keep what
/// they once read of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Size of a page in bytes.
    pub page_size: u32,
    /// Bytes reserved at the end of each page.
    pub reserved: u8,
    /// Whether pages can be given back to the file system (`auto_vacuum`).
    pub auto_vacuum: bool,
    /// Whether that happens on demand only (`auto_vacuum = INCREMENTAL`).
    pub incremental: bool,
    /// Text encoding: 1 UTF-8, 2 UTF-16le, 3 UTF-16be. Where a database without tables has not chosen yet, it is
    /// the one that it takes unless told otherwise.
    pub encoding: u32,
}

impl Layout {
    pub(super) fn of(page_size: PageSize, first_page: &[u8]) -> Self {
        Self {
            page_size: page_size.bytes(),
            reserved: first_page.get(20).copied().unwrap_or_default(),
            auto_vacuum: big_endian(first_page, 52) != 0,
            incremental: big_endian(first_page, 64) != 0,
            encoding: big_endian(first_page, 56).max(UTF_8),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { page_size, reserved, auto_vacuum, incremental, encoding } = self;
        let encoding = match encoding {
            2 => "UTF-16le",
            3 => "UTF-16be",
            _ => "UTF-8",
        };
        let vacuum = match (auto_vacuum, incremental) {
            (false, _) => "none",
            (true, false) => "full",
            (true, true) => "incremental",
        };
        write!(f, "page_size {page_size}, auto_vacuum {vacuum}, encoding {encoding}")?;
        if *reserved == 0 { Ok(()) } else { write!(f, ", {reserved} bytes reserved in each page") }
    }
}

/// UTF-8, as a text encoding; it begins the list.
const UTF_8: u32 = 1;

pub(super) fn big_endian(page: &[u8], at: usize) -> u32 {
    page.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn put_big_endian(page: &mut [u8], at: usize, number: u32) {
    if let Some(bytes) = page.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *bytes = number.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_page_one_loses_its_life_bytes() {
        let page = vec![7; 512];
        assert_eq!(normalised(2, page.clone()), page);
        let first = normalised(1, page);
        let zeroed: Vec<usize> = (0..512).filter(|&at| first[at] == 0).collect();
        let expected: Vec<usize> = (18..20).chain(24..28).chain(40..44).chain(92..100).collect();
        assert_eq!(zeroed, expected);
    }

    #[test]
    fn the_living_keep_their_counters() {
        let mut living = vec![0; 512];
        living[18..20].fill(2);
        put_big_endian(&mut living, 24, 77);
        put_big_endian(&mut living, 40, 9);
        let mut page = vec![5; 512];
        keep_life(&mut page, &living);
        assert_eq!(page[18..20], [2, 2]);
        assert_eq!((big_endian(&page, 24), big_endian(&page, 40)), (77, 9));
        assert_eq!(page[100], 5);
    }

    #[test]
    fn a_page_count_that_sqlite_must_not_believe_is_made_unbelievable() {
        let counters = |told: u32, is: u32| {
            let mut page = vec![0; 512];
            put_big_endian(&mut page, 28, told);
            give_life(&mut page, is);
            (big_endian(&page, 24), big_endian(&page, 92))
        };
        assert_eq!(counters(9, 9), (0, 0));
        assert_ne!(counters(8, 9).0, counters(8, 9).1);
    }

    #[test]
    fn page_sizes_are_powers_of_two_in_range() {
        for bad in [0, 1, 256, 513, 1000, 131_072] {
            assert_eq!(PageSize::new(bad), None);
        }
        assert_eq!(PageSize::new(4096).unwrap().lock_page(), 262_145);
    }
}
