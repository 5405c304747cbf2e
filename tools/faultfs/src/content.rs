//! What a file holds, in pages that copies share until one of them writes.

use std::sync::Arc;

/// Bytes in one page, in memory and as a count of what a file takes on the disk.
pub(crate) const PAGE_BYTES: usize = 4_096;

type Page = Arc<[u8; PAGE_BYTES]>;

/// The bytes of a file. A page that was never written reads as zeros.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pages: Vec<Option<Page>>,
    bytes: u64,
}

impl Content {
    pub(crate) const fn len(&self) -> u64 {
        self.bytes
    }

    /// At most `count` bytes from `offset` on; fewer where the file ends.
    pub(crate) fn read(&self, offset: u64, count: usize) -> Vec<u8> {
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut read = vec![0; count.min(left)];
        for (at, part) in parts(offset, &mut read) {
            let page = self.pages.get(at.page).and_then(Option::as_ref);
            let held = page.and_then(|page| page.get(at.within..at.within + part.len()));
            if let Some(held) = held {
                part.copy_from_slice(held);
            }
        }
        read
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        for (at, part) in parts(offset, &mut bytes) {
            if self.pages.len() <= at.page {
                self.pages.resize(at.page + 1, None);
            }
            let Some(page) = self.pages.get_mut(at.page) else { continue };
            let page = page.get_or_insert_with(|| Arc::new([0; PAGE_BYTES]));
            let held = Arc::make_mut(page).get_mut(at.within..at.within + part.len());
            if let Some(held) = held {
                held.copy_from_slice(part);
            }
        }
        self.bytes = self.bytes.max(offset.saturating_add(bytes.len() as u64));
    }

    /// Cuts off, or goes on in zeros.
    pub(crate) fn set_len(&mut self, bytes: u64) {
        if bytes < self.bytes {
            let whole = usize::try_from(bytes.div_ceil(PAGE_BYTES as u64)).unwrap_or(usize::MAX);
            self.pages.truncate(whole);
            let within = usize::try_from(bytes % PAGE_BYTES as u64).unwrap_or_default();
            let last = self.pages.get_mut(whole.wrapping_sub(1)).and_then(Option::as_mut);
            if let Some(last) = last.filter(|_| within > 0) {
                Arc::make_mut(last).iter_mut().skip(within).for_each(|byte| *byte = 0);
            }
        }
        self.bytes = bytes;
    }

    /// Whether writing there takes no page that is not there yet.
    pub(crate) fn holds(&self, offset: u64, count: usize) -> bool {
        let first = usize::try_from(offset / PAGE_BYTES as u64).unwrap_or(usize::MAX);
        let end = offset.saturating_add(count as u64).div_ceil(PAGE_BYTES as u64);
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        self.pages.get(first..end).is_some_and(|pages| pages.iter().all(Option::is_some))
    }
}

struct At {
    page: usize,
    within: usize,
}

/// `bytes`, which begin at `offset`, page by page.
fn parts(offset: u64, bytes: &mut [u8]) -> impl Iterator<Item = (At, &mut [u8])> {
    let mut offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = At { page: offset / PAGE_BYTES, within: offset % PAGE_BYTES };
        let count = rest.len().min(PAGE_BYTES - at.within);
        let (part, after) = std::mem::take(&mut rest).split_at_mut(count);
        rest = after;
        offset += count;
        Some((at, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_and_the_rest_is_zeros() {
        let mut content = Content::default();
        content.write(5_000, b"hello");
        assert_eq!(content.len(), 5_005);
        assert_eq!(content.read(4_998, 100), b"\0\0hello");
        content.write(4_094, b"abcd");
        assert_eq!(content.read(4_093, 6), b"\0abcd\0");
        assert_eq!(content.read(9_000, 6), b"");
        assert!(content.holds(4_096, 10) && !content.holds(8_000, 1_000));
    }

    #[test]
    fn what_was_cut_off_does_not_come_back() {
        let mut content = Content::default();
        content.write(0, &[7; 6_000]);
        let before = content.clone();
        content.set_len(4_100);
        content.set_len(6_000);
        assert_eq!(content.read(4_095, 10), [7, 7, 7, 7, 7, 0, 0, 0, 0, 0]);
        assert_eq!(before.read(4_095, 10), [7; 10]);
        content.set_len(0);
        content.set_len(10);
        assert_eq!(content.read(0, 10), [0; 10]);
    }
}
