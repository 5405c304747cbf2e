//! Seeded cases of everything that `ledger-format` encodes, for conformance hashes here and in the crates above. Every
//! variant of every enum has its arm: a new one does not compile before it has one too.

use conformance::{Draw, variant};
use ledger_format::body::{
    ApprovalsSet, AuditAppend, Body, Cause, Changes, Continues, ContractFrozen, FixedBytes,
    KeyAuthorized, KeyRevoked, KeyRotated, LedgerCreated, ObjectMigrated, ObjectObserved,
    ObjectPruned, ObjectStaged, ObjectState, Origin, PlanApproved, ProofRecorded, Purpose, Renamed,
    Role, Roles, RunAbandoned, RunAborted, RunCommitted, RunPublished, RunRoute, RunStarted,
    StagedContent, StateRecorded, StoreAdopted, Verdict,
};
use ledger_format::event::{AT_MS_MAX, Event, SEQ_MAX};
use ledger_format::hash::{CommitHash, ContentHash, EventId, KeyId, LedgerId, NodeHash};

pub(crate) fn event(draw: &mut Draw) -> Event {
    Event {
        at: draw.up_to(AT_MS_MAX),
        seq: draw.up_to(SEQ_MAX),
        body: body(draw),
        prev: EventId::from_bytes(draw.array()),
        actor: KeyId::from_bytes(draw.array()),
        ledger: LedgerId::from_bytes(draw.array()),
    }
}

/// A body of any kind.
pub(crate) fn body(draw: &mut Draw) -> Body {
    variant!(draw, Body {
        LedgerCreated => ledger_created(draw).into(),
        KeyAuthorized => key_authorized(draw).into(),
        KeyRotated => key_rotated(draw).into(),
        KeyRevoked => key_revoked(draw).into(),
        ApprovalsSet => approvals_set(draw).into(),
        PlanApproved => plan_approved(draw).into(),
        StoreAdopted => store_adopted(draw).into(),
        ObjectObserved => object_observed(draw).into(),
        ObjectPruned => object_pruned(draw).into(),
        ContractFrozen => contract_frozen(draw).into(),
        ProofRecorded => proof_recorded(draw).into(),
        RunStarted => run_started(draw).into(),
        RunRoute => run_route(draw).into(),
        ObjectStaged => object_staged(draw).into(),
        ObjectMigrated => object_migrated(draw).into(),
        RunCommitted => run_committed(draw).into(),
        RunPublished => run_published(draw).into(),
        RunAborted => run_aborted(draw).into(),
        RunAbandoned => run_abandoned(draw).into(),
        StateRecorded => state_recorded(draw).into(),
    })
}

pub(crate) fn ledger_created(draw: &mut Draw) -> LedgerCreated {
    LedgerCreated {
        public_key: FixedBytes(draw.array()),
        nonce: FixedBytes(draw.array()),
        recovery: draw.maybe(|draw| FixedBytes(draw.array())),
        continues: draw.maybe(|draw| Continues {
            ledger: LedgerId::from_bytes(draw.array()),
            size: draw.number(),
            root: NodeHash::from_bytes(draw.array()),
        }),
    }
}

pub(crate) fn key_authorized(draw: &mut Draw) -> KeyAuthorized {
    let role = |draw: &mut Draw| {
        variant!(draw, Role {
            Administer => Role::Administer,
            Append => Role::Append,
            Approve => Role::Approve,
            Publish => Role::Publish,
        })
    };
    let (public_key, first) = (FixedBytes(draw.array()), role(draw));
    let more: Vec<Role> = draw.list(3, role);
    let roles = Roles::new(more.into_iter().chain([first]));
    KeyAuthorized {
        public_key,
        roles: roles.unwrap_or_else(Roles::of_genesis),
        possession: draw.maybe(possession),
    }
}

pub(crate) fn key_rotated(draw: &mut Draw) -> KeyRotated {
    KeyRotated { public_key: FixedBytes(draw.array()), possession: possession(draw) }
}

pub(crate) fn key_revoked(draw: &mut Draw) -> KeyRevoked {
    KeyRevoked {
        key: KeyId::from_bytes(draw.array()),
        reason: draw.text(3),
        suspect_since: draw.maybe(Draw::number),
    }
}

pub(crate) fn approvals_set(draw: &mut Draw) -> ApprovalsSet {
    ApprovalsSet { count: draw.number() }
}

pub(crate) fn plan_approved(draw: &mut Draw) -> PlanApproved {
    PlanApproved { plan: commit(draw), reason: draw.maybe(|draw| draw.text(3)) }
}

fn possession(draw: &mut Draw) -> FixedBytes<64> {
    let [one, two]: [[u8; 32]; 2] = [draw.array(), draw.array()];
    let mut both = [0; 64];
    for (to, from) in both.iter_mut().zip(one.into_iter().chain(two)) {
        *to = from;
    }
    FixedBytes(both)
}

pub(crate) fn store_adopted(draw: &mut Draw) -> StoreAdopted {
    let origin = variant!(draw, Origin { Created => Origin::Created, Adopted => Origin::Adopted });
    StoreAdopted {
        contract: draw.text(2),
        version: draw.text(1),
        origin,
        objects: draw.number(),
        open: draw.truth(),
    }
}

pub(crate) fn object_observed(draw: &mut Draw) -> ObjectObserved {
    let cause = variant!(draw, Cause {
        Baseline => Cause::Baseline,
        DataChange => Cause::DataChange,
        Abandoned => Cause::Abandoned,
        Joined => Cause::Joined,
    });
    ObjectObserved { object: draw.text(3), cause, state: object_state(draw) }
}

