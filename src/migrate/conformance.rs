//! One hash over seeded plans, policies, bindings and losses: what jobs hash, keep and write.

use conformance::{Draw, Suite};
use ledger_format::body::ObjectState;
use ledger_format::cbor::{self, EVENT_DEPTH_MAX};
use ledger_format::hash::{CommitHash, ContentHash, LedgerId};

use super::documents::{
    DocumentsPlan, DocumentsPolicy, NamedDocument, PlannedDocument, PlannedLinks, PlannedRoute,
    evaluation,
};
use super::drift::Drifted;
use super::environment::Environment;
use super::loss::{LossSummary, LostValues};
use super::plan::{Plan, PlannedId, PlannedObject, PlannedStep, Policy, SCHEMA, binding};
use super::proof::{
    self, Cases, ContractName, Counterexample, Loss, Observed, Proof, Property, Seen, Status,
    Witness,
};
use super::{drift, prune, rollback};
use crate::document::{Number, Value};
use crate::target::glyph_store::{Layout, migration_line};
use crate::target::sqlite::Transactions;

#[test]
fn plans_and_what_they_bind_are_as_recorded() {
    let mut suite = Suite::in_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/src/migrate"));
    let text = |plan: &Plan| plan.to_json().unwrap().into_bytes();
    suite.both_ways("plan file", plan, text, |text| {
        Plan::from_json(std::str::from_utf8(text).unwrap())
    });
    suite.one_way("plan object", |draw| plan(draw).preimage());
    let text = |proof: &Proof| proof.to_json().into_bytes();
    suite.both_ways("migration proof", proof, text, |text| proof::parse("a file", text));
    suite.one_way("policy", |draw| Policy { allow_loss: draw.truth() }.hash().as_bytes().to_vec());
    suite
        .one_way("source binding", |draw| binding(&state(draw), &draw.text(1)).as_bytes().to_vec());
    suite.one_way("rollback plan", |draw| {
        let targets = [Layout::MANIFEST, Layout::DATABASE, "other"];
        let targets = targets.into_iter().map(|object| (object.to_owned(), state(draw))).collect();
        let (ledger, contract) = (LedgerId::from_bytes(draw.array()), commit(draw));
        let restored = [Layout::MANIFEST, Layout::DATABASE];
        rollback::plan_id(ledger, contract, &restored, &targets, &draw.text(1)).as_bytes().to_vec()
    });
    suite.one_way("pruning", |draw| {
        let ledger = LedgerId::from_bytes(draw.array());
        let images: Vec<_> = draw.list(2, |draw| {
            let roots: Vec<_> = draw.list(3, commit);
            (draw.text(2), roots.into_iter().collect())
        });
        let objects: Vec<_> =
            draw.list(3, |draw| (ContentHash::from_bytes(draw.array()), draw.number()));
        let (images, objects) = (images.into_iter().collect(), objects.into_iter().collect());
        prune::id_of(ledger, draw.number(), &images, &objects).as_bytes().to_vec()
    });
    suite.one_way("drift", |draw| {
        let (ledger, contract) = (LedgerId::from_bytes(draw.array()), commit(draw));
        let drifted = Drifted {
            id: CommitHash::from_bytes([0; 32]),
            object: draw.text(2),
            from: draw.text(1),
            to: draw.text(1),
            recorded: commit(draw),
            found: commit(draw),
            pages: commit(draw),
        };
        drift::id_of(ledger, contract, &drifted).as_bytes().to_vec()
    });
    suite.one_way("audit line", |draw| {
        let (from, to, ledger, certificate) =
            (draw.text(1), draw.text(1), draw.text(2), draw.text(2));
        let clock_ms = draw.number();
        migration_line(&draw.text(1), clock_ms, (&from, &to), &ledger, &certificate, draw.number())
            .into_bytes()
    });
    suite.both_ways("environment", environment, Environment::bytes, |bytes| {
        cbor::from_bytes::<Environment>(bytes, EVENT_DEPTH_MAX)
    });
    let text = |plan: &DocumentsPlan| plan.to_json().unwrap().into_bytes();
    suite.both_ways("documents plan file", documents_plan, text, |text| {
        DocumentsPlan::from_json(std::str::from_utf8(text).unwrap())
    });
    suite.one_way("documents plan object", |draw| documents_plan(draw).preimage());
    suite.one_way("documents policy", |draw| documents_policy(draw).hash().as_bytes().to_vec());
    suite.one_way("loss of a document", |draw| {
        let lost: Vec<evaluation::Lost> = draw.list(3, |draw| evaluation::Lost {
            edge: draw.truth().then(|| commit(draw)),
            path: format!("/{}", draw.number()).parse().unwrap(),
            value: Value::from(7),
        });
        evaluation::loss_list(&lost).encode()
    });
    suite.finish();
}

fn documents_policy(draw: &mut Draw) -> DocumentsPolicy {
    let parameters: Vec<(String, Value)> =
        draw.list(2, |draw| (draw.text(1), Value::text(draw.text(2))));
    DocumentsPolicy {
        allow_loss: draw.truth(),
        allow_programs: draw.truth(),
        parameters: parameters.into_iter().collect(),
    }
}

