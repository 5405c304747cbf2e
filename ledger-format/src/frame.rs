//! Frames: how events and heads lie in a log, and how they are found again in a damaged one
//! (SPEC §10). A frame is a run of consecutive events stored as one value; a head record is a signed
//! head stored as one value. Both begin with magic bytes, the ledger and a position, so that they can
//! be recognised in raw bytes. Knows no engine and no file.

use crate::hash::LedgerId;

/// Largest frame, in bytes. Well below the 7.8 KB from which the log's engine would put values into
/// files of their own, which it never syncs.
pub const FRAME_BYTES_MAX: usize = 6 * 1024;

const FRAME_MAGIC: [u8; 8] = *b"GLYPHfrm";
const HEAD_MAGIC: [u8; 8] = *b"GLYPHhed";
const HEADER_BYTES: usize = 8 + 32 + 8 + 4 + 4;
const LENGTH_BYTES: usize = 2;

/// Bytes that are not a frame or head record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a stored {what}: {reason}")]
pub struct FrameError {
    what: &'static str,
    reason: &'static str,
}

/// Consecutive events of one batch, stored as one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The ledger.
    pub ledger: LedgerId,
    /// Sequence number of the first event.
    pub first_seq: u64,
    /// The events' canonical bytes.
    pub events: Vec<Vec<u8>>,
}

impl Frame {
    /// Packs `events`, the first of which has `first_seq`, into as few frames as fit
    /// [`FRAME_BYTES_MAX`]. Every event has at most [`crate::event::EVENT_BYTES_MAX`] bytes.
    pub fn pack(ledger: LedgerId, first_seq: u64, events: &[Vec<u8>]) -> Vec<Self> {
        let mut frames: Vec<Self> = Vec::new();
        let mut bytes = FRAME_BYTES_MAX;
        for (seq, event) in (first_seq..).zip(events) {
            let needed = LENGTH_BYTES + event.len();
            match frames.last_mut() {
                Some(frame) if bytes + needed <= FRAME_BYTES_MAX => {
                    frame.events.push(event.clone());
                    bytes += needed;
                }
                _ => {
                    frames.push(Self { ledger, first_seq: seq, events: vec![event.clone()] });
                    bytes = HEADER_BYTES + needed;
                }
            }
        }
        frames
    }

    /// The stored bytes.
    pub fn encode(&self) -> Vec<u8> {
        let payload: usize = self.events.iter().map(|event| LENGTH_BYTES + event.len()).sum();
        let mut out = header(FRAME_MAGIC, &self.ledger, self.first_seq, self.events.len(), payload);
        for event in &self.events {
            out.extend_from_slice(&u16::try_from(event.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(event);
        }
        out
    }

    /// Reads a value that is exactly one frame.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        whole("frame", bytes, Self::decode_prefix(bytes))
    }

    /// Reads the frame that `bytes` begins with, whatever follows; for salvage.
    pub fn decode_prefix(bytes: &[u8]) -> Result<(Self, usize), FrameError> {
        let refuse = |reason| FrameError { what: "frame", reason };
        let header = Header::read(FRAME_MAGIC, bytes).ok_or(refuse("no frame header"))?;
        if header.payload + HEADER_BYTES > FRAME_BYTES_MAX {
            return Err(refuse("longer than a frame may be"));
        }
        let mut rest = header.payload_of(bytes).ok_or(refuse("cut off"))?;
        let mut events = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let (event, after) =
                after.split_at_checked(length).ok_or(refuse("an event is cut off"))?;
            events.push(event.to_vec());
            rest = after;
        }
        if !rest.is_empty() || events.is_empty() || events.len() != header.count {
            return Err(refuse("its events do not fill it"));
        }
        let frame = Self { ledger: header.ledger, first_seq: header.position, events };
        Ok((frame, HEADER_BYTES + header.payload))
    }
}

/// A signed head as stored: its note with the size in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRecord {
    /// The ledger.
    pub ledger: LedgerId,
    /// Number of events the head covers.
    pub size: u64,
    /// The bytes of the signed note.
    pub note: Vec<u8>,
}

impl HeadRecord {
    /// The stored bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = header(HEAD_MAGIC, &self.ledger, self.size, 1, self.note.len());
        out.extend_from_slice(&self.note);
        out
    }

    /// Reads a value that is exactly one head record.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        whole("head", bytes, Self::decode_prefix(bytes))
    }

    /// Reads the head record that `bytes` begins with, whatever follows; for salvage.
    pub fn decode_prefix(bytes: &[u8]) -> Result<(Self, usize), FrameError> {
        let refuse = |reason| FrameError { what: "head", reason };
        let header = Header::read(HEAD_MAGIC, bytes).ok_or(refuse("no head header"))?;
        if header.count != 1 || header.payload > crate::note::NOTE_BYTES_MAX {
            return Err(refuse("longer than a head may be"));
        }
        let note = header.payload_of(bytes).ok_or(refuse("cut off"))?.to_vec();
        let record = Self { ledger: header.ledger, size: header.position, note };
        Ok((record, HEADER_BYTES + header.payload))
    }
}

