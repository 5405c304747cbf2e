//! The format's own ledger is a legal history.

use ledger_format::line::Line;
use projections::{Entry, State};

const LEDGER: &str = include_str!("../../../ledger-format/vectors/ledger.jsonl");

#[test]
fn the_ledger_of_the_vectors_folds_to_its_heads() {
    let mut state: Option<State> = None;
    for text in LEDGER.lines() {
        let line = Line::parse(text).unwrap();
        let state = state.get_or_insert_with(|| State::new(line.event.ledger));
        state.apply(Entry { event: &line.event, id: line.id }).unwrap();
        if let Some(head) = &line.head {
            assert_eq!(*head.head(), state.chain().head());
        }
    }
    assert_eq!(state.unwrap().size(), 12);
}
