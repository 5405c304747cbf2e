//! Heads that ledgers and files are held against: those that the user named, and those that witnesses cosigned and that are kept here.
//! Which of them count is for the user's policy.

use ledger_format::hash::LedgerId;
use ledger_format::head::SignedHead;

use projections::KeyRing;

use super::super::failure;
use super::Context;
use crate::diagnostic::{
    COMPLETENESS_NOT_PROVEN, Failure, LEDGER_DIVERGED, LEDGER_FOREIGN, NOTHING_HERE,
    WITNESSES_MISSING,
};
use crate::effects::{Clock as _, SystemClock};
use crate::ledger::{KnownBy, KnownHead, Ledger};
use crate::log::sled::read_identity;
use crate::trust::{CosignedHeads, Endorsement, Home, Policy, read_head};

/// How far a witness's clock may be ahead of the one here, in seconds: a day.
const CLOCKS_DIFFER_SECONDS_MAX: u64 = 24 * 60 * 60;

impl Context {
    /// The heads that the user named. A policy without a head is about those that are kept of the ledger here.
    pub(in crate::cli) fn named(&self) -> Result<Vec<KnownHead>, Failure> {
        self.known(self.trusted_or_kept()?)
    }

    /// The heads that the user named, for something that comes without its ledger.
    pub(in crate::cli) fn named_elsewhere(&self) -> Result<Vec<KnownHead>, Failure> {
        self.known(self.trusted()?)
    }

    /// What the heads that the user named say of one that comes without its ledger, or their policy of that one, if they named none; where
    /// `keys` that may sign there are at hand, each must be signed by one. Two heads over different numbers of events say nothing of each other.
    pub(in crate::cli) fn held_against(
        &self,
        note: &SignedHead,
        keys: Option<&KeyRing>,
    ) -> Result<Vec<Failure>, Failure> {
        let head = note.head();
        let against = |known: KnownHead| {
            let (by, size) = (known.by, known.size);
            if let Some(other) = known.ledger().filter(|other| *other != head.ledger) {
                return Some(Failure::new(&LEDGER_FOREIGN, format!("{by} is of ledger {other}")));
            }
            if size != head.size {
                let told = format!(
                    "{by} is over {size} events and this head over {}: nothing here leads from one to the other",
                    head.size
                );
                return Some(Failure::new(&COMPLETENESS_NOT_PROVEN, told));
            }
            let told = format!(
                "{by} has root {}, this head over as many events {}",
                known.root, head.root
            );
            if known.root != head.root {
                return Some(Failure::new(&LEDGER_DIVERGED, told));
            }
            let signed = keys.map(|keys| known.must_be_by(&note.signer(), keys));
            let unsigned = signed.and_then(Result::err)?;
            Some(failure::of_known(by, size, &unsigned))
        };
        let mut found: Vec<_> = self.named_elsewhere()?.into_iter().filter_map(against).collect();
        let endorsed = self.endorsement_of(&self.trusted()?.unwrap_or_else(|| note.clone()))?;
        found.extend(endorsed.as_ref().and_then(|endorsed| self.unmet(endorsed)));
        Ok(found)
    }

    /// That the head which the user named, or those kept of the ledger here, were seen by fewer witnesses than their policy asks for, if so.
    pub(in crate::cli) fn unwitnessed(&self) -> Result<Option<Failure>, Failure> {
        Ok(self.endorsement()?.and_then(|endorsed| self.unmet(&endorsed)))
    }

    /// What the user's policy makes of that head, if there is one.
    fn endorsement(&self) -> Result<Option<Endorsement>, Failure> {
        let Some(policy) = self.policy()? else { return Ok(None) };
        Ok(Some(match self.trusted_or_kept()? {
            Some(head) => policy.judge(&head, latest_believed()),
            None => policy.judge_nothing(),
        }))
    }

    /// What the user's policy makes of a head, if there is one.
    pub(in crate::cli) fn endorsement_of(
        &self,
        head: &SignedHead,
    ) -> Result<Option<Endorsement>, Failure> {
        Ok(self.policy()?.map(|policy| policy.judge(head, latest_believed())))
    }

    /// The same of a head that comes without its ledger, where the user named no other.
    pub(in crate::cli) fn endorsement_alone(
        &self,
        head: &SignedHead,
    ) -> Result<Option<Endorsement>, Failure> {
        if self.globals.trust.is_some() { Ok(None) } else { self.endorsement_of(head) }
    }

    /// What is said of a policy that is not met.
    pub(in crate::cli) fn unmet(&self, endorsed: &Endorsement) -> Option<Failure> {
        if endorsed.met {
            return None;
        }
        let told = format!("the policy is not met: {}", endorsed.missing());
        let failure = Failure::new(&WITNESSES_MISSING, told)
            .not_done("that enough witnesses saw the head is not shown");
        Some(self.asking_witnesses(failure))
    }

