//! The chain over the records of a trace. Its rule changed three times, the records never did.

use ledger_format::cbor::Value as Cbor;

use super::{FormulaError, FormulaReason, Hash, commit, in_cbor, object_digest, sha256, shape};
use crate::document::{Pointer, Value, canonical};

/// The rules of the chain, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    T1,
    T2,
    T3,
    T4,
}

const TAG_V1: &str = "trace_chain_v1";
const TAG: &str = "trace_chain";

/// Names under which the record that ends a run may hold the head itself. What the head hashes cannot hold it.
const HEAD_NAMES: [&str; 2] = ["trace_final_hash", "final_trace_hash"];

/// The head of the chain over `records`.
pub(super) fn head(records: &Value, generation: Generation) -> Result<Hash, FormulaError> {
    let records = records.as_list().ok_or_else(|| shape(&[], "a list of records"))?;
    let mut head = generation.start();
    for (position, record) in records.iter().enumerate() {
        let map = record.as_map();
        let map = map.ok_or_else(|| shape(&[&position.to_string()], "a record"))?;
        let ends = map.get("kind").and_then(Value::as_text) == Some("RUN_END");
        let omitted = if ends { head_places() } else { Vec::new() };
        let canonical = canonical::cbor(record, &omitted).map_err(|error| {
            let above = Pointer::default().below(&position.to_string());
            let reason = FormulaReason::NoForm(error.reason);
            FormulaError { place: error.place.under(&above), reason }
        })?;
        head = generation.next(&head, &object_digest(&canonical));
    }
    Ok(head)
}

fn head_places() -> Vec<Pointer> {
    HEAD_NAMES.iter().map(|name| Pointer::default().below(name)).collect()
}

impl Generation {
    fn start(self) -> Hash {
        match self {
            Self::T1 | Self::T2 => object_digest(&Cbor::Array(vec![TAG_V1.into()])),
            Self::T3 => commit(TAG_V1, Vec::new()),
            Self::T4 => commit(TAG, Vec::new()),
        }
    }

    fn next(self, head: &Hash, record: &Hash) -> Hash {
        match self {
            Self::T1 => sha256(&[*head, *record].concat()),
            Self::T2 => {
                object_digest(&Cbor::Array(vec![TAG_V1.into(), in_cbor(head), in_cbor(record)]))
            }
            Self::T3 => commit(TAG_V1, vec![in_cbor(head), in_cbor(record)]),
            Self::T4 => commit(TAG, vec![in_cbor(head), in_cbor(record)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger_format::hash::hex;

    use super::*;
    use crate::document::json;

    const RECORDS: &str = r#"[
        {"kind":"RUN_HEADER","schema_version":"1","run_id":"r1"},
        {"kind":"ITER","t":0,"rank":0,"operator_seq":0,"operator_id":"op.a","loss_total":0.1},
        {"kind":"RUN_END","status":"OK"}
    ]"#;

    fn of(records: &str, generation: Generation) -> Result<String, String> {
        let records = json::read(records.as_bytes()).unwrap().value;
        head(&records, generation).map(|head| hex(&head)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_generation_gives_its_known_answers() {
        use Generation::{T1, T2, T3, T4};
        for (generation, empty, three) in [
            (
                T1,
                "3039776e0d7bf8f0171e79c98330bca0c41f0b87b463d9dc0c94348116741caf",
                "e532109370458a9894125077529dacf7ed056306fc6f5d6465a11bbdaac5f45f",
            ),
            (
                T2,
                "3039776e0d7bf8f0171e79c98330bca0c41f0b87b463d9dc0c94348116741caf",
                "7c59146f733c86b3c8488c90ed75b9253ce05d4db2edaeca2b960c91324c4edd",
            ),
            (
                T3,
                "882b5851e1a6c9de1b44ee807ebf8fb74ce5bbcf1a851cba9ec84bfc5ec42e98",
                "f78a647484049aab14d089285c1b5232c500dcd8b467313a114deae5de7ed8e6",
            ),
            (
                T4,
                "d5a04212dc8be7c8c6eaab3fbaec45f4137bc49be0a0c2357f6df7954677719e",
                "d8fa73fbfbdecede32c4609bed56d423947cf6b4374422517e25b15935e78604",
            ),
        ] {
            assert_eq!(of("[]", generation).as_deref(), Ok(empty), "{generation:?}");
            assert_eq!(of(RECORDS, generation).as_deref(), Ok(three), "{generation:?}");
        }
    }

    #[test]
    fn the_record_that_ends_a_run_is_hashed_without_the_head() {
        for name in HEAD_NAMES {
            let with = RECORDS.replace(r#""OK""#, &format!(r#""OK","{name}":"x""#));
            assert_eq!(of(&with, Generation::T4), of(RECORDS, Generation::T4));
            let elsewhere = RECORDS.replace(r#""op.a""#, &format!(r#""op.a","{name}":"x""#));
            assert_ne!(of(&elsewhere, Generation::T4), of(RECORDS, Generation::T4));
        }
    }

    #[test]
    fn what_is_no_list_of_records_is_refused_with_its_place() {
        for (records, expected) in [
            ("{}", ": expected a list of records"),
            ("[{},1]", "/1: expected a record"),
            ("[{},{\"n\":[1e999]}]", "/1/n/0: the number 1e999"),
        ] {
            let error = of(records, Generation::T4).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
