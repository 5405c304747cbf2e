//! How much accepted drift changed, from the images before and after it.

use serde::Serialize;

use super::{Exception, Matter};
use crate::ledger::Ledger;
use crate::objects::Objects;
use crate::replay::accepted_drift;
use crate::target::sqlite::{Changes, TableChanges};

/// How much accepted drift changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DriftSize {
    /// Tables, columns, indexes, triggers and views that are declared otherwise, are new or are gone.
    pub declared: u64,
    /// Rows that are new.
    pub rows_added: u64,
    /// Rows that are gone.
    pub rows_removed: u64,
    /// Rows that hold something else.
    pub rows_changed: u64,
    /// Settings of the file that differ.
    pub settings: u64,
}

impl DriftSize {
    fn of(changes: &Changes) -> Self {
        let rows = |of: fn(&TableChanges) -> u64| changes.tables.iter().map(of).sum();
        Self {
            declared: changes.declared.len() as u64,
            rows_added: rows(|table| table.added),
            rows_removed: rows(|table| table.removed),
            rows_changed: rows(|table| table.changed),
            settings: changes.settings.len() as u64,
        }
    }
}

/// Measures the accepted drift among `found`, as far as its images are there.
pub fn measure_drift(ledger: &Ledger, objects: &dyn Objects, found: &mut [Exception]) {
    for Exception { seq, matter } in found {
        if let Matter::DriftAccepted { size, .. } = matter {
            let changes = accepted_drift(ledger, objects, *seq).ok().flatten();
            *size = changes.as_ref().map(DriftSize::of);
        }
    }
}
