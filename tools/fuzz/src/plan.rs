//! The readers of plan files.

use glyph_ledger::migrate::documents::DocumentsPlan;
use glyph_ledger::migrate::{Plan, PlanFileError};

/// A mutation changes the id, so a plan that was read but for its id is given the right one.
pub(crate) fn file(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let plan = match Plan::from_json(text) {
        Ok(plan) => plan,
        Err(PlanFileError::Edited { stated, actual }) => {
            assert_ne!(stated, actual);
            let named = text.replace(&stated.to_string(), &actual.to_string());
            // The same hash may stand elsewhere in the plan, which then is another plan.
            let Ok(plan) = Plan::from_json(&named) else { return };
            plan
        }
        Err(_) => return,
    };
    let written = plan.to_json().expect("a plan is written");
    assert_eq!(Plan::from_json(&written).expect("a plan that is written is read"), plan);
    assert!(plan.lost() > 0 || plan.loss.values().all(|lost| lost.values == 0 && !lost.dropped));
}

/// The same of plans for documents.
pub(crate) fn documents(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let plan = match DocumentsPlan::from_json(text) {
        Ok(plan) => plan,
        Err(PlanFileError::Edited { stated, actual }) => {
            assert_ne!(stated, actual);
            let named = text.replace(&stated.to_string(), &actual.to_string());
            let Ok(plan) = DocumentsPlan::from_json(&named) else { return };
            plan
        }
        Err(_) => return,
    };
    let written = plan.to_json().expect("a plan is written");
    assert_eq!(DocumentsPlan::from_json(&written).expect("a plan that is written is read"), plan);
}
