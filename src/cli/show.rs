//! `show`: one event in full, with its exact bytes and the head that closes its batch; of the hash of an object also what runs
//! did with it, from what it was to what it is.

use std::io::{self, Write};
use std::str::FromStr;

use clap::Args;
use ledger_format::body::{ObjectState, Purpose};
use ledger_format::cbor::Value;
use ledger_format::event::FORMAT;
use ledger_format::hash::{EventId, KeyId, LedgerId, NodeHash, hex};
use ledger_format::head::SignedHead;
use ledger_format::json::to_json;
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::words::time;
use crate::diagnostic::{EVENT_ILLEGAL, Failure};
use crate::ledger::{Cursor, CursorError, Ledger, Recorded};
use crate::migrate::account::{Trail, TrailStep, trail};

/// Fewest digits that are taken for a hash, as in cursors.
const HASH_DIGITS_MIN: usize = 8;

/// Digits of a whole hash. A shorter text of decimal digits only is a seq.
const HASH_DIGITS: usize = 64;

/// Bytes shown on a line.
const BYTES_A_LINE: usize = 32;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A cursor, for the last event it covers; or a hash, for the event of that id or else the first
    /// that names it, and for all that runs did with an object that once had it
    #[arg(value_name = "CURSOR|HASH")]
    subject: Subject,
}

#[derive(Debug, Clone)]
enum Subject {
    Cursor(Cursor),
    /// At least [`HASH_DIGITS_MIN`] digits of a hash of any class.
    Hash(String),
}

#[derive(Serialize)]
pub(super) struct Shown {
    seq: u64,
    id: EventId,
    prev: EventId,
    at: String,
    at_ms: u64,
    kind: &'static str,
    actor: KeyId,
    format: u64,
    ledger: LedgerId,
    body: serde_json::Value,
    batch: BatchOf,
    /// The event itself, in hex.
    bytes: String,
    /// What runs did with the objects that once had the hash asked for.
    trail: Option<Trail>,
}

/// The batch that an event was appended in.
#[derive(Serialize)]
struct BatchOf {
    first_seq: u64,
    last_seq: u64,
    head: Head,
}

#[derive(Serialize)]
struct Head {
    size: u64,
    root: NodeHash,
    signer: KeyId,
    /// The signed note, as it is stored.
    note: String,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Shown>, Failure> {
    let ledger = context.open()?;
    let recorded = arguments.subject.find(&ledger)?;
    let batch = BatchOf::of(&ledger, recorded.event.seq)?;
    let trail = match &arguments.subject {
        Subject::Hash(digits) if !recorded.id.to_string().starts_with(digits) => {
            trail(&ledger, digits)?
        }
        _ => None,
    };
    Ok(Done::new(Shown { trail, ..Shown::of(&recorded, batch)? }))
}

impl FromStr for Subject {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let hex = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let decimal = text.bytes().all(|digit| digit.is_ascii_digit());
        let digits = text.len();
        let hash = hex && digits >= HASH_DIGITS_MIN && (digits == HASH_DIGITS || !decimal);
        if hash { Ok(Self::Hash(text.to_owned())) } else { text.parse().map(Self::Cursor) }
    }
}

impl Subject {
    fn find(&self, ledger: &Ledger) -> Result<Recorded, Failure> {
        let size = ledger.state().size();
        match self {
            Self::Cursor(cursor) => {
                let covered = ledger.resolve(cursor)?;
                let nothing =
                    || CursorError::Unknown { what: "an event before the first".into(), size };
                Ok(ledger.event(covered.checked_sub(1).ok_or_else(nothing)?)?)
            }
            Self::Hash(digits) => match ledger.resolve(&Cursor::Id(digits.clone())) {
                Ok(covered) => Ok(ledger.event(covered.saturating_sub(1))?),
                Err(CursorError::Unknown { .. }) => first_that_names(digits, ledger),
                Err(error) => Err(error.into()),
            },
        }
    }
}

/// The first event in whose body a hash that begins with `digits` stands.
fn first_that_names(digits: &str, ledger: &Ledger) -> Result<Recorded, Failure> {
    let size = ledger.state().size();
    for recorded in ledger.events(0..size) {
        let recorded = recorded?;
        if names(&body(&recorded)?, digits) {
            return Ok(recorded);
        }
    }
    Err(CursorError::Unknown { what: format!("hash {digits}"), size }.into())
}

fn names(value: &Value, digits: &str) -> bool {
    match value {
        Value::Bytes(bytes) => hex(bytes).starts_with(digits),
        Value::Array(items) => items.iter().any(|item| names(item, digits)),
        Value::Map(entries) => entries.iter().any(|(_, value)| names(value, digits)),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
            false
        }
    }
}

fn body(recorded: &Recorded) -> Result<Value, Failure> {
    let seq = recorded.event.seq;
    recorded
        .event
        .body
        .to_value()
        .map_err(|error| Failure::new(&EVENT_ILLEGAL, error.to_string()).at(format!("event {seq}")))
}

