//! What is the matter with runs: who agreed to them, and what they lost. Follows keys only as far as who let whom in.

use std::collections::BTreeMap;

use ledger_format::body::{Body, ObjectMigrated, PlanApproved, Purpose, RunStarted};
use ledger_format::hash::{CommitHash, EventId, KeyId};

use super::{Exception, Matter};
use crate::ledger::Recorded;

#[derive(Default)]
pub(super) struct Runs {
    /// How each key came in: where, and by which; of one that took over also from which.
    entered: BTreeMap<KeyId, Entered>,
    required: u64,
    approvals: BTreeMap<CommitHash, Vec<Approval>>,
    open: Option<Open>,
}

struct Entered {
    at: u64,
    by: KeyId,
    took_over: bool,
}

struct Approval {
    at: u64,
    by: KeyId,
    has_reason: bool,
}

/// The run under way.
struct Open {
    run: EventId,
    at: u64,
    actor: KeyId,
    plan: CommitHash,
    purpose: Purpose,
    required: u64,
    lost: u64,
    lossy: u64,
}

impl Runs {
    /// Takes an event in. What is said of a run is said when that has ended; of one that was aborted nothing, since nothing
    /// happened.
    pub(super) fn take(&mut self, recorded: &Recorded, found: &mut Vec<Exception>) {
        let event = &recorded.event;
        let (at, by) = (event.seq, event.actor);
        match &event.body {
            Body::KeyAuthorized(body) => {
                let key = KeyId::of(&body.public_key.0);
                self.entered.insert(key, Entered { at, by, took_over: false });
            }
            Body::KeyRotated(body) => {
                let key = KeyId::of(&body.public_key.0);
                self.entered.insert(key, Entered { at, by, took_over: true });
            }
            Body::ApprovalsSet(body) => {
                let (before, required) = (self.required, body.count);
                if required < before {
                    let matter = Matter::ApprovalsLowered { before, required, actor: by };
                    found.push(Exception { seq: at, matter });
                }
                self.required = required;
            }
            Body::ObjectPruned(body) => {
                let (object, reason) = (body.object.clone(), body.reason.clone());
                let (keep, images, actor) = (body.keep, body.images, by);
                let matter = Matter::Pruned { object, keep, images, reason, actor };
                found.push(Exception { seq: at, matter });
            }
            Body::PlanApproved(body) => self.approve(at, by, body),
            Body::RunStarted(body) => self.open = Some(self.begin(recorded.id, at, by, body)),
            Body::ObjectMigrated(body) => self.lose(body),
            Body::RunAborted(_) => self.open = None,
            Body::RunPublished(_) => self.finish(found),
            Body::RunAbandoned(body) => {
                let (run, reason) = (body.run, body.reason.clone());
                found.push(Exception { seq: at, matter: Matter::Abandoned { run, reason } });
                self.finish(found);
            }
            Body::DriftAccepted(body) => {
                let (object, version) = (body.object.clone(), body.version.clone());
                let (reason, actor) = (body.reason.clone(), by);
                let matter = Matter::DriftAccepted { object, version, reason, actor, size: None };
                found.push(Exception { seq: at, matter });
            }
            Body::ProofRecorded(body) if !body.pass => {
                let (object, contract) = (body.object.clone(), body.contract);
                found.push(Exception { seq: at, matter: Matter::ProofFailed { object, contract } });
            }
            _ => {}
        }
    }

    /// Says what is to be said of the run that is under way, if one is.
    pub(super) fn finish(&mut self, found: &mut Vec<Exception>) {
        let Some(open) = self.open.take() else { return };
        let approvals = self.approvals.get(&open.plan).map_or(&[][..], Vec::as_slice);
        let approvals: Vec<&Approval> = approvals.iter().filter(|one| one.at < open.at).collect();
        let mut say = |matter| found.push(Exception { seq: open.at, matter });
        if open.purpose == Purpose::Migrate {
            self.agreement(&open, &approvals).into_iter().for_each(&mut say);
        }
        if open.lossy > 0 && !approvals.iter().any(|approval| approval.has_reason) {
            let (values, objects) = (open.lost, open.lossy);
            say(Matter::LossyWithoutReason { run: open.run, plan: open.plan, values, objects });
        }
    }

    fn approve(&mut self, at: u64, by: KeyId, body: &PlanApproved) {
        let reason = body.reason.as_deref().is_some_and(|reason| !reason.trim().is_empty());
        let approval = Approval { at, by, has_reason: reason };
        self.approvals.entry(body.plan).or_default().push(approval);
    }

    fn begin(&self, run: EventId, at: u64, actor: KeyId, body: &RunStarted) -> Open {
        let (plan, purpose, required) = (body.plan, body.purpose, self.required);
        Open { run, at, actor, plan, purpose, required, lost: 0, lossy: 0 }
    }

    fn lose(&mut self, body: &ObjectMigrated) {
        if let (Some(open), true) = (&mut self.open, body.lost > 0) {
            open.lost = open.lost.saturating_add(body.lost);
            open.lossy += 1;
        }
    }

    fn agreement(&self, open: &Open, approvals: &[&Approval]) -> Vec<Matter> {
        let Open { run, plan, actor, required, .. } = *open;
        let owner = self.owner(actor);
        let mut matters = Vec::new();
        let by_others = approvals.iter().filter(|approval| self.owner(approval.by) != owner);
        if by_others.count() == 0 {
            matters.push(Matter::Unapproved { run, plan, actor, required });
        }
        for &&Approval { at: approved, by: approver, .. } in approvals {
            if self.owner(approver) == owner {
                matters.push(Matter::SelfApproved { run, plan, actor, approver, approved });
            } else if let Some(Entered { at: authorized, by, .. }) = self.first_entry(approver)
                && self.owner(*by) == owner
            {
                let authorized = *authorized;
                matters.push(Matter::DependentApproval {
                    run,
                    plan,
                    actor,
                    approver,
                    approved,
                    authorized,
                });
            }
        }
        matters
    }

