//! Folds over whole histories.

mod folds;
mod history;
