//! Documents of 2 to 4 KiB made up from a number, and the contract that takes them one version up.

use std::fs;
use std::path::Path;

use glyph_ledger::contract::{Contract, load_bytes};
use serde_json::{Value, json};

use crate::error::{Error, at};

const CONTRACT: &str = r#"
contract: order
contract_version: 1.0.0
format: json
files: ["**/*.json"]
versions: ["1", "2"]
current: "2"
min: "1"
detect:
  - {version: "1", when: {path: /schema, equals: 1}}
  - {version: "2", when: {path: /schema, equals: 2}}
schemas:
  "2": order-2.schema.json
edges:
  - from: "1"
    to: "2"
    steps:
      - map_values: {path: /schema, table: [{from: 1, to: 2}]}
      - rename: {path: /customer/mail, to: email}
      - convert: {path: /total, to: text_to_number}
      - add: {path: /currency, value: EUR}
      - each: {path: /items, steps: [rename: {path: /qty, to: quantity}]}
    proof: {addsDefaulted: [/currency], dropsNothing: true}
"#;

const SCHEMA: &str = r#"{
  "type": "object",
  "required": ["schema", "id", "customer", "total", "currency", "items"],
  "properties": {
    "schema": {"const": 2},
    "id": {"type": "string"},
    "currency": {"type": "string"},
    "total": {"type": "number"},
    "customer": {
      "type": "object",
      "required": ["name", "email"],
      "properties": {"name": {"type": "string"}, "email": {"type": "string"}}
    },
    "items": {
      "type": "array",
      "items": {
        "type": "object",
        "required": ["sku", "quantity", "price"],
        "properties": {
          "sku": {"type": "string"},
          "quantity": {"type": "integer", "minimum": 1},
          "price": {"type": "number"}
        }
      }
    }
  }
}"#;

/// Files of one folder.
const FOLDER: u64 = 1_000;

/// The contract of the documents that are made up.
pub(super) fn contract() -> Result<Contract, Error> {
    let files = [("order-2.schema.json".to_owned(), SCHEMA.as_bytes().to_vec())].into();
    Ok(load_bytes("order.yaml", CONTRACT.as_bytes(), files)?)
}

/// Writes `count` documents into a new folder and returns their length together. The same numbers give the same bytes.
pub(super) fn write(tree: &Path, seed: u64, count: u64) -> Result<u64, Error> {
    let mut bytes = 0;
    for number in 0..count {
        let folder = tree.join(format!("{:04}", number / FOLDER));
        if number % FOLDER == 0 {
            fs::create_dir_all(&folder).map_err(at(&folder))?;
        }
        let path = folder.join(format!("{number:07}.json"));
        let text = text(seed, number);
        bytes += text.len() as u64;
        fs::write(&path, text).map_err(at(&path))?;
    }
    Ok(bytes)
}

fn text(seed: u64, number: u64) -> String {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number));
    let text = serde_json::to_string_pretty(&order(&mut dice, number)).unwrap_or_default();
    text + "\n"
}

fn order(dice: &mut Dice, number: u64) -> Value {
    let items: Vec<Value> = (0..13 + dice.below(8)).map(|_| item(dice)).collect();
    json!({
        "schema": 1,
        "id": format!("order-{number:07}"),
        "placed": format!("2024-{:02}-{:02}T08:30:00Z", 1 + dice.below(12), 1 + dice.below(28)),
        "status": "shipped",
        "customer": {
            "name": words(dice, 2),
            "mail": format!("{}@example.org", words(dice, 1)),
            "address": {"street": words(dice, 2), "city": words(dice, 1), "country": "DE"},
            "newsletter": dice.below(2) == 0,
        },
        "total": format!("{}.{:02}", dice.below(1_000), dice.below(100)),
        "notes": words(dice, 32),
        "tags": [words(dice, 1), words(dice, 1), null],
        "items": items,
    })
}

fn item(dice: &mut Dice) -> Value {
    json!({
        "sku": format!("{:012x}", dice.next() >> 16),
        "title": words(dice, 3),
        "qty": 1 + dice.below(9),
        "price": 0.25 * f64::from(u32::try_from(dice.below(4_000)).unwrap_or(1)),
    })
}

const WORDS: [&str; 16] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "glade", "heath", "inlet", "jasper",
    "knoll", "larch", "maple", "naïve", "ochre", "pine",
];

fn words(dice: &mut Dice, count: u64) -> String {
    let word = |_| {
        let place = usize::try_from(dice.below(16)).unwrap_or_default();
        WORDS.get(place).copied().unwrap_or_default()
    };
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

/// Numbers from a number: splitmix64.
struct Dice(u64);

impl Dice {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

#[cfg(test)]
mod tests {
    use glyph_ledger::migrate::documents::{Outside, Prepared, Status};

    use super::*;

    #[test]
    fn documents_have_the_stated_size_and_migrate_without_loss() {
        let prepared = Prepared::of(contract().unwrap(), &Outside::default()).unwrap();
        for number in 0..300 {
            let text = text(1, number);
            assert!((2_048..=4_096).contains(&text.len()), "{number}: {} bytes", text.len());
            let evaluation = prepared.evaluate(text.as_bytes(), None);
            assert_eq!(evaluation.status, Status::Migrated, "{:?}", evaluation.refusals);
            assert!(evaluation.lost.is_empty());
        }
    }
}