    /// What is said where the head that the user named does not meet their policy; of one at hand, where they named none, `alone` tells.
    pub(in crate::cli) fn unmet_by(
        &self,
        alone: Option<&Endorsement>,
    ) -> Result<Option<Failure>, Failure> {
        if self.trusts_a_head() {
            return self.unwitnessed();
        }
        Ok(alone.and_then(|endorsed| self.unmet(endorsed)))
    }

    /// The user's policy, if they named one.
    pub(in crate::cli) fn policy(&self) -> Result<Option<Policy>, Failure> {
        Ok(self.globals.witness_policy.as_deref().map(Policy::read).transpose()?)
    }

    /// The newest head over at least `size` events that is kept of the ledger and meets the policy; where there is no policy, none.
    pub(in crate::cli) fn newest_seen(
        &self,
        ledger: &LedgerId,
        size: u64,
    ) -> Result<Option<SignedHead>, Failure> {
        let Some(policy) = self.policy()? else { return Ok(None) };
        let kept = cosigned_heads()?.all(ledger)?;
        let meets = |head: &SignedHead| policy.judge(head, latest_believed()).met;
        Ok(kept.into_iter().find(|head| head.head().size >= size && meets(head)))
    }

    /// The head that a proof about the first `size` events is made under: the newest, with the cosignatures that are kept of it; where
    /// there is a policy, the newest that meets it.
    pub(in crate::cli) fn head_to_prove_under(
        &self,
        ledger: &Ledger,
        size: u64,
    ) -> Result<SignedHead, Failure> {
        if self.policy()?.is_none() {
            return with_cosignatures(ledger.head());
        }
        self.newest_seen(&ledger.id(), size)?.ok_or_else(|| {
            let told = format!("no head over {size} events or more is kept that meets the policy");
            let failure = Failure::new(&WITNESSES_MISSING, told).not_done("no proof was made");
            self.asking_witnesses(failure)
        })
    }

    fn asking_witnesses(&self, failure: Failure) -> Failure {
        let Some(policy) = &self.globals.witness_policy else { return failure };
        failure.next(["head", "witness", "--witness-policy", &policy.display().to_string()])
    }

    fn known(&self, trusted: Option<SignedHead>) -> Result<Vec<KnownHead>, Failure> {
        let endorsed =
            trusted.as_ref().map(|head| self.endorsement_of(head)).transpose()?.flatten();
        let by = match endorsed {
            None => KnownBy::Trust,
            Some(Endorsement { met: true, .. }) => KnownBy::Witnesses,
            Some(Endorsement { met: false, .. }) => KnownBy::Unwitnessed,
        };
        let trusted = trusted.map(|head| KnownHead::signed(by, head));
        let expected =
            self.globals.expect.map(|stated| KnownHead::expected(stated.size, stated.root));
        Ok(trusted.into_iter().chain(expected).collect())
    }

    fn trusted(&self) -> Result<Option<SignedHead>, Failure> {
        Ok(self.globals.trust.as_deref().map(read_head).transpose()?)
    }

    /// The head that the user named; else, if there is a policy, the newest of those kept that meets it, or the newest of all.
    fn trusted_or_kept(&self) -> Result<Option<SignedHead>, Failure> {
        if self.globals.trust.is_some() || self.globals.witness_policy.is_none() {
            return self.trusted();
        }
        let dir = match self.ledger_dir() {
            Err(failure) if failure.code == &NOTHING_HERE => return Ok(None),
            found => found?,
        };
        // What is wrong with the ledger itself is for whoever opens it to say.
        let Ok(identity) = read_identity(&dir) else { return Ok(None) };
        let ledger = identity.ledger();
        match self.newest_seen(&ledger, 0)? {
            Some(head) => Ok(Some(head)),
            None => Ok(cosigned_heads()?.all(&ledger)?.into_iter().next()),
        }
    }
}

/// The cosigned heads that the user keeps.
pub(in crate::cli) fn cosigned_heads() -> Result<CosignedHeads, Failure> {
    Ok(CosignedHeads::new(Home::from_environment()?.witnessed()))
}

/// The head with the cosignatures that are kept of it.
pub(in crate::cli) fn with_cosignatures(head: &SignedHead) -> Result<SignedHead, Failure> {
    let kept = cosigned_heads()?.all(&head.head().ledger)?;
    let more = kept.iter().find_map(|kept| head.clone().with_signatures_of(kept));
    Ok(more.unwrap_or_else(|| head.clone()))
}

/// The latest time that is believed of a cosignature, in seconds since the Unix epoch.
pub(in crate::cli) fn latest_believed() -> u64 {
    SystemClock.now_ms() / 1000 + CLOCKS_DIFFER_SECONDS_MAX
}
