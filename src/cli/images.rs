//! `image`: the states of databases that can be put back, what each takes, whether all of it is there, and how the oldest are
//! given up.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use ledger_format::body::ObjectState;
use ledger_format::hash::CommitHash;
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::reason;
use super::terminal::{Paint, one_line};
use super::words::count;
use crate::diagnostic::{CONFIRMATION_REQUIRED, Failure, OBJECT_DAMAGED};
use crate::ledger::{Cursor, Ledger};
use crate::migrate::{Pruning, must_be_kept};
use crate::objects::PackObjects;
use crate::replay::{Checked, Image, Images, Since, Size, Verification};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the states of databases that can be put back, and what each takes.
    List,
    /// Read every page of them and compare it with its hash.
    Verify(Which),
    /// Give up the states of databases before a cursor, and take out of the store of content what only they need.
    Prune(Prune),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only what is put back at this cursor; else all
    #[arg(value_name = "CURSOR")]
    at: Option<Cursor>,
}

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// The oldest cursor that can be gone back to afterwards
    #[arg(long, value_name = "CURSOR")]
    keep: Cursor,
    /// Why, for whoever reads the history
    #[arg(long, value_name = "TEXT", value_parser = reason::said)]
    reason: String,
    /// The id of what goes, as it is shown without this; at least its first twelve digits
    #[arg(long, value_name = "ID")]
    yes: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answered {
    Listed(Listed),
    Verified(Verified),
    Pruned(Pruned),
}

#[derive(Serialize)]
pub(super) struct Listed {
    images: Vec<Shown>,
    /// Bytes of everything, kept once.
    kept: u64,
    /// Results of single steps that no cursor names, and bytes that only they need.
    steps: u64,
    only_steps: u64,
    /// States that were given up.
    pruned: u64,
}

/// What goes, or went.
#[derive(Serialize)]
pub(super) struct Pruned {
    id: CommitHash,
    /// The oldest event that can be gone back to.
    keep: u64,
    images: u64,
    objects: u64,
    bytes: u64,
    /// Whether it was done.
    done: bool,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    image: Image,
    #[serde(flatten)]
    size: Size,
}

#[derive(Serialize)]
pub(super) struct Verified {
    images: Vec<Looked>,
    damaged: u64,
}

#[derive(Serialize)]
struct Looked {
    #[serde(flatten)]
    image: Image,
    #[serde(flatten)]
    checked: Checked,
}

pub(super) fn run(verb: &Verb, context: &Context) -> Result<Done<Answered>, Failure> {
    if let Verb::Prune(wanted) = verb {
        return prune(wanted, context);
    }
    let ledger = context.open()?;
    let packs = PackObjects::open_read_only(&ledger.objects_dir())?;
    match verb {
        Verb::List => list(&ledger, &packs)
            .map(|listed| Done::new(Answered::Listed(listed)).next(&["image", "verify"])),
        Verb::Verify(which) => verify(which, &ledger, &packs),
        Verb::Prune(wanted) => prune(wanted, context),
    }
}

/// Fewest digits of an id that count as having typed it.
const CONSENT_DIGITS_MIN: usize = 12;

fn prune(wanted: &Prune, context: &Context) -> Result<Done<Answered>, Failure> {
    let mut ledger = context.open()?;
    let size = ledger.resolve(&wanted.keep)?;
    must_be_kept(&ledger, size)?;
    // Also where nothing is confirmed: what an earlier pruning began is finished first.
    let mut packs = PackObjects::open(&ledger.objects_dir())?;
    let pruning = Pruning::of(&ledger, &packs, size)?;
    let told = |done| {
        let images = pruning.images.values().map(|roots| roots.len() as u64).sum();
        let (objects, bytes) = (pruning.objects.len() as u64, pruning.bytes());
        Answered::Pruned(Pruned {
            id: pruning.id,
            keep: pruning.keep,
            images,
            objects,
            bytes,
            done,
        })
    };
    if pruning.is_empty() {
        return Ok(Done::new(told(false)).next(&["image", "list"]));
    }
    let (keep, id) = (wanted.keep.to_string(), pruning.id.short());
    let again = ["image", "prune", "--keep", &keep, "--reason", &wanted.reason, "--yes", &id];
    let Some(typed) = &wanted.yes else {
        let message = format!("what goes cannot be taken back: type its id, {id}");
        let unconfirmed = Failure::new(&CONFIRMATION_REQUIRED, message);
        let unconfirmed = unconfirmed.not_done("nothing was given up").next(again);
        return Ok(Done::new(told(false)).found(unconfirmed));
    };
    let whole = pruning.id.to_string();
    if typed.len() < CONSENT_DIGITS_MIN || !whole.starts_with(typed.as_str()) {
        let message = format!("what goes now is {id}, and {typed:?} was typed");
        return Err(Failure::new(&CONFIRMATION_REQUIRED, message).next(again));
    }
    pruning.carry_out(&mut ledger, &mut packs, &wanted.reason, &context.signer()?)?;
    Ok(Done::new(told(true)).next(&["image", "list"]).next(&["verify-chain", "--objects"]))
}