    /// The first key of whoever holds `key`: keys that took over have the owner of those that ended.
    fn owner(&self, key: KeyId) -> KeyId {
        let mut key = key;
        // Each entered once and after the one it took over from, so this comes to an end.
        while let Some(Entered { by, took_over: true, .. }) = self.entered.get(&key) {
            key = *by;
        }
        key
    }

    /// How the owner of `key` came in.
    fn first_entry(&self, key: KeyId) -> Option<&Entered> {
        self.entered.get(&self.owner(key))
    }
}

#[cfg(test)]
mod tests {
    use ledger_format::body::{
        ContractFrozen, FixedBytes, ObjectState, ProofRecorded, RunAbandoned, RunAborted,
        RunPublished,
    };
    use ledger_format::cbor::Value;
    use ledger_format::event::Event;
    use ledger_format::hash::{ContentHash, LedgerId};

    use super::*;

    const ME: u8 = 1;

    fn commit(of: &str) -> CommitHash {
        CommitHash::of("test", &Value::from(of))
    }

    fn exceptions(bodies: &[(u8, Body)]) -> Vec<(u64, &'static str)> {
        let (mut runs, mut found) = (Runs::default(), Vec::new());
        for (seq, (key, body)) in (0..).zip(bodies) {
            let (actor, ledger) = (KeyId::of(&[*key; 32]), LedgerId::of(&[1; 32], &[2; 16]));
            let prev = run();
            let event = Event { at: 1, seq, body: body.clone(), prev, actor, ledger };
            runs.take(&Recorded { id: run(), event, bytes: Vec::new() }, &mut found);
        }
        runs.finish(&mut found);
        found.iter().map(|exception| (exception.seq, exception.matter.word())).collect()
    }

    fn run() -> EventId {
        EventId::from_bytes([9; 32])
    }

    fn started(purpose: Purpose) -> (u8, Body) {
        let started = RunStarted {
            purpose,
            plan: commit("plan"),
            contract: None,
            from: "1".into(),
            to: "2".into(),
            to_size: None,
            policy: commit("policy"),
            clock_ms: 1,
            seed: FixedBytes([0; 32]),
            environment: ContentHash::of(b""),
            objects: 1,
            accepted_loss: None,
            changes: None,
        };
        (ME, started.into())
    }

    fn lossy(lost: u64) -> (u8, Body) {
        let content = ContentHash::of(b"");
        let state = ObjectState::Document { content, bytes: 0, mode: 0 };
        let migrated = ObjectMigrated {
            run: run(),
            object: "a".into(),
            route: None,
            operator: String::new(),
            source: state.clone(),
            target: state,
            loss: commit("loss"),
            lost,
            reads_inputs: false,
            loss_list: None,
            verdicts: BTreeMap::new(),
            renamed: Vec::new(),
        };
        (ME, migrated.into())
    }

    fn approved(key: u8, plan: &str, reason: Option<&str>) -> (u8, Body) {
        let reason = reason.map(str::to_owned);
        (key, PlanApproved { plan: commit(plan), reason }.into())
    }

    fn published() -> (u8, Body) {
        (ME, RunPublished { run: run(), places: 1, audit: None }.into())
    }

    #[test]
    fn a_run_that_was_aborted_did_nothing_and_one_given_up_is_told() {
        let aborted = RunAborted { run: run(), code: "X".into(), message: String::new() };
        assert_eq!(exceptions(&[started(Purpose::Migrate), lossy(1), (ME, aborted.into())]), []);
        let (reason, version) = ("no".into(), "1".into());
        let abandoned = RunAbandoned { run: run(), places: 0, reason, version };
        assert_eq!(
            exceptions(&[started(Purpose::Rollback), (ME, abandoned.into())]),
            [(1, "abandoned")]
        );
        // What is under way counts as it stands.
        assert_eq!(exceptions(&[started(Purpose::Migrate)]), [(0, "unapproved")]);
    }

    #[test]
    fn a_reason_counts_for_its_plan_if_it_says_something_and_came_before() {
        let run = |approval: &[(u8, Body)]| {
            let run = [started(Purpose::Migrate), lossy(0), lossy(2), published()];
            exceptions(&[approval, &run].concat())
        };
        let lossy = (1, "lossy_without_reason");
        assert_eq!(run(&[approved(2, "plan", Some("looked"))]), []);
        assert_eq!(run(&[approved(2, "plan", Some(" "))]), [lossy]);
        assert_eq!(run(&[approved(2, "plan", None)]), [lossy]);
        assert_eq!(run(&[approved(2, "other", Some("looked"))]), [(1, "unapproved"), lossy]);
        let late = [started(Purpose::Migrate), approved(2, "plan", Some("late")), published()];
        assert_eq!(exceptions(&late), [(0, "unapproved")]);
    }

    #[test]
    fn proofs_that_fail_are_told_and_others_are_not() {
        let proof = |pass| {
            let (object, contract) = ("a".to_owned(), commit("contract"));
            let (proof, fingerprint) = (ContentHash::of(b"p"), commit("f"));
            let body = ProofRecorded { object, contract, fingerprint, pass, proof };
            (ME, Body::from(body))
        };
        let frozen = ContractFrozen {
            contract: "c".into(),
            contract_version: "1".into(),
            digest: commit("contract"),
            bundle: ContentHash::of(b"b"),
        };
        let bodies = [(ME, frozen.into()), proof(true), proof(false)];
        assert_eq!(exceptions(&bodies), [(2, "proof_failed")]);
    }
}
