//! What an object was called in older versions, found by going back along the edges of its contract. Takes no step itself.

use super::{Links, Names, Subject};
use crate::contract::{Contract, Edge};
use crate::document::{Document, Value};

/// Takes the steps of an edge back; says whether that could be done.
type TakeBack<'a> = &'a dyn Fn(&Edge, &mut Value) -> bool;

/// The names that `document`, which has `version` now, had in older versions, as far as its steps can be taken back.
pub fn former_names(
    links: &Links,
    contract: &Contract,
    (id, version): (&str, &str),
    document: &Document,
    take_back: TakeBack<'_>,
) -> Vec<Names> {
    let (mut value, mut version) = (document.value.clone(), version);
    let mut former = Vec::new();
    while let Some(edge) = contract.edges.iter().find(|edge| edge.to == version) {
        version = &edge.from;
        let subject = Subject { kind: &contract.contract, version, id };
        if !take_back(edge, &mut value) || links.seal(subject, &mut value).is_err() {
            break;
        }
        let bytes = document.with(value.clone()).write().unwrap_or_default();
        former.extend(links.names(subject, &bytes, &value));
    }
    former
}