fn list(ledger: &Ledger, packs: &PackObjects) -> Result<Listed, Failure> {
    let images = Images::of(ledger, ledger.state().size())?;
    let sizes = images.sizes(packs)?;
    let (steps, pruned) = (images.of_steps.len() as u64, images.pruned);
    let shown = images.images.into_iter().zip(sizes.images);
    let images = shown.map(|(image, size)| Shown { image, size }).collect();
    Ok(Listed { images, kept: sizes.kept, steps, only_steps: sizes.only_steps, pruned })
}

fn verify(which: &Which, ledger: &Ledger, packs: &PackObjects) -> Result<Done<Answered>, Failure> {
    let size = which.at.as_ref().map(|cursor| ledger.resolve(cursor)).transpose()?;
    size.map(|size| must_be_kept(ledger, size)).transpose()?;
    let mut images = Images::of(ledger, size.unwrap_or(ledger.state().size()))?.images;
    if let Some(size) = size {
        let state = ledger.state_at(size)?;
        let held: Vec<CommitHash> =
            state.store().objects.values().filter_map(ObjectState::page_root).collect();
        images.retain(|image| held.contains(&image.root));
    }
    let mut verification = Verification::default();
    let mut looked = Vec::new();
    for image in images {
        let checked = verification.check(&image.root, packs)?;
        looked.push(Looked { image, checked });
    }
    let damaged = looked.iter().filter(|one| one.checked.damaged > 0).count() as u64;
    let failure = (damaged > 0).then(|| told(&looked, damaged));
    let done = Done::new(Answered::Verified(Verified { images: looked, damaged }));
    Ok(match failure {
        None => done,
        Some(failure) => done.found(failure),
    })
}

fn told(looked: &[Looked], damaged: u64) -> Failure {
    let first = looked.iter().flat_map(|one| &one.checked.first).next();
    let message = format!(
        "{} of {} cannot be put back{}",
        damaged,
        count(looked.len() as u64, "image"),
        first.map(|damage| format!(": {}", damage.told)).unwrap_or_default()
    );
    let failure = Failure::new(&OBJECT_DAMAGED, message).not_done("nothing was changed");
    match first {
        None => failure,
        Some(damage) => failure.at(format!("object {}", damage.name)),
    }
}

impl Answer for Answered {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Listed(listed) => listed.write(out, paint),
            Self::Verified(verified) => verified.write(out, paint),
            Self::Pruned(pruned) => pruned.write(out, paint),
        }
    }
}

impl Listed {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        if self.images.is_empty() {
            return writeln!(out, "no database was recorded");
        }
        for Shown { image, size } in &self.images {
            let Size { pages, bytes, only, .. } = size;
            let head = format!("{}  {}", one_line(&image.object), image.root.short());
            let pages = count(u64::from(*pages), "page");
            writeln!(out, "{}  {pages}, {bytes} bytes, {only} only its own", paint.strong(head))?;
            write_cursors(&image.cursors, out)?;
        }
        let images = count(self.images.len() as u64, "image");
        writeln!(out, "{images}: {} bytes kept", self.kept)?;
        if self.pruned > 0 {
            writeln!(out, "  {} pruned before", count(self.pruned, "image"))?;
        }
        match self.steps {
            0 => Ok(()),
            steps => {
                let steps = count(steps, "result");
                writeln!(out, "  {} of them only for {steps} of single steps", self.only_steps)
            }
        }
    }
}

impl Pruned {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { id, keep, images, objects, bytes, done } = self;
        if *images == 0 && *objects == 0 {
            return writeln!(out, "nothing to prune before event {keep}");
        }
        let (images, objects) = (count(*images, "image"), count(*objects, "object"));
        let what = format!("{images}, {objects} of {bytes} bytes");
        let stays = format!("every state from event {keep} on stays");
        match done {
            true => writeln!(out, "pruned {what}; {stays}"),
            false => {
                writeln!(out, "would prune {}; {stays}", paint.warning(what))?;
                writeln!(out, "  this cannot be taken back; type its id: --yes {}", id.short())
            }
        }
    }
}

impl Verified {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        for Looked { image, checked } in &self.images {
            let head = format!("{}  {}", one_line(&image.object), image.root.short());
            let pages = count(checked.pages, "page");
            match checked.damaged {
                0 => writeln!(out, "{head}  {pages} right")?,
                damaged => {
                    let wrong = format!("{} missing or damaged", count(damaged, "object"));
                    writeln!(out, "{head}  {pages}, {}", paint.warning(wrong))?;
                    for damage in &checked.first {
                        writeln!(out, "    {}", one_line(&damage.told))?;
                    }
                }
            }
            write_cursors(&image.cursors, out)?;
        }
        let images = count(self.images.len() as u64, "image");
        writeln!(out, "{images} read, {} damaged", self.damaged)
    }
}

fn write_cursors(cursors: &[Since], out: &mut dyn Write) -> io::Result<()> {
    for Since { seq, run, version } in cursors {
        let run = run.map_or_else(|| "as found".to_owned(), |run| format!("run:{}", run.short()));
        writeln!(out, "    cursor {seq}  version {}  {run}", one_line(version))?;
    }
    Ok(())
}
