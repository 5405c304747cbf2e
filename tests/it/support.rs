//! What tests of the program need: a place of their own, the binary in an empty environment, and
//! ledgers whose every hash is the same in every run.

mod browser;
mod documents;
mod glyph_store;
mod history;
mod ledgers;
mod place;
mod schema;
mod story;
pub(crate) mod trace;
pub(crate) mod witness;

pub(crate) use browser::look;
pub(crate) use documents::{
    a_shelf, a_tree, apply_plan, beside, plan_all, set_contract, untouched,
};
pub(crate) use glyph_store::{Shape, a_glyph_store, change_store, rows_of};
pub(crate) use history::a_history;
pub(crate) use ledgers::{
    Folder, Kept, VecLog, copy, fingerprint, key, log, log_of, log_of_documents, sign,
};
pub(crate) use place::{Place, Said};
pub(crate) use schema::{check_against, check_answer, schema_of};
pub(crate) use story::{a_migrated_store, done, migrate};

/// Says that `what` is not shown on this machine, where it is seen also if the test then passes: what
/// is printed by a macro is only seen if it fails.
pub(crate) fn not_shown(what: &str, why: &str) {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "NOT SHOWN: {what}: {why}").unwrap();
}
