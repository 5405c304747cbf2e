//! What a ledger says of its keys and of who agreed to a plan (SPEC §6.1). Knows what a new key signs to show that it is
//! somebody's; knows not which key was there before.

use std::collections::BTreeSet;

use ed25519_dalek::{Signature, VerifyingKey};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::FixedBytes;
use crate::cbor::Value;
use crate::hash::{CommitHash, KeyId, LedgerId, NodeHash};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Says which keys there are, and how many must agree to a plan.
    Administer,
    /// Records what happens to the store.
    Append,
    /// Agrees to plans.
    Approve,
    /// Signs heads for others under the ledger's own name, and no event.
    Publish,
}

impl Role {
    /// Every role, in the order in which they stand in events.
    pub const ALL: [Self; 4] = [Self::Administer, Self::Append, Self::Approve, Self::Publish];

    /// The word that stands for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Administer => "administer",
            Self::Append => "append",
            Self::Approve => "approve",
            Self::Publish => "publish",
        }
    }
}

/// What a key may do, all of it: one role at least, each once, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// `None` for no role.
    #[must_use]
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Option<Self> {
        let roles: BTreeSet<Role> = roles.into_iter().collect();
        (!roles.is_empty()).then_some(Self(roles))
    }

    /// What the key of the first event may do: everything that events can say.
    #[must_use]
    pub fn of_genesis() -> Self {
        Self([Role::Administer, Role::Append, Role::Approve].into())
    }

    /// What a key may do that was laid by for the day the others are lost.
    #[must_use]
    pub fn of_recovery() -> Self {
        Self([Role::Administer].into())
    }

    /// Whether `role` is one of them.
    #[must_use]
    pub fn contains(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// The roles in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let roles = Vec::<Role>::deserialize(deserializer)?;
        if roles.is_empty() || !roles.is_sorted_by(|one, next| one < next) {
            return Err(D::Error::custom(
                "expected one role at least, each once and in ascending order",
            ));
        }
        Ok(Self(roles.into_iter().collect()))
    }
}

/// The ledger that a ledger goes on from, as far as its newest head tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Continues {
    /// Its id.
    pub ledger: LedgerId,
    /// Number of its events.
    pub size: u64,
    /// RFC 6962 root over their ids.
    pub root: NodeHash,
}

/// Body of `key.authorized`: another key may sign from the next event on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAuthorized {
    /// The Ed25519 public key.
    pub public_key: FixedBytes<32>,
    /// What it may do.
    pub roles: Roles,
    /// Signed with the key itself, if its owner was there to do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub possession: Option<FixedBytes<64>>,
}

/// Body of `key.rotated`: the key that signs this ends with it, and another one has its roles from the next event on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotated {
    /// The Ed25519 public key that takes over.
    pub public_key: FixedBytes<32>,
    /// Signed with it.
    pub possession: FixedBytes<64>,
}

/// Body of `key.revoked`: a key may not sign from the next event on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRevoked {
    /// The key.
    pub key: KeyId,
    /// The operator's reason.
    pub reason: String,
    /// The first event that its owner may not have signed, where that is known to lie earlier. What stands there stays
    /// legal: it is for whoever judges the history to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspect_since: Option<u64>,
}

/// Body of `approvals.set`: how many keys, other than the one that carries it out, must agree to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalsSet {
    /// Their number; 0 for none.
    pub count: u64,
}

/// Body of `plan.approved`: the key that signs this agrees to a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanApproved {
    /// The plan's id (SPEC §8.2).
    pub plan: CommitHash,
    /// The operator's reason, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a key signs to show that its owner holds it, for one ledger and no other: the 32 bytes of
/// `CommitHash("key_possession", [ledger id, public key])`.
#[must_use]
pub fn possession_statement(ledger: LedgerId, public_key: &[u8; 32]) -> [u8; 32] {
    let statement = vec![ledger.into(), Value::Bytes(public_key.to_vec())];
    *CommitHash::of("key_possession", &Value::Array(statement)).as_bytes()
}

/// Whether `possession` was signed with the key it is about, strictly (RFC 8032 with canonical points).
#[must_use]
pub fn shows_possession(ledger: LedgerId, public_key: &[u8; 32], possession: &[u8; 64]) -> bool {
    let statement = possession_statement(ledger, public_key);
    usable_key(public_key).is_some_and(|key| {
        key.verify_strict(&statement, &Signature::from_bytes(possession)).is_ok()
    })
}

/// The key of these bytes, if signatures by it mean something: the canonical form of a point of the curve that is not of
/// small order.
#[must_use]
pub fn usable_key(public_key: &[u8; 32]) -> Option<VerifyingKey> {
    if !is_below_prime(public_key) {
        return None;
    }
    VerifyingKey::from_bytes(public_key).ok().filter(|key| !key.is_weak())
}

/// Whether the coordinate in these bytes, little end first and without the sign in the topmost bit, is below 2²⁵⁵ − 19
/// (RFC 8032 §5.1.3).
fn is_below_prime(public_key: &[u8; 32]) -> bool {
    let [lowest, between @ .., highest] = public_key;
    *lowest < 0xed || highest & 0x7f != 0x7f || between.iter().any(|byte| *byte != 0xff)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::cbor::{self, Map};

    #[test]
    fn possession_is_shown_of_one_key_for_one_ledger() {
        let [key, other] = [SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32])];
        let ledger = LedgerId::of(&[1; 32], &[2; 16]);
        let public_key = key.verifying_key().to_bytes();
        let shown = key.sign(&possession_statement(ledger, &public_key)).to_bytes();
        assert!(shows_possession(ledger, &public_key, &shown));
        assert!(!shows_possession(LedgerId::of(&[1; 32], &[3; 16]), &public_key, &shown));
        assert!(!shows_possession(ledger, &other.verifying_key().to_bytes(), &shown));
        let others = other.sign(&possession_statement(ledger, &public_key)).to_bytes();
        assert!(!shows_possession(ledger, &public_key, &others));
        // The neutral element is a point, and everything is signed with it.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert!(usable_key(&neutral).is_none() && usable_key(&public_key).is_some());
        // 2²⁵⁵ − 19 + 3 is 3 in another form; 3 is the coordinate of a point.
        let mut three = [0; 32];
        three[0] = 3;
        let mut beyond = [0xff; 32];
        (beyond[0], beyond[31]) = (0xf0, 0x7f);
        assert!(usable_key(&three).is_some() && usable_key(&beyond).is_none());
    }

    #[test]
    fn roles_have_one_form() {
        let read = |words: &[&str]| {
            let words = words.iter().map(|word| Value::from(*word)).collect();
            let value = Value::Map(Map::from_iter([("roles", Value::Array(words))]));
            let Value::Map(map) = &value else { return None };
            cbor::from_value::<Roles>(map.get("roles")?).ok()
        };
        assert_eq!(read(&["administer", "append", "approve"]), Some(Roles::of_genesis()));
        for bad in [&["append", "administer"][..], &["append", "append"], &[], &["sign"]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        for role in Role::ALL {
            assert_eq!(read(&[role.word()]), Roles::new([role]));
        }
        assert_eq!(Roles::new([]), None);
    }
}