/// Something recognised in raw bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Salvaged {
    /// A frame. Its events are as good as their hashes turn out to be.
    Frame(Frame),
    /// A head record.
    Head(HeadRecord),
}

/// Every frame and head record found in `raw`, with its offset. Overlapping finds are all reported;
/// which of them are true is for chain, roots and signatures to say.
pub fn salvage(raw: &[u8]) -> impl Iterator<Item = (usize, Salvaged)> {
    let starts = raw.windows(FRAME_MAGIC.len()).enumerate();
    starts.filter(|(_, window)| *window == FRAME_MAGIC || *window == HEAD_MAGIC).filter_map(
        |(offset, window)| {
            let bytes = raw.get(offset..)?;
            let found = if window == FRAME_MAGIC {
                Salvaged::Frame(Frame::decode_prefix(bytes).ok()?.0)
            } else {
                Salvaged::Head(HeadRecord::decode_prefix(bytes).ok()?.0)
            };
            Some((offset, found))
        },
    )
}

struct Header {
    ledger: LedgerId,
    position: u64,
    count: usize,
    payload: usize,
}

impl Header {
    fn read(magic: [u8; 8], bytes: &[u8]) -> Option<Self> {
        let (found, rest) = bytes.split_first_chunk::<8>()?;
        let (ledger, rest) = rest.split_first_chunk::<32>()?;
        let (position, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (payload, _) = rest.split_first_chunk::<4>()?;
        (*found == magic).then_some(Self {
            ledger: LedgerId::from_bytes(*ledger),
            position: u64::from_be_bytes(*position),
            count: usize::try_from(u32::from_be_bytes(*count)).ok()?,
            payload: usize::try_from(u32::from_be_bytes(*payload)).ok()?,
        })
    }

    fn payload_of<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        bytes.get(HEADER_BYTES..)?.get(..self.payload)
    }
}

fn header(
    magic: [u8; 8],
    ledger: &LedgerId,
    position: u64,
    count: usize,
    payload: usize,
) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    let mut out = Vec::with_capacity(HEADER_BYTES + payload);
    out.extend_from_slice(&magic);
    out.extend_from_slice(ledger.as_bytes());
    out.extend_from_slice(&position.to_be_bytes());
    out.extend_from_slice(&number(count));
    out.extend_from_slice(&number(payload));
    out
}

fn whole<T>(
    what: &'static str,
    bytes: &[u8],
    read: Result<(T, usize), FrameError>,
) -> Result<T, FrameError> {
    let (value, used) = read?;
    if used == bytes.len() {
        Ok(value)
    } else {
        Err(FrameError { what, reason: "bytes follow it" })
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;
    use crate::event::EVENT_BYTES_MAX;

    fn ledger() -> LedgerId {
        LedgerId::of(&[1; 32], &[2; 16])
    }

    quickcheck! {
        fn packing_loses_nothing_and_respects_the_limit(sizes: Vec<u16>) -> bool {
            let events: Vec<Vec<u8>> = sizes
                .iter()
                .map(|size| vec![0xab; 1 + usize::from(*size) % EVENT_BYTES_MAX])
                .collect();
            let frames = Frame::pack(ledger(), 10, &events);
            let mut next = 10;
            let mut unpacked = Vec::new();
            for frame in frames {
                let bytes = frame.encode();
                let again = Frame::decode(&bytes).unwrap();
                assert!(bytes.len() <= FRAME_BYTES_MAX);
                assert_eq!((&again, again.first_seq), (&frame, next));
                next += again.events.len() as u64;
                unpacked.extend(again.events);
            }
            unpacked == events
        }
    }

    #[test]
    fn frames_and_heads_are_found_in_raw_bytes() {
        let frame = Frame { ledger: ledger(), first_seq: 3, events: vec![vec![1; 40], vec![2; 9]] };
        let head = HeadRecord { ledger: ledger(), size: 5, note: b"note".to_vec() };
        let raw =
            [b"GLYPHfrm garbage".as_slice(), &frame.encode(), &[0; 7], &head.encode(), b"GLYPHhed"]
                .concat();
        let found: Vec<_> = salvage(&raw).collect();
        let frame_at = 16;
        let head_at = frame_at + frame.encode().len() + 7;
        assert_eq!(found, [(frame_at, Salvaged::Frame(frame)), (head_at, Salvaged::Head(head)),]);
    }

    #[test]
    fn a_cut_or_lengthened_value_is_refused() {
        let frame = Frame { ledger: ledger(), first_seq: 3, events: vec![vec![1; 40], vec![2; 9]] };
        let head = HeadRecord { ledger: ledger(), size: 5, note: b"note".to_vec() };
        let (frame, head) = (frame.encode(), head.encode());
        for cut in 0..frame.len() {
            assert!(Frame::decode(&frame[..cut]).is_err(), "{cut}");
        }
        for cut in 0..head.len() {
            assert!(HeadRecord::decode(&head[..cut]).is_err(), "{cut}");
        }
        assert!(Frame::decode(&[frame, vec![0]].concat()).is_err());
        assert!(HeadRecord::decode(&[head, vec![0]].concat()).is_err());
    }
}
