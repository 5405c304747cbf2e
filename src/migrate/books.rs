//! The table in which another tool keeps account of a database's migrations: what is in it, held against the contract.

use super::error::MigrateError;
use super::observe::LiveDatabase;
use crate::contract::Contract;
use crate::sql_folder::{Books, Column, Folder, Judgement, Tables, Tool};
use crate::target::sqlite::DatabaseError;

/// The tables of all tools that are known, as far as the database has them.
pub(super) fn tables(database: &LiveDatabase) -> Result<Tables, DatabaseError> {
    let mut found = Vec::new();
    for tool in Tool::ALL {
        let columns = database.declared_columns(tool.table())?;
        if !columns.is_empty() {
            let column = |(name, declared)| Column { name, declared };
            found.push((tool.table().to_owned(), columns.into_iter().map(column).collect()));
        }
    }
    Ok(Tables::new(found))
}

/// What the books that `contract` keeps say of its migrations; `None` where it keeps none, or they are yet to be begun.
pub(super) fn judged(
    contract: &Contract,
    database: &LiveDatabase,
) -> Result<Option<Judgement>, MigrateError> {
    let Some(folder) = Folder::of_contract(contract) else { return Ok(None) };
    let Some(tool) = folder.layout.tool() else { return Ok(None) };
    let Some(books) = Books::find(tool, &tables(database)?)? else { return Ok(None) };
    Ok(Some(books.judge(&folder, &database.rows_of(&books)?)))
}
