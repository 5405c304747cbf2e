//! The judge of certificate bundles: has the file and perhaps a ledger's id, and nothing else. Says what the file proves, and what it
//! cannot.

use std::collections::BTreeMap;

use ledger_format::body::{Body, Role, RunStarted, usable_key};
use ledger_format::bundle::{Bundle, BundleError};
use ledger_format::event::Event;
use ledger_format::hash::{CommitHash, ContentHash, EventId, KeyId, LedgerId};
use ledger_format::head::{HeadError, SignedHead};
use ledger_format::statement::{
    Claimed, Claims, ProvedHead, Statement, StatementError, certificate_of, read_claims_list,
};
use projections::{Entry, Illegal, KeyRing, Keys, KnownKey, Projection as _};

/// What a good bundle proves.
#[derive(Debug, Clone)]
pub struct Attested {
    /// What it says.
    pub statement: Statement,
    /// The claims, if they stand in it or their list was given.
    pub claims: Option<Vec<Claimed>>,
    /// Every key that its events know.
    pub keys: KeyRing,
    /// The key that signed the statement, as the ledger has it.
    pub signer: KnownKey,
    /// The run as it began.
    pub started: RunStarted,
    /// The event that committed it.
    pub committed: Committed,
    /// How far the run had come.
    pub outcome: RunEnd,
    /// Keys other than the run's own that had agreed to its plan.
    pub approvals: Vec<KeyId>,
}

/// How far a committed run had come when it was certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// No further than its commit.
    Committed,
    /// Its outputs are in their places.
    Published,
    /// Its publication was given up.
    Abandoned,
}

impl RunEnd {
    /// The word that stands for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Published => "published",
            Self::Abandoned => "abandoned",
        }
    }
}

/// The commit of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Its event's place.
    pub seq: u64,
    /// When, by the clock of whoever signed it.
    pub at: u64,
    /// Whose batch it was.
    pub actor: KeyId,
    /// The first event that the owner of that key may not have signed, if the ledger says so.
    pub suspect_since: Option<u64>,
}

/// A bundle that proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// Not a bundle, or not signed as it says.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// What is signed is no such statement, or is not under its head.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// It is of another ledger.
    #[error("the bundle is of ledger {there}, expected {expected}")]
    Foreign {
        /// Its ledger.
        there: LedgerId,
        /// The one that was expected.
        expected: LedgerId,
    },
    /// An event is not allowed where it stands.
    #[error("event {seq}: {rule}")]
    Illegal {
        /// Its place.
        seq: u64,
        /// The rule.
        rule: Illegal,
    },
    /// An event that has nothing to do with the run, or that stands there twice.
    #[error("event {seq} ({kind}) does not belong to the evidence of run {}", run.short())]
    Unrelated {
        /// Its place.
        seq: u64,
        /// Its kind.
        kind: &'static str,
        /// The run.
        run: EventId,
    },
    /// An event that bears the statement out is missing.
    #[error("the evidence has no {kind} of run {}", run.short())]
    Missing {
        /// What.
        kind: &'static str,
        /// The run.
        run: EventId,
    },
    /// Claims and certificate do not belong together.
    #[error("the claims do not have the certificate {committed} that the run was committed with")]
    Certificate {
        /// The certificate in the commit.
        committed: CommitHash,
    },
    /// The list that was given is not the one that the statement names.
    #[error("the list of claims is {found}, the bundle names {expected}")]
    List {
        /// The hash of what was given.
        found: ContentHash,
        /// The hash that the statement has.
        expected: ContentHash,
    },
    /// Claims were given to a bundle that has its own.
    #[error("the bundle has its claims in it, and names no list of them")]
    NoList,
    /// A key that the evidence does not authorise.
    #[error("key {} is not authorised by the events in the bundle to sign {what}", key.short())]
    Unauthorised {
        /// The key.
        key: KeyId,
        /// What it signed.
        what: &'static str,
    },
    /// An event that no head by its actor covers, so that it may be anybody's.
    #[error("event {seq}: the bundle has no head by key {} that covers it", actor.short())]
    Unsigned {
        /// Its place.
        seq: u64,
        /// Who is said to have signed it.
        actor: KeyId,
    },
    /// A head that no event needs.
    #[error("no event of the bundle needs the head over {size} events")]
    Surplus {
        /// Its size.
        size: u64,
    },
    /// The head's signature does not verify.
    #[error(transparent)]
    Head(#[from] HeadError),
}

