//! What is said of keys, and who agrees to plans: one event each, by whom the ledger's rules allow it. Decides nothing that the rules do
//! not; knows no file.

use ledger_format::body::{
    ApprovalsSet, Body, FixedBytes, KeyAuthorized, KeyRevoked, KeyRotated, PlanApproved, Role,
    Roles, possession_statement,
};
use ledger_format::hash::{CommitHash, KeyId, LedgerId};

use projections::{KeyRing, KnownKey};

use super::append::AppendError;
use super::{Ledger, Recorded};
use crate::effects::Signer;

/// What is to be said.
pub enum KeyChange<'a> {
    /// Another key may sign.
    Authorize {
        /// The key.
        public_key: [u8; 32],
        /// What it may do.
        roles: Roles,
        /// Signed with it, if its owner was there ([`possession`]).
        possession: Option<[u8; 64]>,
    },
    /// The signer's key ends, and this one has its roles.
    Rotate {
        /// The new key.
        to: &'a dyn Signer,
    },
    /// A key may not sign any more.
    Revoke {
        /// The key.
        key: KeyId,
        /// Why.
        reason: String,
        /// The first event that its owner may not have signed.
        suspect_since: Option<u64>,
    },
    /// So many others must agree to a plan before it is carried out.
    RequireApprovals {
        /// Their number; 0 for none.
        count: u64,
    },
    /// The signer agrees to a plan.
    Approve {
        /// The plan's id.
        plan: CommitHash,
        /// Why, if that is said.
        reason: Option<String>,
    },
}

/// Something that was not said.
#[derive(Debug, thiserror::Error)]
pub enum KeyChangeError {
    /// The ledger's rules do not allow it (SPEC §6.2, rule 1).
    #[error("{rule}")]
    Refused {
        /// The rule.
        rule: String,
    },
    /// More keys would have to agree to a plan than can.
    #[error(
        "{} would have to agree to each plan, and at most {possible} can: {} may approve, and whoever carries a plan out does not count",
        other_keys(*count), keys_in_words(*approvers)
    )]
    Unreachable {
        /// How many would have to agree.
        count: u64,
        /// How many can at most.
        possible: u64,
        /// How many keys may approve.
        approvers: u64,
    },
    /// It could not be appended.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// What shows that somebody holds the key of `signer`, for one ledger.
pub fn possession(ledger: LedgerId, signer: &dyn Signer) -> [u8; 64] {
    let public_key = signer.public_key();
    signer.sign(&possession_statement(ledger, public_key.as_bytes())).to_bytes()
}

/// How many keys can agree at most to a plan that some key of `ring` carries out.
pub fn approvals_possible(ring: &KeyRing) -> u64 {
    let carriers = ring.iter().filter(|key| key.roles.contains(Role::Append));
    carriers.map(|key| approvers_beside(ring, &KeyId::of(&key.public_key.0))).max().unwrap_or(0)
}

/// How many keys may agree to a plan that `carrier` carries out.
pub fn approvers_beside(ring: &KeyRing, carrier: &KeyId) -> u64 {
    approvers(ring).filter(|key| KeyId::of(&key.public_key.0) != *carrier).count() as u64
}

fn approvers(ring: &KeyRing) -> impl Iterator<Item = &KnownKey> {
    ring.iter().filter(|key| key.roles.contains(Role::Approve))
}

/// `1 other key`, `2 other keys`.
pub(crate) fn other_keys(count: u64) -> String {
    if count == 1 { "1 other key".to_owned() } else { format!("{count} other keys") }
}

fn keys_in_words(count: u64) -> String {
    if count == 1 { "1 key".to_owned() } else { format!("{count} keys") }
}

impl Ledger {
    /// Appends the event that says so. Where the rules do not allow it, or no plan could ever be carried out then, nothing is appended. A
    /// key that agrees to plans can be revoked all the same: one that was stolen must be.
    pub fn change_keys(
        &mut self,
        signer: &dyn Signer,
        change: KeyChange<'_>,
    ) -> Result<Recorded, KeyChangeError> {
        if let KeyChange::RequireApprovals { count } = change {
            self.must_be_possible(count)?;
        }
        let body = self.body_of(change);
        let refused = |rule: String| KeyChangeError::Refused { rule };
        let recorded = self.append(signer, vec![body]).map_err(|error| match error {
            AppendError::Illegal { rule, .. } => refused(rule.to_string()),
            AppendError::Encoding { reason, .. } => refused(reason),
            other => KeyChangeError::Append(other),
        })?;
        recorded.into_iter().next().ok_or_else(|| refused("no event was made of it".to_owned()))
    }

    fn must_be_possible(&self, count: u64) -> Result<(), KeyChangeError> {
        let ring = self.state().keys();
        let possible = approvals_possible(ring);
        if count <= possible {
            return Ok(());
        }
        let approvers = approvers(ring).count() as u64;
        Err(KeyChangeError::Unreachable { count, possible, approvers })
    }

    fn body_of(&self, change: KeyChange<'_>) -> Body {
        match change {
            KeyChange::Authorize { public_key, roles, possession } => {
                let (public_key, possession) = (FixedBytes(public_key), possession.map(FixedBytes));
                KeyAuthorized { public_key, roles, possession }.into()
            }
            KeyChange::Rotate { to } => {
                let public_key = FixedBytes(*to.public_key().as_bytes());
                let possession = FixedBytes(possession(self.id(), to));
                KeyRotated { public_key, possession }.into()
            }
            KeyChange::Revoke { key, reason, suspect_since } => {
                KeyRevoked { key, reason, suspect_since }.into()
            }
            KeyChange::RequireApprovals { count } => ApprovalsSet { count }.into(),
            KeyChange::Approve { plan, reason } => PlanApproved { plan, reason }.into(),
        }
    }
}
