//! What a command that names nothing works on: the nearest folder from the working directory upwards with a ledger in it, be
//! that the one of a store or one that lies alone. Looks; opens nothing.

use std::path::{Path, PathBuf};

use super::{LEDGER_FOLDER, is_folder, place};
use crate::diagnostic::{Failure, USAGE};
use crate::ledger::Pins as _;
use crate::target::glyph_store::Layout;
use crate::trust::FilePins;

/// A ledger that was found.
#[derive(Debug)]
pub(super) enum Nearest {
    /// In this store.
    InStore(Layout),
    /// In this folder, which lies alone.
    Alone(PathBuf),
}

/// The nearest ledger at or above `here` that is there, or is known to have been: a place known to have held one is never
/// "nothing here", and what lies further up is not meant. Refuses to choose between two in one folder.
pub(super) fn nearest(here: &Path, pins: &FilePins) -> Result<Option<Nearest>, Failure> {
    for folder in here.ancestors() {
        if let Some(found) = in_folder(folder, pins)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn in_folder(folder: &Path, pins: &FilePins) -> Result<Option<Nearest>, Failure> {
    let stores = || [folder.join(".glyph"), folder.to_owned()].into_iter().map(Layout::new);
    let alone = folder.join(LEDGER_FOLDER);
    let alone_is_there = is_folder(&alone)?;
    for layout in stores() {
        if is_one(&layout) && is_folder(&layout.ledger())? {
            if alone_is_there {
                return Err(two(&layout, &alone));
            }
            return Ok(Some(Nearest::InStore(layout)));
        }
    }
    if alone_is_there {
        return Ok(Some(Nearest::Alone(alone)));
    }
    let known = |dir: &Path| Ok::<_, Failure>(pins.ledger_at(&place(dir)?)?.is_some());
    for layout in stores() {
        // What cannot be looked into cannot be called empty.
        is_folder(&layout.ledger())?;
        if known(&layout.ledger())? {
            return Ok(Some(Nearest::InStore(layout)));
        }
    }
    Ok(known(&alone)?.then_some(Nearest::Alone(alone)))
}

/// Any folder may have one named as a ledger of a store is.
fn is_one(layout: &Layout) -> bool {
    layout.manifest().is_file() || layout.ledger().join("LEDGER").is_file()
}

fn two(layout: &Layout, alone: &Path) -> Failure {
    let (store, alone) = (layout.root().display().to_string(), alone.display().to_string());
    let told = format!("there is a ledger in {store} and another one, {alone}: say which is meant");
    Failure::new(&USAGE, told)
        .at(&*alone)
        .next(["status", "--store", &store])
        .next(["status", "--ledger", &alone])
}
