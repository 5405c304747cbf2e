//! A contract as one object: its text and its scripts, so that a run can be done again from the
//! ledger alone.

use std::collections::BTreeMap;

use ledger_format::cbor::{self, EVENT_DEPTH_MAX, Value};

use super::load::{ContractError, load_bytes};
use super::model::Contract;

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
        let syntax = |reason: String| ContractError::Syntax { name: name.to_owned(), reason };
        let value =
            cbor::decode(bytes, EVENT_DEPTH_MAX).map_err(|error| syntax(error.to_string()))?;
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
        let text = serde_json::to_vec(&contract).map_err(|error| syntax(error.to_string()))?;
        load_bytes(name, &text, scripts)
    }
}
