//! What a stranger can do to stored events and heads, each in as many ways as there are.

use ed25519_dalek::{Signer as _, SigningKey};
use ledger_format::event::Event;
use ledger_format::hash::{EventId, KeyId, NodeHash};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::tree::Frontier;

use super::drawn;
use super::stored::Stored;
use crate::log::Batch;

/// Whoever has no key of the ledger has one of his own.
const STRANGER: [u8; 32] = [0xa5; 32];

/// A way to bend stored events and heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// One bit of a stored run of events.
    FrameByte,
    /// A stored run of events cut off.
    FrameCut,
    /// One bit of a stored head.
    HeadByte,
    /// A stored head cut off.
    HeadCut,
    /// A head removed.
    HeadGone,
    /// Two heads exchanged.
    HeadsSwapped,
    /// An event removed, and those behind it moved up.
    EventGone,
    /// An event repeated.
    EventTwice,
    /// Two events exchanged.
    EventsSwapped,
    /// A batch removed.
    BatchGone,
    /// Two batches exchanged, each with its head.
    BatchesSwapped,
    /// An event changed and every link behind it computed anew, under the heads that are there.
    Relinked,
    /// The same with heads signed by a stranger.
    RelinkedAndSigned,
    /// The same where the events name the stranger as their actor too.
    RelinkedAndClaimed,
    /// The end of the history removed with its heads.
    EndGone,
}

impl Attack {
    /// Every attack, in the order of the table.
    pub const ALL: [Self; 15] = [
        Self::FrameByte,
        Self::FrameCut,
        Self::HeadByte,
        Self::HeadCut,
        Self::HeadGone,
        Self::HeadsSwapped,
        Self::EventGone,
        Self::EventTwice,
        Self::EventsSwapped,
        Self::BatchGone,
        Self::BatchesSwapped,
        Self::Relinked,
        Self::RelinkedAndSigned,
        Self::RelinkedAndClaimed,
        Self::EndGone,
    ];

    /// What it is called in tables.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::FrameByte => "a bit changed in each byte of the stored events",
            Self::FrameCut => "stored events cut off at each length",
            Self::HeadByte => "a bit changed in each byte of the stored heads",
            Self::HeadCut => "stored heads cut off at each length",
            Self::HeadGone => "each head removed",
            Self::HeadsSwapped => "every two heads exchanged",
            Self::EventGone => "each event removed",
            Self::EventTwice => "each event repeated",
            Self::EventsSwapped => "every two events exchanged",
            Self::BatchGone => "each batch removed with its head",
            Self::BatchesSwapped => "every two batches exchanged",
            Self::Relinked => "each event changed, and all links behind it made anew",
            Self::RelinkedAndSigned => "the same, and heads signed by a stranger's key",
            Self::RelinkedAndClaimed => "the same, and the stranger named as actor",
            Self::EndGone => "the end cut off behind each batch",
        }
    }

    /// In how many ways it can be tried on `whole`.
    #[must_use]
    pub fn ways(self, whole: &Stored) -> u64 {
        let bytes =
            |values: &mut dyn Iterator<Item = &Vec<u8>>| values.map(Vec::len).sum::<usize>();
        let heads = whole.heads.len();
        let events = || whole.batches().iter().map(|batch| batch.events.len()).sum::<usize>();
        let ways = match self {
            Self::FrameByte | Self::FrameCut => bytes(&mut whole.frames.values()),
            Self::HeadByte | Self::HeadCut => bytes(&mut whole.heads.values()),
            Self::HeadGone | Self::BatchGone => heads,
            Self::HeadsSwapped | Self::BatchesSwapped => pairs(heads),
            Self::EventGone
            | Self::EventTwice
            | Self::Relinked
            | Self::RelinkedAndSigned
            | Self::RelinkedAndClaimed => events(),
            Self::EventsSwapped => pairs(events()),
            Self::EndGone => heads.saturating_sub(1),
        };
        ways as u64
    }

    /// A copy of `whole`, bent in the way `number` of [`Attack::ways`]; `None` where that changes nothing, or there is no
    /// such way.
    #[must_use]
    pub fn bend(self, whole: &Stored, number: u64) -> Option<Stored> {
        if number >= self.ways(whole) {
            return None;
        }
        let mut bent = whole.clone();
        let at = usize::try_from(number).ok()?;
        match self {
            Self::FrameByte => flip(bent.frames.values_mut(), at, number)?,
            Self::FrameCut => cut(bent.frames.values_mut(), at)?,
            Self::HeadByte => flip(bent.heads.values_mut(), at, number)?,
            Self::HeadCut => cut(bent.heads.values_mut(), at)?,
            Self::HeadGone => {
                let size = *bent.heads.keys().nth(at)?;
                bent.heads.remove(&size);
            }
            Self::HeadsSwapped => {
                let (one, other) = pair(at);
                let sizes: Vec<_> = bent.heads.keys().copied().collect();
                let (one, other) = (*sizes.get(one)?, *sizes.get(other)?);
                let (first, second) = (bent.heads.remove(&one)?, bent.heads.remove(&other)?);
                bent.heads.extend([(one, second), (other, first)]);
            }
            Self::EventGone | Self::EventTwice | Self::EventsSwapped => {
                let mut batches = whole.batches();
                let mut events = all_events(&batches);
                match self {
                    Self::EventGone => drop(events.remove(at)),
                    Self::EventTwice => events.insert(at, events.get(at)?.clone()),
                    _ => {
                        let (one, other) = pair(at);
                        events.swap(one, other);
                    }
                }
                refill(&mut batches, events);
                bent = Stored::of(whole.ledger, &batches);
            }
            Self::BatchGone => {
                let mut batches = whole.batches();
                batches.remove(at);
                bent = Stored::of(whole.ledger, &batches);
            }
            Self::BatchesSwapped => {
                let (one, other) = pair(at);
                let mut batches = whole.batches();
                batches.swap(one, other);
                bent = Stored::of(whole.ledger, &in_line(batches));
            }
            Self::Relinked => bent = Stored::of(whole.ledger, &relinked(whole, at, None)?),
            Self::RelinkedAndSigned => {
                let batches = relinked(whole, at, None)?;
                bent = Stored::of(whole.ledger, &signed_by_stranger(whole, batches, number));
            }
            Self::RelinkedAndClaimed => {
                let batches = relinked(whole, at, Some(stranger_id()))?;
                bent = Stored::of(whole.ledger, &signed_by_stranger(whole, batches, number));
            }
            Self::EndGone => {
                let end = *bent.heads.keys().nth(at)?;
                bent.heads.retain(|size, _| *size <= end);
                bent.frames.retain(|first, _| *first < end);
            }
        }
        (bent != *whole).then_some(bent)
    }
}

