//! Finding the records of a pack in its bytes.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use ledger_format::hash::{ContentHash, HASH_BYTES};

use super::{HEADER_BYTES, MAGIC, OBJECT_BYTES_MAX};

/// Bytes searched in one go for the next record behind a damaged one.
const SEARCH_BYTES: usize = 1024 * 1024;

/// What a stretch of a pack holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Names, offsets of the bytes and their lengths.
    pub(super) found: Vec<(ContentHash, u64, u32)>,
    /// Where the last whole record ends.
    pub(super) last_good: u64,
}

impl Scan {
    /// Looks at the bytes `range` of `file`, which begin with a record. Behind one that is damaged
    /// the next is searched for by its magic. With `verify`, only bytes that
    /// hash to their name count.
    pub(super) fn of(file: &File, range: Range<u64>, verify: bool) -> io::Result<Self> {
        let mut scan = Self { found: Vec::new(), last_good: range.start };
        let mut at = range.start;
        let mut searched = false;
        while at < range.end {
            // What looks like a record behind a damaged one may be part of that one's bytes.
            at = match record(file, at, range.end, verify || searched)? {
                Some((name, offset, length)) => {
                    scan.found.push((name, offset, length));
                    scan.last_good = offset + u64::from(length);
                    searched = false;
                    scan.last_good
                }
                None => match next_magic(file, at + 1..range.end)? {
                    Some(next) => {
                        searched = true;
                        next
                    }
                    None => break,
                },
            };
        }
        Ok(scan)
    }
}

/// The whole record that begins `at`, if one does.
fn record(
    file: &File,
    at: u64,
    end: u64,
    verify: bool,
) -> io::Result<Option<(ContentHash, u64, u32)>> {
    let header = read_up_to(file, at, HEADER_BYTES)?;
    let Some((name, length)) = decode_header(&header) else { return Ok(None) };
    let offset = at + HEADER_BYTES as u64;
    if length as usize > OBJECT_BYTES_MAX || offset + u64::from(length) > end {
        return Ok(None);
    }
    // A changed length is betrayed by what does not follow; a changed neighbour, and the end, look the
    // same.
    let next = offset + u64::from(length);
    let followed = next < end && read_up_to(file, next, MAGIC.len())? == MAGIC;
    if (verify || !followed) && ContentHash::of(&read_up_to(file, offset, length as usize)?) != name
    {
        return Ok(None);
    }
    Ok(Some((name, offset, length)))
}

/// What stands in front of an object's bytes.
pub(super) fn encode_header(name: &ContentHash, length: u32) -> Vec<u8> {
    [MAGIC.as_slice(), name.as_bytes(), &length.to_be_bytes()].concat()
}

pub(super) fn decode_header(header: &[u8]) -> Option<(ContentHash, u32)> {
    let (magic, rest) = header.split_first_chunk::<8>()?;
    let (name, rest) = rest.split_first_chunk::<HASH_BYTES>()?;
    let length = u32::from_be_bytes(rest.try_into().ok()?);
    (*magic == MAGIC).then_some((ContentHash::from_bytes(*name), length))
}

fn next_magic(file: &File, range: Range<u64>) -> io::Result<Option<u64>> {
    let mut start = range.start;
    while start < range.end {
        let left = usize::try_from(range.end - start).unwrap_or(usize::MAX);
        let window = read_up_to(file, start, left.min(SEARCH_BYTES + MAGIC.len() - 1))?;
        if let Some(at) = window.windows(MAGIC.len()).position(|bytes| *bytes == MAGIC) {
            return Ok(Some(start + at as u64));
        }
        start += SEARCH_BYTES as u64;
    }
    Ok(None)
}

/// Reads `length` bytes, or fewer at the end of the file.
pub(super) fn read_up_to(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
