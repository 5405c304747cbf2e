//! What a stranger can do to the files of a ledger, on a copy of its folder.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::drawn;
use super::weigh::{Row, Truth};
use crate::ledger::MemoryPins;
use crate::verify::{
    FolderReport, Folders, Options, Report, Unobserved, VerifyError, verify_folder,
};

/// A way to bend the files of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderAttack {
    /// One bit of a file.
    Byte(&'static str),
    /// A file cut off.
    Cut(&'static str),
    /// A file or folder removed.
    Gone(&'static str),
}

impl FolderAttack {
    /// Every attack, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Byte("HEAD"),
        Self::Cut("HEAD"),
        Self::Gone("HEAD"),
        Self::Byte("LEDGER"),
        Self::Cut("LEDGER"),
        Self::Gone("LEDGER"),
        Self::Byte("sled/db"),
        Self::Cut("sled/db"),
        Self::Gone("sled/db"),
        Self::Gone(""),
    ];

    /// What it is called in tables.
    #[must_use]
    pub fn title(self) -> String {
        match self {
            Self::Byte(file) => format!("a bit changed in `{file}`"),
            Self::Cut(file) => format!("`{file}` cut off"),
            Self::Gone("") => "the folder removed".to_owned(),
            Self::Gone(file) => format!("`{file}` removed"),
        }
    }
}

/// A copy of a ledger's folder, to be bent, and what is remembered of it.
#[derive(Debug)]
pub struct FolderCopy {
    /// The ledger's folder.
    pub dir: PathBuf,
    /// The folder under which it is known.
    pub place: PathBuf,
    /// What is remembered.
    pub pins: MemoryPins,
}

impl FolderCopy {
    /// What the judge says of the copy as it is.
    pub fn judge(&self) -> Result<Report, VerifyError> {
        let at = Folders { dir: &self.dir, place: &self.place, wait: Duration::ZERO };
        let judged = verify_folder(at, &self.pins, Options::default(), &mut Unobserved);
        judged.map(|FolderReport { report, .. }| report)
    }

    /// In how many ways `attack` can be tried.
    pub fn ways(&self, attack: FolderAttack) -> io::Result<u64> {
        match attack {
            FolderAttack::Byte(file) | FolderAttack::Cut(file) => {
                Ok(fs::metadata(self.dir.join(file))?.len())
            }
            FolderAttack::Gone(_) => Ok(1),
        }
    }

    /// Tries `attack` in each of the ways `numbers`, and puts the copy back as it was each time.
    pub fn try_out(&self, attack: FolderAttack, truth: &Truth, numbers: &[u64]) -> io::Result<Row> {
        let mut row = Row::new(attack.title());
        match attack {
            FolderAttack::Byte(file) | FolderAttack::Cut(file) => {
                let path = self.dir.join(file);
                let whole = fs::read(&path)?;
                for number in numbers {
                    fs::write(&path, bent(attack, &whole, *number))?;
                    row.note(*number, truth.weigh(self.judge()));
                }
                fs::write(&path, whole)?;
            }
            FolderAttack::Gone(file) => {
                let path = self.dir.join(file);
                let aside = self.place.join("aside");
                fs::rename(&path, &aside)?;
                row.note(0, truth.weigh(self.judge()));
                fs::rename(&aside, &path)?;
            }
        }
        Ok(row)
    }
}

fn bent(attack: FolderAttack, whole: &[u8], number: u64) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let at = usize::try_from(number).unwrap_or(usize::MAX);
    match attack {
        FolderAttack::Byte(_) => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (drawn(0, number) % 8);
            }
        }
        FolderAttack::Cut(_) => bytes.truncate(at),
        FolderAttack::Gone(_) => {}
    }
    bytes
}
