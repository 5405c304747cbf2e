//! Which images a database needs after it was pruned.

use ledger_format::body::{
    Body, Cause, ObjectMigrated, ObjectObserved, ObjectPruned, ObjectStaged, ObjectState,
    RunAborted, RunCommitted, StagedContent,
};
use ledger_format::hash::{CommitHash, EventId};
use projections::{ImageNeeds, NeededImages};

fn root(number: u64) -> CommitHash {
    CommitHash::of("page_root", &number.into())
}

fn database(number: u64) -> ObjectState {
    let (rows, schema) = (root(number).into(), root(number).into());
    ObjectState::Database { page_root: root(number), rows, schema }
}

fn observed(object: &str, number: u64) -> Body {
    let (object, cause) = (object.to_owned(), Cause::DataChange);
    ObjectObserved { object, cause, state: database(number) }.into()
}

fn staged(number: u64) -> Body {
    let result = StagedContent::Database { page_root: root(number) };
    let (run, edge) = (EventId::of(b"run"), root(0));
    ObjectStaged { run, object: "a.db".into(), step: 0, edge, result }.into()
}

fn migrated(from: u64, to: u64) -> Body {
    ObjectMigrated {
        run: EventId::of(b"run"),
        object: "a.db".into(),
        route: None,
        operator: "sqlite".into(),
        source: database(from),
        target: database(to),
        loss: root(0),
        lost: 0,
        reads_inputs: false,
        loss_list: None,
        verdicts: [].into(),
        renamed: Vec::new(),
    }
    .into()
}

fn committed() -> Body {
    let run = EventId::of(b"run");
    RunCommitted { run, certificate: root(0), places: 1, audit: None }.into()
}

fn aborted() -> Body {
    RunAborted { run: EventId::of(b"run"), code: String::new(), message: String::new() }.into()
}

fn pruned(object: &str, keep: u64) -> Body {
    let (object, reason) = (object.to_owned(), String::new());
    ObjectPruned { object, keep, reason, images: 0, bytes: 0 }.into()
}

fn after(bodies: impl IntoIterator<Item = Body>) -> NeededImages {
    let mut needs = ImageNeeds::default();
    (0..).zip(bodies).for_each(|(seq, body)| needs.take(seq, &body));
    needs.finish()
}

fn check(bodies: Vec<Body>, needed: &[u64], gone: &[u64]) {
    let found = after(bodies);
    for number in needed {
        assert!(found.needed.contains_key(&root(*number)), "{number} is needed");
    }
    for number in gone {
        assert!(found.pruned.contains_key(&root(*number)), "{number} is not needed");
    }
    assert_eq!((found.needed.len(), found.pruned.len()), (needed.len(), gone.len()));
}

#[test]
fn s4_what_a_database_was_when_pruning_begins_to_keep_is_kept_and_what_it_was_before_is_not() {
    let history = || vec![observed("a.db", 1), observed("a.db", 2), staged(9), observed("a.db", 3)];
    let cut = |keep| history().into_iter().chain([pruned("a.db", keep)]).collect::<Vec<_>>();
    check(history(), &[1, 2, 3, 9], &[]);
    check(cut(0), &[1, 2, 3, 9], &[]);
    check(cut(1), &[2, 3, 9], &[1]);
    check(cut(2), &[2, 3, 9], &[1]);
    // At event 3 it is another one.
    check(cut(3), &[3], &[1, 2, 9]);
    check(cut(4), &[3], &[1, 2, 9]);
}

#[test]
fn s4_what_a_run_made_before_that_and_committed_after_it_is_kept() {
    let run =
        |end: Body| vec![observed("a.db", 1), staged(2), migrated(1, 2), end, pruned("a.db", 3)];
    check(run(committed()), &[2], &[1]);
    check(run(aborted()), &[1], &[2]);
}

#[test]
fn s4_what_another_database_needs_or_what_comes_again_is_kept() {
    let one = [observed("a.db", 1), observed("b.db", 1), observed("a.db", 2)];
    let cut = |more: Vec<Body>| one.iter().cloned().chain(more).collect::<Vec<_>>();
    check(cut(vec![pruned("a.db", 3)]), &[1, 2], &[]);
    check(cut(vec![observed("b.db", 3), pruned("a.db", 3), pruned("b.db", 3)]), &[2, 3], &[1]);
    let again =
        vec![observed("b.db", 3), pruned("a.db", 3), pruned("b.db", 3), observed("a.db", 1)];
    check(cut(again), &[1, 2, 3], &[]);
}
