//! Folds over whole histories.

#[cfg(test)]
mod folds;
#[cfg(test)]
mod history;
#[cfg(test)]
mod vectors;
