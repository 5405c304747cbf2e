//! A contract as one object: its text and its scripts, so that a run can be done again from the
//! ledger alone.

use std::collections::BTreeMap;

use ledger_format::cbor::{self, Value};

use super::load::{ContractError, checked};
use super::location::Location;
use super::model::Contract;
use super::source::DEPTH_MAX;

/// Deepest nesting of a bundle: each level of a contract's text may take two, and the bundle has one around it.
const BUNDLE_DEPTH_MAX: usize = 2 * DEPTH_MAX + 2;

/// The bytes of a contract and its scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle(Vec<u8>);

impl Bundle {
    /// Packs a contract.
    pub fn of(contract: &Contract) -> Self {
        let scripts = contract.scripts.iter();
        let scripts = scripts.map(|(name, bytes)| (name.as_str(), Value::Bytes(bytes.clone())));
        // Made of text, integers, booleans and lists only, all of which can be encoded.
        let contract = cbor::to_value(contract).unwrap_or(Value::Null);
        Self(
            cbor::map([("contract", contract), ("scripts", Value::Map(scripts.collect()))])
                .encode(),
        )
    }

    /// The packed bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Unpacks a contract, checking it as if it were loaded from its file.
    pub fn unpack(bytes: &[u8]) -> Result<Contract, ContractError> {
        let name = "contract in the ledger";
        let syntax = |reason: String| ContractError::Syntax { at: Location::of_file(name), reason };
        let value =
            cbor::decode(bytes, BUNDLE_DEPTH_MAX).map_err(|error| syntax(error.to_string()))?;
        let Value::Map(map) = value else { return Err(syntax("not a map".into())) };
        let (Some(contract), Some(Value::Map(files))) = (map.get("contract"), map.get("scripts"))
        else {
            return Err(syntax("not a contract bundle".into()));
        };
        let mut scripts = BTreeMap::new();
        for (file, bytes) in files.iter() {
            let Value::Bytes(bytes) = bytes else {
                return Err(syntax("a script is not bytes".into()));
            };
            scripts.insert(file.to_owned(), bytes.clone());
        }
        let contract: Contract =
            cbor::from_value(contract).map_err(|error| syntax(error.to_string()))?;
        let contract = checked(name, Contract { scripts, ..contract })?;
        // An empty list that is written out, or anything besides: another form of the same contract.
        if Self::of(&contract).bytes() == bytes {
            Ok(contract)
        } else {
            Err(syntax("not in the one form of a contract bundle".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::load_bytes;
    use super::*;

    const TEXT: &str = r#"{"contract": "a\u007f\u0085", "contract_version": "1.0.0", "format": "glyph-store",
        "versions": ["1"], "current": "1", "min": "1",
        "detect": [{"version": "1", "when": {"path": "/store/version", "equals": "\u2028"}}], "edges": []}"#;

    /// Text that a contract may write escaped only, and that no second reader may stumble over.
    #[test]
    fn what_loads_unpacks_whatever_letters_it_has() {
        let contract = load_bytes("c", TEXT.as_bytes(), BTreeMap::new()).unwrap();
        assert_eq!(contract.contract, "a\u{7f}\u{85}");
        assert_eq!(Bundle::unpack(Bundle::of(&contract).bytes()).unwrap(), contract);
    }

    #[test]
    fn another_form_of_the_same_bundle_is_refused() {
        let contract = load_bytes("c", TEXT.as_bytes(), BTreeMap::new()).unwrap();
        let Value::Map(map) =
            cbor::decode(Bundle::of(&contract).bytes(), BUNDLE_DEPTH_MAX).unwrap()
        else {
            panic!("a map")
        };
        let mut more = map.clone();
        more.insert("more", 1_u64);
        let written_out =
            TEXT.replace(r#""equals": "\u2028""#, r#""equals": 1, "shape": {"table": "t"}"#);
        let contract = load_bytes("c", written_out.as_bytes(), BTreeMap::new()).unwrap();
        let bytes = Bundle::of(&contract).bytes().to_vec();
        assert_eq!(Bundle::unpack(&bytes).unwrap(), contract);
        // {"table": "t"} becomes {"has": [], "table": "t"}.
        let shape = b"\xa1\x65table\x61t";
        let at = bytes.windows(shape.len()).position(|window| window == shape).unwrap();
        let open = [&bytes[..at], b"\xa2\x63has\x80".as_slice(), &bytes[at + 1..]].concat();
        for bent in [Value::Map(more).encode(), open] {
            assert!(cbor::decode(&bent, BUNDLE_DEPTH_MAX).is_ok());
            let refused = Bundle::unpack(&bent).unwrap_err().to_string();
            assert!(refused.contains("one form"), "{refused}");
        }
    }
}
