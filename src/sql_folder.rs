//! Folders of SQL migrations as people have them: which files are migrations, in which order the tool that they were
//! written for applies them, and what that tool writes down about each in a table of the database.
//!
//! [`Folder::read`] recognises one of the [`Layout`]s and reads it as its tool does. [`Books`] is a tool's table: how it is
//! told, how its rows are read and judged against a folder, and the SQL that writes a row or takes it back.
//! [`compile`] makes a contract of a folder, which is then migrated like any other.
//!
//! Knows names, text and SQL as text. Opens no database and knows no ledger; what a table holds, the caller says. Where a
//! tool only warns, skips or leaves the order open, this refuses by name.

mod books;
mod checksum;
mod compile;
mod dbmate;
mod error;
mod folder;
mod goose;
mod judge;
mod layout;
mod metadata;
mod names;
mod recognise;
mod record;
mod statements;
mod tree;

pub use books::{Applied, Books, BooksError, Column, Tables};
pub use checksum::Width;
pub use compile::{CONTRACT, compile};
pub use error::{FolderError, Trouble};
pub use folder::{Folder, Migration, Script, Transaction};
pub use judge::{Finding, Judgement};
pub use layout::{Layout, Tool};
pub use statements::same as same_statements;
