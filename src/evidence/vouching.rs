//! Who stands behind the events of a published folder beside the signer of its newest head: of everyone else who signed one, their newest head.
//! Events carry no signature of their own, so without these whoever signs the newest head could have written what was before it in anybody's
//! name. Judges nothing.

use std::collections::BTreeMap;

use ledger_format::hash::KeyId;
use ledger_format::head::SignedHead;

use crate::ledger::{FoldError, Ledger};

/// The name of the folder of such files in a published one.
pub(super) const HEADS: &str = "heads";

/// The file that belongs to a head over `size` events.
pub(super) fn heads_path(size: u64) -> String {
    format!("{HEADS}/{size}.json")
}

/// The newest heads of `ledger` by all but the signer of its newest, given of everyone who signed the last event that they did.
pub(super) fn heads_of(
    ledger: &Ledger,
    signed_last: &BTreeMap<KeyId, u64>,
) -> Result<Vec<SignedHead>, FoldError> {
    let newest = ledger.head().signer();
    let others = signed_last.iter().filter(|(actor, _)| **actor != newest);
    let mut last: Vec<u64> = others.map(|(_, seq)| *seq).collect();
    last.sort_unstable();
    last.into_iter().map(|seq| ledger.head_over(seq)).collect()
}
