//! What a plan loses, summed over its steps: the bound that applying it may not exceed, and what must
//! stand in the contract.

use std::collections::BTreeMap;

use ledger_format::cbor::{self, Value};
use ledger_format::hash::CommitHash;
use serde::{Deserialize, Serialize};

use super::error::MigrateError;
use crate::contract::{ANYTHING, Edge};
use crate::target::sqlite::Loss;

/// Number of values lost, by what is lost: `table`, `table.column` or `table (rows)`.
pub type LossSummary = BTreeMap<String, LostValues>;

/// How much of one thing is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostValues {
    /// Whether the table or column itself is gone.
    pub dropped: bool,
    /// Values, rows or ids that are gone or changed.
    pub values: u64,
}

/// Loss measured so far.
#[derive(Debug, Clone, Default)]
pub(super) struct MeasuredLoss {
    pub(super) summary: LossSummary,
    steps: Vec<Value>,
}

impl MeasuredLoss {
    /// Takes in what one step of `edge` lost, refusing what the edge does not declare.
    pub(super) fn add(&mut self, edge: &Edge, loss: &Loss) -> Result<(), MigrateError> {
        if loss.is_lossless() {
            return Ok(());
        }
        for (what, declared_by, lost) in entries(loss) {
            let declares =
                |declared: &String| declared == ANYTHING || declared_by.contains(declared);
            if !edge.lossy.iter().any(declares) {
                let edge = format!("{} -> {}", edge.from, edge.to);
                return Err(MigrateError::Undeclared { edge, what });
            }
            let sum = self.summary.entry(what).or_default();
            sum.dropped |= lost.dropped;
            sum.values = sum.values.saturating_add(lost.values);
        }
        self.steps.push(loss.to_value());
        Ok(())
    }

    /// Number of values lost; a thing that is gone counts for what it held.
    pub(super) fn lost(&self) -> u64 {
        total(&self.summary)
    }

    /// The list of what is lost, step by step.
    pub(super) fn list(&self) -> Value {
        Value::Array(self.steps.clone())
    }

    /// `CommitHash("migration_loss", [loss of each lossy step])` (SPEC §8.4).
    pub(super) fn hash(&self) -> CommitHash {
        CommitHash::of("migration_loss", &self.list())
    }
}

/// How much is in a summary, whatever it is. A table or column that is gone and held nothing counts for nothing.
pub fn total(summary: &LossSummary) -> u64 {
    summary.values().map(|lost| lost.values).fold(0, u64::saturating_add)
}

/// Whether everything in `found` is in `bound`, and not more of it.
pub(super) fn within(found: &LossSummary, bound: &LossSummary) -> bool {
    found.iter().all(|(what, lost)| {
        bound.get(what).is_some_and(|allowed| {
            lost.values <= allowed.values && (!lost.dropped || allowed.dropped)
        })
    })
}

/// A summary as a value, for the plan's preimage.
pub(super) fn as_value(summary: &LossSummary) -> Value {
    let entry = |lost: &LostValues| {
        cbor::map([("dropped", lost.dropped.into()), ("values", lost.values.into())])
    };
    Value::Map(summary.iter().map(|(what, lost)| (what.as_str(), entry(lost))).collect())
}

/// The summary that [`as_value`] gave.
pub(super) fn from_value(value: &Value) -> Option<LossSummary> {
    cbor::from_value(value).ok()
}

/// One loss as a summary.
#[cfg(test)]
pub(super) fn summary_of(loss: &Loss) -> LossSummary {
    entries(loss).into_iter().map(|(what, _, lost)| (what, lost)).collect()
}

/// What a loss consists of: what it is called, the declarations that cover it, and how much.
fn entries(loss: &Loss) -> Vec<(String, Vec<String>, LostValues)> {
    let mut entries = Vec::new();
    for table in &loss.tables {
        let name = &table.table;
        let whole = || vec![name.clone()];
        let column = |column: &str| vec![name.clone(), format!("{name}.{column}")];
        if table.dropped {
            let lost = LostValues { dropped: true, values: table.rows_gone };
            entries.push((name.clone(), whole(), lost));
        } else if table.rows_gone > 0 {
            let lost = LostValues { dropped: false, values: table.rows_gone };
            entries.push((format!("{name} (rows)"), whole(), lost));
        }
        if table.ids_changed > 0 {
            let lost = LostValues { dropped: false, values: table.ids_changed };
            entries.push((format!("{name} (ids)"), whole(), lost));
        }
        for dropped in &table.dropped_columns {
            let lost = LostValues { dropped: true, values: dropped.values };
            entries.push((format!("{name}.{}", dropped.column), column(&dropped.column), lost));
        }
        for (changed, values) in &table.values_changed {
            let lost = LostValues { dropped: false, values: *values };
            entries.push((format!("{name}.{changed} (values)"), column(changed), lost));
        }
    }
    entries
}
