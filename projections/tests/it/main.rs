//! Folds over whole histories.

#[cfg(test)]
#[path = "../../../ledger-format/tests/it/cases.rs"]
mod cases;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod folds;
#[cfg(test)]
mod history;
#[cfg(test)]
mod images;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod vectors;
