//! A store of the program's own making, with a history in which every kind of step has happened.

use super::{Place, Said};

/// Runs a command that must succeed.
pub(crate) fn done(place: &Place, arguments: &[&str]) -> Said {
    let said = place.run(arguments);
    assert_eq!(said.exit, 0, "{arguments:?}: {said:?}");
    said
}

/// Plans the way to `version` and applies the plan, its loss accepted.
pub(crate) fn migrate(place: &Place, version: &str) {
    let plan = done(place, &["plan", "--to", version, "-o", "../plan.json", "--json"]).json();
    let id = plan["data"]["plan"]["id"].as_str().unwrap();
    done(place, &["apply", "../plan.json", "--accept-lossy", id]);
}

/// Makes a store in the working folder and migrates it from version 1 to 2 and to 3.
pub(crate) fn a_migrated_store(place: &Place) {
    done(place, &["init"]);
    migrate(place, "2");
    migrate(place, "3");
}