impl Shown {
    fn of(recorded: &Recorded, batch: BatchOf) -> Result<Self, Failure> {
        let Recorded { id, event, bytes } = recorded;
        Ok(Self {
            seq: event.seq,
            id: *id,
            prev: event.prev,
            at: time(event.at),
            at_ms: event.at,
            kind: event.body.kind(),
            actor: event.actor,
            format: FORMAT,
            ledger: event.ledger,
            body: to_json(&body(recorded)?),
            batch,
            bytes: hex(bytes),
            trail: None,
        })
    }
}

impl BatchOf {
    fn of(ledger: &Ledger, seq: u64) -> Result<Self, Failure> {
        let size = ledger.state().size();
        let unknown = || CursorError::Unknown { what: format!("event {seq}"), size };
        let batch = ledger.batches(seq..seq.saturating_add(1)).next().ok_or_else(unknown)??;
        let head = Head::of(&batch.head);
        Ok(Self { first_seq: batch.first_seq, last_seq: head.size.saturating_sub(1), head })
    }
}

impl Head {
    fn of(head: &SignedHead) -> Self {
        let note = String::from_utf8_lossy(&head.encode()).into_owned();
        Self { size: head.head().size, root: head.head().root, signer: head.signer(), note }
    }
}

impl Answer for Shown {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let mut field = |name: &str, value: &dyn std::fmt::Display| {
            writeln!(out, "{}  {value}", paint.faint(format_args!("{name:6}")))
        };
        field("event", &paint.strong(self.seq))?;
        field("kind", &paint.strong(self.kind))?;
        field("at", &self.at)?;
        field("id", &self.id)?;
        field("prev", &self.prev)?;
        field("actor", &self.actor)?;
        field("ledger", &self.ledger)?;
        field("format", &self.format)?;
        let BatchOf { first_seq, last_seq, head } = &self.batch;
        field("batch", &format_args!("events {first_seq} to {last_seq}"))?;
        if let Some(trail) = &self.trail {
            write_trail(trail, out, paint)?;
        }
        let body = serde_json::to_string_pretty(&self.body).map_err(io::Error::from)?;
        section(out, paint, "body", body.lines())?;
        section(out, paint, "head", head.note.lines())?;
        let lines = self.bytes.as_bytes().chunks(BYTES_A_LINE * 2);
        let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
        section(out, paint, "bytes", lines.iter().map(AsRef::as_ref))
    }
}

fn write_trail(trail: &Trail, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    writeln!(out, "{}", paint.faint("trail"))?;
    for step in &trail.steps {
        let (object, run) = (one_line(&step.object), step.run.short());
        let (from, to, outcome) = (one_line(&step.from), one_line(&step.to), step.outcome.word());
        let done = match step.purpose {
            Purpose::Migrate => format!("{from} -> {to}"),
            Purpose::Rollback => "put back".to_owned(),
        };
        writeln!(
            out,
            "  {}  {done}  event {}  run {run}, {outcome}",
            paint.strong(object),
            step.seq
        )?;
        for (name, before, after) in pairs(step) {
            let marked = |hash: &str| {
                if hash == trail.hash { paint.strong(hash) } else { hash.to_owned() }
            };
            writeln!(
                out,
                "    {}\n      {} -> {}",
                one_line(&name),
                marked(&before),
                marked(&after)
            )?;
        }
    }
    if trail.not_listed > 0 {
        writeln!(out, "  and {} more", trail.not_listed)?;
    }
    for (object, state) in &trail.now {
        let now = hex(&state.claim_hash());
        writeln!(out, "  {}  now {now}", one_line(object))?;
    }
    Ok(())
}

/// The hashes of an object before and after a step, each with what is hashed.
fn pairs(step: &TrailStep) -> Vec<(String, String, String)> {
    let pair = |name: &str, before: String, after: String| (name.to_owned(), before, after);
    let mut pairs = Vec::new();
    match (&step.source, &step.target) {
        (
            ObjectState::Database { rows: before, page_root: root, .. },
            ObjectState::Database { rows: after, page_root: root_after, .. },
        ) => {
            pairs.push(pair("rows", before.to_string(), after.to_string()));
            pairs.push(pair("page_root", root.to_string(), root_after.to_string()));
        }
        (before, after) => {
            let (before, after) = (hex(&before.claim_hash()), hex(&after.claim_hash()));
            pairs.push(pair("content", before, after));
        }
    }
    let renamed = step.renamed.iter();
    pairs.extend(renamed.map(|one| pair(&one.naming, hex(&one.old_hash.0), hex(&one.new_hash.0))));
    pairs
}

fn section<'a>(
    out: &mut dyn Write,
    paint: Paint,
    name: &str,
    lines: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    writeln!(out, "{}", paint.faint(name))?;
    for line in lines {
        let margin = if line.is_empty() { "" } else { "  " };
        writeln!(out, "{margin}{}", one_line(line))?;
    }
    Ok(())
}
