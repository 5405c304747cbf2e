//! A SQLite database as a migration target, from the live file to the live file:
//!
//! [`Snapshot`] (one read transaction) → [`image`] (its pages as objects under one page root) →
//! [`WorkCopy`] (steps run, changed pages named, [`Loss`] measured) →
//! [`Publisher`] (the differing pages into the live file).
//!
//! Knows databases and objects. Knows no ledger, no event, no command line and no clock.
//! SPEC §8.4 and §9 define every hash made here.

mod alone;
mod authority;
mod btree;
mod changes;
#[cfg(test)]
mod conformance;
mod connection;
mod content;
mod create;
mod error;
mod foreign_keys;
pub mod image;
mod inputs;
mod loss;
mod many_rows;
mod page;
mod page_tree;
mod publish;
mod rows;
mod running;
mod schema;
mod script;
mod snapshot;
mod spans;
mod sweep;
#[cfg(test)]
mod testing;
mod wal;
mod work_copy;

pub use authority::RequestedPragma;
pub use changes::{Change, Changes, ColumnValues, Declared, Kind, Setting, TableChanges};
pub use content::ContentError;
pub use create::create_empty;
pub use error::DatabaseError;
pub use image::ImageError;
pub use inputs::StepInputs;
pub use loss::{
    ChangedId, DroppedColumn, Exemption, ID_CANDIDATES_MAX, LISTED_ROWS_MAX, Loss, LostRow,
    RowLoss, TableLoss,
};
pub use page::{Chunkwise, Layout, PageSize, PageSource, Pages};
pub use page_tree::{PageTree, UnknownPage};
pub use publish::{Access, Known, PublishError, Publisher, Standing, recognise};
pub use running::Transactions;
pub use script::Script;
pub use snapshot::{Snapshot, Watch};
pub use work_copy::{RowOrder, StepError, StepOutcome, WorkCopy};

/// Names in one node of a page tree: 64 × 32 bytes are 2 KiB, so a changed page costs one small
/// object a level, and 1 GiB of 4 KiB pages needs two levels.
pub const RUN_LENGTH: usize = 64;
