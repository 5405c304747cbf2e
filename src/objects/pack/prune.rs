//! Taking objects out of packs for good. What is to go is written down first; whoever opens the packs for writing after a
//! crash finishes it. Knows names and records; decides nothing about who needs what.
//!
//! The list: magic ‖ names ‖ SHA-256 of all that. It appears under its name whole.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::Path;

use ledger_format::hash::{ContentHash, HASH_BYTES};

use super::scan::Scan;
use super::{Folder, HEADER_BYTES, io_error};
use crate::effects::{Syncs, syncs};
use crate::objects::ObjectsError;

const MAGIC: [u8; 8] = *b"GLYPHprn";

/// Writes down durably that `names` are to go.
pub(super) fn announce(
    folder: &Folder,
    names: &HashSet<ContentHash>,
    syncs: &dyn Syncs,
) -> Result<(), ObjectsError> {
    let mut names: Vec<_> = names.iter().collect();
    names.sort_unstable();
    let mut bytes = MAGIC.to_vec();
    for name in names {
        bytes.extend_from_slice(name.as_bytes());
    }
    bytes.extend_from_slice(ContentHash::of(&bytes).as_bytes());
    let (list, fresh) = (folder.pruning(), folder.fresh());
    let write = || {
        let mut file = File::create(&fresh)?;
        file.write_all(&bytes)?;
        syncs.all(&file)?;
        fs::rename(&fresh, &list)?;
        syncs::folder(syncs, &folder.dir)
    };
    write().map_err(io_error(&list))
}

/// Takes out what was written down, if something was: every pack that has some of it is written anew beside its place and
/// renamed. Whether anything was written down.
pub(super) fn finish(folder: &Folder, syncs: &dyn Syncs) -> Result<bool, ObjectsError> {
    let list = folder.pruning();
    let bytes = match fs::read(&list) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(io_error(&list)(source)),
    };
    let names = decode(&bytes).ok_or_else(|| {
        io_error(&list)(io::Error::new(io::ErrorKind::InvalidData, "no list of names"))
    })?;
    // An index that says where things lay must not outlive that.
    remove(&folder.index(), &folder.dir, syncs)?;
    for number in 0.. {
        let path = folder.pack(number);
        match File::open(&path) {
            Ok(pack) => rewrite(&pack, &path, &names, folder, syncs).map_err(io_error(&path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(source) => return Err(io_error(&path)(source)),
        }
    }
    remove(&list, &folder.dir, syncs)?;
    Ok(true)
}

fn decode(bytes: &[u8]) -> Option<HashSet<ContentHash>> {
    let (body, checksum) = bytes.split_last_chunk::<HASH_BYTES>()?;
    let names = body.strip_prefix(&MAGIC)?;
    let (names, []) = names.as_chunks::<HASH_BYTES>() else { return None };
    let whole = ContentHash::of(body).as_bytes() == checksum;
    whole.then(|| names.iter().map(|name| ContentHash::from_bytes(*name)).collect())
}

fn remove(file: &Path, dir: &Path, syncs: &dyn Syncs) -> Result<(), ObjectsError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(file)(error)),
        _ => {}
    }
    syncs::folder(syncs, dir).map_err(io_error(dir))
}

/// Everything but the records of `names` stays, also what is no whole record.
fn rewrite(
    pack: &File,
    path: &Path,
    names: &HashSet<ContentHash>,
    folder: &Folder,
    syncs: &dyn Syncs,
) -> io::Result<()> {
    let length = pack.metadata()?.len();
    let found = Scan::of(pack, 0..length, false)?.found;
    let goes: Vec<Range<u64>> = found
        .iter()
        .filter(|(name, ..)| names.contains(name))
        .map(|(_, offset, bytes)| offset - HEADER_BYTES as u64..offset + u64::from(*bytes))
        .collect();
    if goes.is_empty() {
        return Ok(());
    }
    let fresh = folder.fresh();
    let mut to = File::create(&fresh)?;
    let mut from = 0;
    for gap in goes.into_iter().chain(std::iter::once(length..length)) {
        let mut pack = pack;
        pack.seek(SeekFrom::Start(from))?;
        io::copy(&mut pack.take(gap.start - from), &mut to)?;
        from = gap.end;
    }
    syncs.all(&to)?;
    fs::rename(&fresh, path)?;
    syncs::folder(syncs, &folder.dir)
}
