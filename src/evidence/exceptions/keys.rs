//! What suspect keys signed, and what those signed that they let in.

use std::collections::BTreeMap;
use std::ops::Range;

use ledger_format::body::Body;
use ledger_format::event::Event;
use ledger_format::hash::KeyId;
use projections::KeyRing;

use super::{Exception, Matter};

pub(super) struct Suspicion {
    /// Keys that are suspect, or were let in by one that was, and from where on.
    since: BTreeMap<KeyId, Since>,
    signed: BTreeMap<KeyId, Signed>,
}

struct Since {
    seq: u64,
    suspect: KeyId,
}

struct Signed {
    suspect: KeyId,
    first: u64,
    last: u64,
    events: u64,
}

impl Suspicion {
    /// Of the keys that somebody called suspect when they were revoked.
    pub(super) fn of(keys: &KeyRing) -> Self {
        let suspect = keys.all().filter_map(|key| {
            let id = KeyId::of(&key.public_key.0);
            let since = key.ended.as_ref()?.suspect_since?;
            Some((id, Since { seq: since, suspect: id }))
        });
        Self { since: suspect.collect(), signed: BTreeMap::new() }
    }

    /// Takes an event in; those outside of `seqs` only for the keys that they let in.
    pub(super) fn take(&mut self, event: &Event, seqs: &Range<u64>) {
        let Some(since) = self.since.get(&event.actor) else { return };
        if event.seq < since.seq {
            return;
        }
        let (seq, suspect) = (event.seq, since.suspect);
        if seqs.contains(&seq) {
            let anew = Signed { suspect, first: seq, last: seq, events: 0 };
            let signed = self.signed.entry(event.actor).or_insert(anew);
            (signed.last, signed.events) = (seq, signed.events + 1);
        }
        let let_in = match &event.body {
            Body::KeyAuthorized(body) => &body.public_key,
            Body::KeyRotated(body) => &body.public_key,
            _ => return,
        };
        let since = Since { seq: seq + 1, suspect };
        self.since.entry(KeyId::of(&let_in.0)).or_insert(since);
    }

    pub(super) fn finish(self) -> impl Iterator<Item = Exception> {
        self.signed.into_iter().map(|(key, signed)| {
            let Signed { suspect, first, last, events } = signed;
            let matter = Matter::SuspectKey { key, suspect, first, last, events };
            Exception { seq: first, matter }
        })
    }
}
