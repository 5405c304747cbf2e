//! `log`: what happened, one line an event.

use std::cell::OnceCell;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ledger_format::body::{Body, ObjectState};
use ledger_format::hash::{EventId, LedgerId};
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::words::{count, of_loss, summary, time};
use crate::diagnostic::Failure;
use crate::ledger::{Cursor, Recorded};
use crate::migrate::account::amounts_of;
use crate::objects::PackObjects;

/// Events listed when no other number is asked for: a few screens.
const LIMIT_DEFAULT: u64 = 100;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// List at most so many events
    #[arg(long, short = 'n', value_name = "N", default_value_t = LIMIT_DEFAULT)]
    limit: u64,
    /// List the oldest of them first
    #[arg(long)]
    reverse: bool,
    /// List the events up to this cursor
    #[arg(long, value_name = "CURSOR", default_value = "@")]
    at: Cursor,
}

#[derive(Serialize)]
pub(super) struct Listing {
    ledger: LedgerId,
    size: u64,
    events: Vec<Line>,
    /// Events before the first one listed.
    earlier: u64,
    #[serde(skip)]
    oldest_first: bool,
}

#[derive(Serialize)]
struct Line {
    seq: u64,
    id: EventId,
    at: String,
    at_ms: u64,
    kind: &'static str,
    /// The run the event belongs to.
    run: Option<EventId>,
    object: Option<String>,
    summary: String,
    #[serde(skip)]
    role: Role,
}

/// Where an event stands in a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Outside,
    First,
    Within,
    Last,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Listing>, Failure> {
    let ledger = context.open()?;
    let size = ledger.resolve(&arguments.at)?;
    let seqs = size.saturating_sub(arguments.limit)..size;
    let earlier = seqs.start;
    let lists = Lists { dir: ledger.objects_dir(), packs: OnceCell::new() };
    let mut events = ledger
        .events(seqs)
        .map(|recorded| Ok(Line::of(&recorded?, &lists)))
        .collect::<Result<Vec<_>, Failure>>()?;
    if !arguments.reverse {
        events.reverse();
    }
    let oldest_first = arguments.reverse;
    let done = Done::new(Listing { ledger: ledger.id(), size, events, earlier, oldest_first });
    if earlier == 0 {
        return Ok(done);
    }
    let (all, at) = (size.to_string(), (size - 1).to_string());
    Ok(done
        .note(format!("{} before these", count(earlier, "event")))
        .next(&["log", "--limit", &all, "--at", &at]))
}

/// The lists of what was lost, opened when the first is asked for; what is not kept there is told without.
struct Lists {
    dir: PathBuf,
    packs: OnceCell<Option<PackObjects>>,
}

impl Lists {
    /// What an event concerns, where it is a loss of a database with how much of what was lost.
    fn summary(&self, body: &Body) -> String {
        match body {
            Body::ObjectMigrated(body)
                if body.lost > 0 && matches!(body.target, ObjectState::Database { .. }) =>
            {
                let dir = &self.dir;
                let packs = self.packs.get_or_init(|| PackObjects::open_read_only(dir).ok());
                let lost = packs.as_ref().and_then(|packs| amounts_of(body, packs));
                lost.map(|lost| of_loss(body, &lost))
            }
            _ => None,
        }
        .unwrap_or_else(|| summary(body))
    }
}

impl Line {
    fn of(recorded: &Recorded, lists: &Lists) -> Self {
        let Recorded { id, event, .. } = recorded;
        let role = Role::of(&event.body);
        Self {
            seq: event.seq,
            id: *id,
            at: time(event.at),
            at_ms: event.at,
            kind: event.body.kind(),
            run: if role == Role::First { Some(*id) } else { event.body.run() },
            object: event.body.object().map(ToOwned::to_owned),
            summary: lists.summary(&event.body),
            role,
        }
    }
}

impl Role {
    const fn of(body: &Body) -> Self {
        match body {
            Body::RunStarted(_) => Self::First,
            Body::RunPublished(_) | Body::RunAborted(_) | Body::RunAbandoned(_) => Self::Last,
            Body::RunRoute(_)
            | Body::ObjectStaged(_)
            | Body::ObjectMigrated(_)
            | Body::RunCommitted(_) => Self::Within,
            Body::LedgerCreated(_)
            | Body::KeyAuthorized(_)
            | Body::KeyRotated(_)
            | Body::KeyRevoked(_)
            | Body::ApprovalsSet(_)
            | Body::PlanApproved(_)
            | Body::StoreAdopted(_)
            | Body::ObjectObserved(_)
            | Body::ObjectPruned(_)
            | Body::DriftAccepted(_)
            | Body::ContractFrozen(_)
            | Body::ProofRecorded(_)
            | Body::StateRecorded(_) => Self::Outside,
        }
    }

    /// The event's part of the bracket that holds a run together.
    const fn bracket(self, oldest_first: bool) -> char {
        match (self, oldest_first) {
            (Self::Outside, _) => ' ',
            (Self::Within, _) => '│',
            (Self::First, true) | (Self::Last, false) => '┌',
            (Self::First, false) | (Self::Last, true) => '└',
        }
    }
}

impl Answer for Listing {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let digits = self.size.to_string().len();
        let kinds = Body::KINDS.iter().map(|kind| kind.len()).max().unwrap_or_default();
        for line in &self.events {
            let Line { seq, id, at, kind, summary, .. } = line;
            let bracket = line.role.bracket(self.oldest_first);
            let (id, at) = (paint.faint(id.short()), paint.faint(at));
            let kind = paint.strong(format_args!("{kind:kinds$}"));
            writeln!(out, "{seq:digits$}  {id}  {at}  {bracket} {kind}  {}", one_line(summary))?;
        }
        Ok(())
    }
}