/// Judges a bundle: of ledger `expected`, if one is; with the list of its claims, if that is a file of its own.
pub fn attest(
    bytes: &[u8],
    expected: Option<LedgerId>,
    list: Option<&[u8]>,
) -> Result<Attested, AttestError> {
    let bundle = Bundle::parse(bytes)?;
    let statement = Statement::parse(&bundle.payload)?;
    let there = statement.ledger;
    if let Some(expected) = expected.filter(|expected| *expected != there) {
        return Err(AttestError::Foreign { there, expected });
    }
    let events = statement.proved()?;
    let mut evidence = Evidence::new(statement.run);
    for (event, proved) in events.iter().zip(&statement.events) {
        evidence.take(event, EventId::of(&proved.bytes))?;
    }
    let (started, committed, ring) = evidence.finish()?;
    must_be_vouched_for(&statement, &events, &ring)?;
    let signer = ring.get(&bundle.signer).filter(|known| known.roles.contains(Role::Append));
    let what = "certificates";
    let signer = signer.ok_or(AttestError::Unauthorised { key: bundle.signer, what })?.clone();
    bundle.verify(&key_of(&signer, bundle.signer, what)?)?;
    let claims = claims(&statement, list)?;
    let certified = statement.certificate == committed.certificate
        && started.body.objects == statement.claims.count()
        && claims
            .as_deref()
            .is_none_or(|claims| certificate_of(claims) == Some(committed.certificate));
    if !certified {
        return Err(AttestError::Certificate { committed: committed.certificate });
    }
    let Ended { seq, at, actor, .. } = committed;
    let suspect_since = ring.known(&actor).and_then(|known| known.ended.as_ref()?.suspect_since);
    Ok(Attested {
        claims,
        signer,
        keys: ring,
        committed: Committed { seq, at, actor, suspect_since },
        outcome: committed.outcome,
        approvals: started.approvals,
        started: started.body,
        statement,
    })
}

/// What the events in a bundle come to.
struct Evidence {
    run: EventId,
    ring: KeyRing,
    plan_approved: Option<(u64, CommitHash)>,
    started: Option<Started>,
    committed: Option<Ended>,
}

struct Started {
    body: RunStarted,
    approvals: Vec<KeyId>,
}

struct Ended {
    seq: u64,
    at: u64,
    actor: KeyId,
    certificate: CommitHash,
    outcome: RunEnd,
}

impl Evidence {
    fn new(run: EventId) -> Self {
        let ring = KeyRing::default();
        Self { run, ring, plan_approved: None, started: None, committed: None }
    }

    /// Takes in an event, by the rules about keys, which need no other events than these.
    fn take(&mut self, event: &Event, id: EventId) -> Result<(), AttestError> {
        let (seq, run) = (event.seq, self.run);
        let unrelated = || AttestError::Unrelated { seq, kind: event.body.kind(), run };
        let belongs = match &event.body {
            Body::LedgerCreated(_)
            | Body::KeyAuthorized(_)
            | Body::KeyRotated(_)
            | Body::KeyRevoked(_)
            | Body::ApprovalsSet(_) => true,
            Body::PlanApproved(body) => {
                let same = self.plan_approved.is_none_or(|(_, plan)| plan == body.plan);
                self.plan_approved = Some((seq, body.plan));
                same && self.started.is_none()
            }
            Body::RunStarted(_) => id == run && self.started.is_none(),
            Body::RunCommitted(body) => {
                body.run == run && self.started.is_some() && self.committed.is_none()
            }
            Body::RunPublished(body) => body.run == run,
            Body::RunAbandoned(body) => body.run == run,
            _ => false,
        };
        if !belongs || (seq == 0 && event.prev != EventId::GENESIS) {
            return Err(unrelated());
        }
        Keys::apply(&mut self.ring, Entry { event, id })
            .map_err(|rule| AttestError::Illegal { seq, rule })?;
        match &event.body {
            Body::RunStarted(body) => {
                let approvals = self.ring.approvals(&body.plan);
                let approvals = approvals.filter(|key| *key != event.actor).collect();
                self.started = Some(Started { body: body.clone(), approvals });
            }
            Body::RunCommitted(body) => {
                let (at, actor, certificate) = (event.at, event.actor, body.certificate);
                let outcome = RunEnd::Committed;
                self.committed = Some(Ended { seq, at, actor, certificate, outcome });
            }
            Body::RunPublished(_) => self.end(RunEnd::Published).ok_or_else(unrelated)?,
            Body::RunAbandoned(_) => self.end(RunEnd::Abandoned).ok_or_else(unrelated)?,
            _ => {}
        }
        Ok(())
    }