pub(crate) fn object_pruned(draw: &mut Draw) -> ObjectPruned {
    ObjectPruned {
        object: draw.text(3),
        keep: draw.number(),
        reason: draw.text(6),
        images: draw.number(),
        bytes: draw.number(),
    }
}

pub(crate) fn contract_frozen(draw: &mut Draw) -> ContractFrozen {
    let (contract, contract_version) = (draw.text(2), draw.text(1));
    ContractFrozen { contract, contract_version, digest: commit(draw), bundle: content(draw) }
}

pub(crate) fn proof_recorded(draw: &mut Draw) -> ProofRecorded {
    ProofRecorded {
        object: draw.text(3),
        contract: commit(draw),
        fingerprint: commit(draw),
        proof: content(draw),
        pass: draw.truth(),
    }
}

pub(crate) fn run_started(draw: &mut Draw) -> RunStarted {
    RunStarted {
        purpose: variant!(draw, Purpose { Migrate => Purpose::Migrate, Rollback => Purpose::Rollback }),
        plan: commit(draw),
        contract: draw.maybe(commit),
        from: draw.text(1),
        to: draw.text(1),
        to_size: draw.maybe(Draw::number),
        policy: commit(draw),
        clock_ms: draw.number(),
        seed: FixedBytes(draw.array()),
        environment: content(draw),
        objects: draw.number(),
        accepted_loss: draw.maybe(commit),
        changes: draw.maybe(
            |draw| variant!(draw, Changes { Keep => Changes::Keep, Discard => Changes::Discard }),
        ),
    }
}

pub(crate) fn run_route(draw: &mut Draw) -> RunRoute {
    RunRoute {
        run: run(draw),
        route: draw.number(),
        contract: commit(draw),
        from: draw.text(1),
        to: draw.text(1),
        edges: draw.list(5, commit),
    }
}

pub(crate) fn object_staged(draw: &mut Draw) -> ObjectStaged {
    let result = variant!(draw, StagedContent {
        Document => StagedContent::Document { content: content(draw) },
        Database => StagedContent::Database { page_root: commit(draw) },
    });
    ObjectStaged {
        run: run(draw),
        object: draw.text(3),
        step: draw.number(),
        edge: commit(draw),
        result,
    }
}

pub(crate) fn object_migrated(draw: &mut Draw) -> ObjectMigrated {
    let mut body = ObjectMigrated {
        run: run(draw),
        object: draw.text(3),
        route: draw.maybe(Draw::number),
        operator: draw.text(2),
        source: object_state(draw),
        target: object_state(draw),
        loss: commit(draw),
        lost: draw.number(),
        reads_inputs: draw.truth(),
        loss_list: draw.maybe(content),
        verdicts: draw.list(4, |draw| {
            let verdict = variant!(draw, Verdict {
                True => Verdict::True,
                False => Verdict::False,
                NotApplicable => Verdict::NotApplicable,
            });
            (draw.text(2), verdict)
        }),
        renamed: Vec::new(),
    };
    // Drawn from what is drawn already, so that what does not hang on it stays as it is recorded.
    let hash = |number: u64| FixedBytes(*CommitHash::of("renamed", &number.into()).as_bytes());
    let names = (0..body.lost % 3).map(|at| Renamed {
        naming: format!("{}{at}", body.operator),
        old_hash: hash(body.lost),
        new_hash: hash(at),
    });
    body.renamed = names.collect();
    body
}

pub(crate) fn run_committed(draw: &mut Draw) -> RunCommitted {
    let audit = draw.maybe(|draw| AuditAppend {
        object: draw.text(2),
        bytes: draw.number(),
        content: content(draw),
        line: draw.text(6),
    });
    RunCommitted { run: run(draw), certificate: commit(draw), places: draw.number(), audit }
}

pub(crate) fn run_published(draw: &mut Draw) -> RunPublished {
    RunPublished { run: run(draw), places: draw.number(), audit: draw.maybe(object_state) }
}

pub(crate) fn run_aborted(draw: &mut Draw) -> RunAborted {
    RunAborted { run: run(draw), code: draw.text(1), message: draw.text(6) }
}

pub(crate) fn run_abandoned(draw: &mut Draw) -> RunAbandoned {
    RunAbandoned {
        run: run(draw),
        reason: draw.text(6),
        places: draw.number(),
        version: draw.text(1),
    }
}

pub(crate) fn state_recorded(draw: &mut Draw) -> StateRecorded {
    StateRecorded { size: draw.number(), digest: commit(draw) }
}

fn object_state(draw: &mut Draw) -> ObjectState {
    variant!(draw, ObjectState {
        Document => ObjectState::Document {
            content: content(draw),
            bytes: draw.number(),
            mode: u32::try_from(draw.up_to(u32::MAX.into())).unwrap(),
        },
        Database => ObjectState::Database { page_root: commit(draw), rows: commit(draw).into(), schema: commit(draw).into() },
        Log => ObjectState::Log { content: content(draw), bytes: draw.number(), tail: content(draw).into() },
    })
}

fn run(draw: &mut Draw) -> EventId {
    EventId::from_bytes(draw.array())
}

fn commit(draw: &mut Draw) -> CommitHash {
    CommitHash::from_bytes(draw.array())
}

fn content(draw: &mut Draw) -> ContentHash {
    ContentHash::from_bytes(draw.array())
}