/// Number of pairs among `count`.
const fn pairs(count: usize) -> usize {
    count * count.saturating_sub(1) / 2
}

/// The pair of that number: (0, 1), (0, 2), (1, 2), (0, 3), …
const fn pair(number: usize) -> (usize, usize) {
    let (mut before, mut second) = (0, 1);
    while before + second <= number {
        before += second;
        second += 1;
    }
    (number - before, second)
}

/// Changes a bit of byte `at` of all the values together.
fn flip<'a>(
    mut values: impl Iterator<Item = &'a mut Vec<u8>>,
    mut at: usize,
    number: u64,
) -> Option<()> {
    let value = values.find(|value| within(value, &mut at))?;
    *value.get_mut(at)? ^= 1 << (drawn(0, number) % 8);
    Some(())
}

/// Cuts the value that holds byte `at` of all the values together off before that byte.
fn cut<'a>(mut values: impl Iterator<Item = &'a mut Vec<u8>>, mut at: usize) -> Option<()> {
    let value = values.find(|value| within(value, &mut at))?;
    value.truncate(at);
    Some(())
}

/// Whether byte `at` lies in `value`; if not, `at` is counted from its end on.
fn within(value: &[u8], at: &mut usize) -> bool {
    let inside = *at < value.len();
    if !inside {
        *at -= value.len();
    }
    inside
}

fn all_events(batches: &[Batch]) -> Vec<Vec<u8>> {
    batches.iter().flat_map(|batch| batch.events.iter().cloned()).collect()
}

/// Deals `events` out to the batches, each as many as it had; what is left over goes to the last.
fn refill(batches: &mut [Batch], events: Vec<Vec<u8>>) {
    let mut events = events.into_iter();
    for batch in &mut *batches {
        let count = batch.events.len();
        batch.events = events.by_ref().take(count).collect();
    }
    if let Some(last) = batches.last_mut() {
        last.events.extend(events);
    }
}

/// The batches one behind the other, whatever they say of their places.
fn in_line(mut batches: Vec<Batch>) -> Vec<Batch> {
    let mut next = 0;
    for batch in &mut batches {
        batch.first_seq = next;
        next += batch.events.len() as u64;
    }
    batches
}

/// The ledger with the time of event `at` moved on by a millisecond, under every link made anew. From there on `actor` is named,
/// if there is one.
fn relinked(whole: &Stored, at: usize, actor: Option<KeyId>) -> Option<Vec<Batch>> {
    let mut batches = whole.batches();
    let mut events = all_events(&batches);
    let mut prev = None;
    for (seq, bytes) in events.iter_mut().enumerate().skip(at) {
        let mut event = Event::decode(bytes).ok()?;
        if seq == at {
            event.at += 1;
        }
        event.prev = prev.unwrap_or(event.prev);
        event.actor = actor.unwrap_or(event.actor);
        *bytes = event.encode().ok()?;
        prev = Some(EventId::of(bytes));
    }
    refill(&mut batches, events);
    Some(batches)
}

fn stranger_id() -> KeyId {
    KeyId::of(SigningKey::from_bytes(&STRANGER).verifying_key().as_bytes())
}

/// The batches with every head from the one over event `from` on signed anew over what is there, with the stranger's key.
fn signed_by_stranger(whole: &Stored, mut batches: Vec<Batch>, from: u64) -> Vec<Batch> {
    let key = SigningKey::from_bytes(&STRANGER);
    let mut frontier = Frontier::new();
    for batch in &mut batches {
        for event in &batch.events {
            frontier.push(NodeHash::leaf(EventId::of(event)));
        }
        if frontier.size() > from {
            let head =
                TreeHead { ledger: whole.ledger, size: frontier.size(), root: frontier.root() };
            batch.head = SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text));
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_all_there_and_once() {
        let all: Vec<_> = (0..pairs(5)).map(pair).collect();
        let expected = (1..5).flat_map(|second| (0..second).map(move |first| (first, second)));
        assert_eq!(all, expected.collect::<Vec<_>>());
    }
}