    /// The run comes to its end, which it does once and after its commit.
    fn end(&mut self, outcome: RunEnd) -> Option<()> {
        let committed = self.committed.as_mut()?;
        (committed.outcome == RunEnd::Committed).then_some(())?;
        committed.outcome = outcome;
        Some(())
    }

    fn finish(self) -> Result<(Started, Ended, KeyRing), AttestError> {
        let run = self.run;
        let missing = |kind| AttestError::Missing { kind, run };
        let started = self.started.ok_or_else(|| missing("run.started"))?;
        if let Some((seq, plan)) = self.plan_approved
            && plan != started.body.plan
        {
            return Err(AttestError::Unrelated { seq, kind: "plan.approved", run });
        }
        let committed = self.committed.ok_or_else(|| missing("run.committed"))?;
        Ok((started, committed, self.ring))
    }
}

/// Each event must be covered by a head that its actor signed, since it carries no signature of its own: else whoever signs the newest head
/// could write events of before in anybody's name, those that authorise them among them. No head may be there that none of the events needs.
fn must_be_vouched_for(
    statement: &Statement,
    events: &[Event],
    ring: &KeyRing,
) -> Result<(), AttestError> {
    let earlier = statement.heads.iter().map(|proved| &proved.head);
    let mut covered: BTreeMap<KeyId, u64> = BTreeMap::new();
    for head in earlier.chain([&statement.head]) {
        check_head(head, events, ring)?;
        let size = head.head().size;
        if covered.insert(head.signer(), size).is_some() {
            return Err(AttestError::Surplus { size });
        }
    }
    for event in events {
        if covered.get(&event.actor).is_none_or(|size| event.seq >= *size) {
            return Err(AttestError::Unsigned { seq: event.seq, actor: event.actor });
        }
    }
    let needed =
        |proved: &&ProvedHead| events.iter().any(|event| event.actor == proved.head.signer());
    match statement.heads.iter().find(|proved| !needed(proved)) {
        Some(proved) => Err(AttestError::Surplus { size: proved.head.head().size }),
        None => Ok(()),
    }
}

/// A head must be by a key that could sign there, also one that the head's own last event ended; where that event is at hand, by its actor.
fn check_head(head: &SignedHead, events: &[Event], ring: &KeyRing) -> Result<(), AttestError> {
    let (key, what) = (head.signer(), "heads");
    let last = head.head().size.saturating_sub(1);
    let by_another = events.iter().any(|event| event.seq == last && event.actor != key);
    let known = ring.known(&key).filter(|known| {
        !by_another
            && known.since <= last
            && known.ended.as_ref().is_none_or(|ended| ended.at >= last)
            && known.roles.iter().any(|role| role != Role::Publish)
    });
    let known = known.ok_or(AttestError::Unauthorised { key, what })?;
    Ok(head.verify(&key_of(known, key, what)?)?)
}

fn key_of(
    known: &KnownKey,
    key: KeyId,
    what: &'static str,
) -> Result<ed25519_dalek::VerifyingKey, AttestError> {
    usable_key(&known.public_key.0).ok_or(AttestError::Unauthorised { key, what })
}

fn claims(statement: &Statement, list: Option<&[u8]>) -> Result<Option<Vec<Claimed>>, AttestError> {
    match (&statement.claims, list) {
        (Claims::Here(claims), None) => Ok(Some(claims.clone())),
        (Claims::Here(_), Some(_)) => Err(AttestError::NoList),
        (Claims::Listed { .. }, None) => Ok(None),
        (Claims::Listed { count, list: expected }, Some(list)) => {
            let (found, expected) = (ContentHash::of(list), *expected);
            let claims = std::str::from_utf8(list).ok().and_then(read_claims_list);
            let claims = claims.filter(|claims| found == expected && claims.len() as u64 == *count);
            claims.map(Some).ok_or(AttestError::List { found, expected })
        }
    }
}
