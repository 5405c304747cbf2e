//! How much room there is on a disk.

use std::io;
use std::path::Path;

/// Bytes that an ordinary user can still write to the file system of `path`; `None` where it does not
/// say how large it is, as some that are served by a program do not.
pub(crate) fn bytes_free(path: &Path) -> io::Result<Option<u64>> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(counted(stat.f_blocks, stat.f_bavail, stat.f_frsize))
}

fn counted(blocks: u64, blocks_free: u64, block_bytes: u64) -> Option<u64> {
    (blocks > 0).then(|| blocks_free.saturating_mul(block_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_does_not_count_is_not_full() {
        assert_eq!(counted(0, 0, 512), None);
        assert_eq!(counted(100, 0, 512), Some(0));
        assert_eq!(counted(100, 7, 512), Some(3_584));
    }
}
