//! Rows as bytes: every value with its type and its length, so that no two rows share an encoding
//! (SPEC §9.2). Knows values, no table.

use ledger_format::hash::{ContentHash, HASH_BYTES};
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;

/// The name under which [`define`] makes the row hash callable from SQL.
pub(super) const ROW_HASH: &str = "glyph_row_hash";

/// Makes `glyph_row_hash(a, b, …)` callable on `connection`, so that SQLite can sort rows by it with
/// bounded memory.
pub(super) fn define(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(ROW_HASH, -1, flags, |call| {
        let hash = row_hash((0..call.len()).map(|at| call.get_raw(at)));
        Ok(hash.as_bytes().to_vec())
    })
}

/// The hash of one row.
pub(super) fn row_hash<'a>(values: impl Iterator<Item = ValueRef<'a>>) -> ContentHash {
    let mut bytes = Vec::with_capacity(HASH_BYTES * 4);
    values.for_each(|value| encode(value, &mut bytes));
    ContentHash::of(&bytes)
}

/// The same of values that may not be there to read, in memory that many rows share.
pub(super) fn row_hash_in<'a, E>(
    bytes: &mut Vec<u8>,
    mut values: impl Iterator<Item = Result<ValueRef<'a>, E>>,
) -> Result<ContentHash, E> {
    bytes.clear();
    values.try_for_each(|value| {
        encode(value?, bytes);
        Ok(())
    })?;
    Ok(ContentHash::of(bytes))
}

fn encode(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => out.push(0),
        ValueRef::Integer(number) => {
            out.push(1);
            out.extend(number.to_be_bytes());
        }
        ValueRef::Real(number) => {
            out.push(2);
            out.extend(number.to_bits().to_be_bytes());
        }
        ValueRef::Text(text) => framed(3, text, out),
        ValueRef::Blob(blob) => framed(4, blob, out),
    }
}

fn framed(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend((bytes.len() as u64).to_be_bytes());
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_that_differ_in_type_or_in_where_a_value_ends_have_other_hashes() {
        let connection = Connection::open_in_memory().unwrap();
        define(&connection).unwrap();
        let rows = [
            "5",
            "5.0",
            "'5'",
            "x'35'",
            "NULL",
            "''",
            "x''",
            "0.0",
            "-0.0",
            "0",
            "'a','b3c'",
            "'a3b','c'",
            "'ab3c'",
            "NULL,NULL",
        ];
        let hashes: BTreeSet<Vec<u8>> = rows
            .iter()
            .map(|row| {
                let call = format!("SELECT {ROW_HASH}({row})");
                connection.query_row(&call, [], |found| found.get(0)).unwrap()
            })
            .collect();
        assert_eq!(hashes.len(), rows.len());
    }

    #[test]
    fn the_encoding_is_the_one_written_down() {
        let hash = row_hash([ValueRef::Integer(-2), ValueRef::Text(b"hi")].into_iter());
        let bytes =
            [&[1, 255, 255, 255, 255, 255, 255, 255, 254][..], &[3, 0, 0, 0, 0, 0, 0, 0, 2], b"hi"];
        assert_eq!(hash, ContentHash::of(&bytes.concat()));
    }
}
