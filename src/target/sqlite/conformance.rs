//! One hash over seeded databases, trees and losses: everything of a database that is hashed or kept.

use std::path::Path;

use conformance::{Draw, Suite, variant};
use ledger_format::cbor::Value;
use ledger_format::hash::ContentHash;
use rusqlite::Connection;
use rusqlite::types::{Value as Cell, ValueRef};

use super::loss::{ChangedId, DroppedColumn, LostRow, RowLoss, TableLoss};
use super::page::PageSize;
use super::{Loss, PageTree, StepInputs, content, page_tree, rows, schema};

#[test]
fn databases_trees_and_losses_hash_as_recorded() {
    let mut suite = Suite::in_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/src/target/sqlite"));
    suite.one_way("row", |draw| {
        let cells: Vec<Cell> = draw.list(8, cell);
        rows::row_hash(cells.iter().map(ValueRef::from)).as_bytes().to_vec()
    });
    suite.one_way("page root", |draw| tree(draw).root_bytes());
    suite.one_way("page run", |draw| {
        let run: Vec<_> = draw.list(64, |draw| ContentHash::from_bytes(draw.array()));
        page_tree::node_bytes(&run)
    });
    suite.one_way("content and schema", |draw| {
        let database = database(draw);
        let content = content::hash(&database, Path::new("seeded")).unwrap();
        [*content.as_bytes(), *schema::digest(&database).unwrap().as_bytes()].concat()
    });
    suite.one_way("step inputs", |draw| {
        let clock_ms = i64::from_be_bytes(draw.array());
        StepInputs::of_step(clock_ms, &draw.array(), &draw.text(2), draw.number()).seed.to_vec()
    });
    suite.one_way("loss", |draw| loss(draw).to_value().encode());
    suite.finish();
}

fn cell(draw: &mut Draw) -> Cell {
    variant!(draw, Cell {
        Null => Cell::Null,
        Integer => Cell::Integer(i64::from_be_bytes(draw.array())),
        Real => Cell::Real(f64::from_bits(u64::from_be_bytes(draw.array()))),
        Text => Cell::Text(draw.text(4)),
        Blob => Cell::Blob(draw.bytes(20)),
    })
}

fn tree(draw: &mut Draw) -> PageTree {
    let size = PageSize::new(512 << draw.below(8)).unwrap();
    let longest = if draw.below(20) == 0 { 5_000 } else { 130 };
    let pages =
        (0..=draw.below(longest)).map(|page| ContentHash::of(&page.to_be_bytes())).collect();
    PageTree::over(size, pages)
}

fn database(draw: &mut Draw) -> Connection {
    let database = Connection::open_in_memory().unwrap();
    content::prepare(&database).unwrap();
    database.pragma_update(None, "user_version", draw.byte() % 5).unwrap();
    for table in 0..draw.below(3) {
        let kind = ["", "INTEGER PRIMARY KEY", "TEXT UNIQUE"][draw.index(3)];
        database.execute_batch(&format!("CREATE TABLE \"t {table}\" (a {kind}, b)")).unwrap();
        for row in 0..draw.byte() % 4 {
            let insert = format!("INSERT INTO \"t {table}\" VALUES (?1, ?2)");
            database.execute(&insert, (row, cell(draw))).unwrap();
        }
    }
    database
}

fn key(draw: &mut Draw) -> Vec<Value> {
    draw.list(2, |draw| Value::from(draw.number()))
}

fn loss(draw: &mut Draw) -> Loss {
    let table = |draw: &mut Draw| TableLoss {
        table: draw.text(2),
        dropped: draw.truth(),
        dropped_columns: draw
            .list(2, |draw| DroppedColumn { column: draw.text(2), values: draw.number() }),
        rows_gone: draw.number(),
        ids_changed: draw.number(),
        values_changed: draw.list(2, |draw| (draw.text(2), draw.number())),
        ids: draw.list(2, |draw| ChangedId { was: key(draw), now: key(draw) }),
    };
    let row = |draw: &mut Draw| LostRow {
        table: draw.text(2),
        key: key(draw),
        what: variant!(draw, RowLoss {
            Gone => RowLoss::Gone,
            Changed => RowLoss::Changed { column: draw.text(2) },
        }),
    };
    Loss { tables: draw.list(3, table), listed: draw.list(3, row) }
}
