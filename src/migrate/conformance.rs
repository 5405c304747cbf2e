//! One hash over seeded plans, policies, bindings and losses: what jobs hash, keep and write.

use conformance::{Draw, Suite};
use ledger_format::body::ObjectState;
use ledger_format::hash::{CommitHash, ContentHash, LedgerId};

use super::loss::{LossSummary, LostValues};
use super::plan::{Plan, PlannedObject, PlannedStep, Policy, SCHEMA, binding};
use super::rollback;
use crate::target::glyph_store::{Layout, migration_line};

#[test]
fn plans_and_what_they_bind_are_as_recorded() {
    let mut suite = Suite::in_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/src/migrate"));
    let text = |plan: &Plan| plan.to_json().unwrap().into_bytes();
    suite.both_ways("plan file", plan, text, |text| {
        Plan::from_json(std::str::from_utf8(text).unwrap())
    });
    suite.one_way("plan object", |draw| plan(draw).preimage());
    suite.one_way("policy", |draw| Policy { allow_loss: draw.truth() }.hash().as_bytes().to_vec());
    suite
        .one_way("source binding", |draw| binding(&state(draw), &draw.text(1)).as_bytes().to_vec());
    suite.one_way("rollback plan", |draw| {
        let targets = [Layout::MANIFEST, Layout::DATABASE, "other"];
        let targets = targets.into_iter().map(|object| (object.to_owned(), state(draw))).collect();
        let (ledger, contract) = (LedgerId::from_bytes(draw.array()), commit(draw));
        rollback::plan_id(ledger, contract, &targets, &draw.text(1)).as_bytes().to_vec()
    });
    suite.one_way("audit line", |draw| {
        let (from, to, ledger, certificate) =
            (draw.text(1), draw.text(1), draw.text(2), draw.text(2));
        let clock_ms = draw.number();
        migration_line(&draw.text(1), clock_ms, (&from, &to), &ledger, &certificate, draw.number())
            .into_bytes()
    });
    suite.finish();
}

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan {
        schema: SCHEMA.to_owned(),
        id: commit(draw),
        ledger: LedgerId::from_bytes(draw.array()),
        contract: commit(draw),
        from: draw.text(1),
        to: draw.text(1),
        policy: Policy { allow_loss: draw.truth() },
        objects: draw.list(3, |draw| PlannedObject {
            id: draw.text(2),
            kind: draw.text(1),
            from: draw.text(1),
            source_binding: commit(draw),
            path: draw.list(3, commit),
        }),
        loss: loss(draw),
        steps: draw.list(2, |draw| PlannedStep {
            edge: draw.text(2),
            script: draw.text(2),
            statements: draw.number(),
            pages_changed: draw.number(),
            bytes_changed: draw.number(),
        }),
    };
    plan.id = plan.computed_id();
    plan
}

fn loss(draw: &mut Draw) -> LossSummary {
    draw.list(3, |draw| (draw.text(2), LostValues { dropped: draw.truth(), values: draw.number() }))
}

fn state(draw: &mut Draw) -> ObjectState {
    let kind = draw.pick("ObjectState", &["Document", "Database", "Log"]);
    let content = ContentHash::from_bytes(draw.array());
    match kind {
        "Document" => {
            ObjectState::Document { content, bytes: draw.number(), mode: u32::from(draw.byte()) }
        }
        "Database" => ObjectState::Database {
            page_root: commit(draw),
            rows: commit(draw),
            schema: commit(draw),
        },
        _ => ObjectState::Log {
            content,
            bytes: draw.number(),
            tail: ContentHash::from_bytes(draw.array()),
        },
    }
}

fn commit(draw: &mut Draw) -> CommitHash {
    CommitHash::from_bytes(draw.array())
}
