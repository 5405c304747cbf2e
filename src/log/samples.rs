//! A small ledger that writes itself: batches for the tests of logs.

use ed25519_dalek::{Signer as _, SigningKey};
use ledger_format::body::{Body, FixedBytes, LedgerCreated, StateRecorded};
use ledger_format::chain::Chain;
use ledger_format::event::Event;
use ledger_format::hash::{CommitHash, EventId, KeyId, LedgerId};
use ledger_format::head::SignedHead;
use ledger_format::tree::Frontier;

use super::Batch;

/// Writes the next batch, again and again.
#[derive(Clone)]
pub(crate) struct Author {
    pub(crate) public_key: [u8; 32],
    pub(crate) nonce: [u8; 16],
    key: SigningKey,
    chain: Chain,
}

impl Author {
    pub(crate) fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let (public_key, nonce) = (key.verifying_key().to_bytes(), [seed; 16]);
        let chain = Chain::new(LedgerId::of(&public_key, &nonce));
        Self { public_key, nonce, key, chain }
    }

    pub(crate) fn ledger(&self) -> LedgerId {
        self.chain.ledger()
    }

    pub(crate) fn size(&self) -> u64 {
        self.chain.size()
    }

    /// Goes on from behind `batch`, which somebody with the same seed has written.
    pub(crate) fn catch_up(&mut self, batch: &Batch) {
        for bytes in &batch.events {
            let event = Event::decode(bytes).unwrap();
            self.chain.push(&event, EventId::of(bytes)).unwrap();
        }
        assert_eq!(&self.chain.head(), batch.head.head());
    }

    /// A batch of `count` events that continues the ledger, and the frontier it leads to.
    pub(crate) fn batch(&mut self, count: usize) -> (Batch, Frontier) {
        let first_seq = self.chain.size();
        let events = (0..count).map(|_| self.event()).collect();
        let head = SignedHead::sign(self.chain.head(), &self.key.verifying_key(), |text| {
            self.key.sign(text)
        });
        (Batch { first_seq, events, head }, self.chain.frontier().clone())
    }

    fn event(&mut self) -> Vec<u8> {
        let seq = self.chain.size();
        let body: Body = if seq == 0 {
            let (public_key, nonce) = (FixedBytes(self.public_key), FixedBytes(self.nonce));
            LedgerCreated::anew(public_key.0, nonce.0).into()
        } else {
            StateRecorded { size: seq, digest: CommitHash::from_bytes([seq.to_le_bytes()[0]; 32]) }
                .into()
        };
        let event = Event {
            at: 1_700_000_000_000 + seq,
            seq,
            body,
            prev: self.chain.last(),
            actor: KeyId::of(&self.public_key),
            ledger: self.chain.ledger(),
        };
        let bytes = event.encode().unwrap();
        self.chain.push(&event, EventId::of(&bytes)).unwrap();
        bytes
    }
}