fn documents_plan(draw: &mut Draw) -> DocumentsPlan {
    let content = |draw: &mut Draw| ContentHash::from_bytes(draw.array());
    let policy = documents_policy(draw);
    let routes = draw.list(2, |draw| PlannedRoute {
        kind: draw.text(1),
        contract_version: draw.text(1),
        contract: commit(draw),
        from: draw.text(1),
        to: draw.text(1),
        edges: draw.list(3, commit),
    });
    let objects = draw.list(3, |draw| PlannedDocument {
        id: draw.text(2),
        route: draw.number(),
        source: content(draw),
        mode: 0o644,
        target: content(draw),
        lost: draw.number(),
        loss: commit(draw),
    });
    let ledger = LedgerId::from_bytes(draw.array());
    let links = draw.truth().then(|| PlannedLinks {
        contracts: draw.list(2, commit),
        named: draw.list(2, |draw| NamedDocument {
            id: draw.text(2),
            contract: draw.number(),
            source: content(draw),
            mode: 0o600,
        }),
    });
    DocumentsPlan::bound_to(ledger, policy, routes, objects, (links, None), environment(draw))
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
        ids_changed: draw.list(2, |draw| PlannedId {
            table: draw.text(2),
            was: draw.list(2, |draw| draw.number().into()),
            now: draw.list(2, |draw| draw.text(2).into()),
        }),
        steps: draw.list(2, |draw| PlannedStep {
            edge: draw.text(2),
            script: draw.text(2),
            statements: draw.number(),
            pages_changed: draw.number(),
            bytes_changed: draw.number(),
            transactions: match draw.number() % 3 {
                0 => Transactions::One,
                1 => Transactions::Several,
                _ => Transactions::Script,
            },
            left_out: draw.list(2, |draw| draw.text(2)),
        }),
        environment: environment(draw),
        told: commit(draw),
    };
    plan.id = plan.computed_id();
    plan.told = plan.computed_told();
    plan
}

fn environment(draw: &mut Draw) -> Environment {
    Environment {
        tool: draw.text(1),
        sqlite: draw.text(1),
        platform: draw.text(1),
        lockfile: ContentHash::from_bytes(draw.array()),
        toolchain: draw.text(1),
    }
}

fn proof(draw: &mut Draw) -> Proof {
    let mut proof = Proof {
        schema: proof::SCHEMA.to_owned(),
        contract: ContractName { name: draw.text(2), version: draw.text(1), digest: commit(draw) },
        status: match draw.pick("Status", &["Current", "Normalized", "Migrated", "Unsupported"]) {
            "Current" => Status::Current,
            "Normalized" => Status::Normalized,
            "Migrated" => Status::Migrated,
            _ => Status::Unsupported,
        },
        from: draw.text(1),
        to: draw.text(1),
        chain: draw.list(3, |draw| draw.text(1)),
        edges: draw.list(3, commit),
        steps: draw.list(3, commit),
        policy: commit(draw),
        source: ContentHash::from_bytes(draw.array()),
        result: draw.truth().then(|| ContentHash::from_bytes(draw.array())),
        loss: Loss {
            values: draw.number(),
            hash: commit(draw),
            first: draw.list(2, |draw| format!("/{}", draw.text(1)).parse().unwrap_or_default()),
        },
        observed: Observed {
            validates_at_current: seen(draw),
            append_only: seen(draw),
            idempotent: seen(draw),
            source_immutable: seen(draw),
            deterministic: seen(draw),
            round_trips: seen(draw),
            declared_matches_observed: seen(draw),
        },
        required: draw.list(7, property),
        witnesses: draw.list(2, |draw| Witness {
            property: property(draw),
            path: format!("/{}", draw.text(1)).parse().unwrap_or_default(),
            told: draw.text(2),
        }),
        cases: draw.truth().then(|| Cases {
            asked: draw.number(),
            checked: draw.number(),
            counterexample: draw.truth().then(|| counterexample(draw)),
        }),
        errors: draw.list(2, |draw| draw.text(2)),
        pass: false,
    };
    proof.pass = proof.passes();
    proof
}

fn seen(draw: &mut Draw) -> Seen {
    match draw.pick("Seen", &["Holds", "Fails", "NotApplicable"]) {
        "Holds" => Seen::Holds,
        "Fails" => Seen::Fails,
        _ => Seen::NotApplicable,
    }
}

fn property(draw: &mut Draw) -> Property {
    let names = Property::ALL.map(Property::name);
    let name = draw.pick("Property", &names);
    *Property::ALL.iter().find(|property| property.name() == name).unwrap()
}

fn counterexample(draw: &mut Draw) -> Counterexample {
    let number = Number::parse("1.50").unwrap();
    let values = [Value::Null, Value::Number(number), Value::text(draw.text(2))];
    Counterexample {
        case: draw.number(),
        fails: draw.list(2, property),
        errors: draw.list(2, |draw| draw.text(2)),
        document: Value::List(values.into()),
    }
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
            rows: commit(draw).into(),
            schema: commit(draw).into(),
        },
        _ => ObjectState::Log {
            content,
            bytes: draw.number(),
            tail: ContentHash::from_bytes(draw.array()).into(),
        },
    }
}

fn commit(draw: &mut Draw) -> CommitHash {
    CommitHash::from_bytes(draw.array())
}
