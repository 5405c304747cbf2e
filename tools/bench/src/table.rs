//! The peer: the ledger that one would write in an afternoon. A SQLite table in which each row hashes
//! its predecessor, and a signed head for each transaction.

use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use crate::history::signing_key;

pub(crate) struct ChainedTable {
    connection: Connection,
    key: SigningKey,
    size: i64,
    last: [u8; 32],
}

impl ChainedTable {
    pub(crate) fn create(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE events(seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, bytes BLOB NOT NULL);
             CREATE TABLE heads(size INTEGER PRIMARY KEY, signature BLOB NOT NULL);",
        )?;
        Ok(Self { connection, key: signing_key(), size: 0, last: [0; 32] })
    }

    /// Appends `events` in one durable transaction.
    pub(crate) fn append(&mut self, events: &[Vec<u8>]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let (mut size, mut last) = (self.size, self.last);
        let mut insert = transaction
            .prepare_cached("INSERT INTO events(seq, hash, bytes) VALUES (?1, ?2, ?3)")?;
        for event in events {
            last = Sha256::new().chain_update(last).chain_update(event).finalize().into();
            insert.execute(params![size, last, event])?;
            size += 1;
        }
        drop(insert);
        let signature = self.key.sign(&[&size.to_be_bytes()[..], &last].concat()).to_bytes();
        transaction
            .prepare_cached("INSERT INTO heads(size, signature) VALUES (?1, ?2)")?
            .execute(params![size, signature])?;
        transaction.commit()?;
        (self.size, self.last) = (size, last);
        Ok(())
    }
}
