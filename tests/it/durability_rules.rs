//! The order that docs/DURABILITY.md promises, as rules over a trace. Each is judged from what the
//! process asked of the file system alone, and names the first call that breaks it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::trace::{Act, Call};

/// Where the things are that the rules speak of.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) store: PathBuf,
    pub(crate) ledger: PathBuf,
    /// What the user remembers.
    pub(crate) state: PathBuf,
    /// Whether a job goes to a newer version.
    pub(crate) up: bool,
    /// Files that were there before.
    pub(crate) existing: BTreeSet<PathBuf>,
}

/// A rule's name, and what it says of a trace.
pub(crate) type Rule = (&'static str, fn(&Judge<'_>) -> Result<(), String>);

/// Every rule about any command that appends.
pub(crate) const APPEND: &[Rule] = &[
    ("objects-before-events", objects_before_events),
    ("log-before-anchor", log_before_anchor),
    ("anchor-before-pin", anchor_before_pin),
    ("pins-whole", pins_whole),
    ("all-before-answer", all_before_answer),
];

/// Those about a job that publishes, too.
pub(crate) const PUBLISH: &[Rule] = &[
    ("nothing-before-commit", nothing_before_commit),
    ("manifest-whole", manifest_whole),
    ("manifest-guards", manifest_guards),
    ("database-recoverable", database_recoverable),
    ("places-before-published", places_before_published),
];

pub(crate) struct Judge<'a> {
    places: &'a Places,
    calls: &'a [Call],
}

impl<'a> Judge<'a> {
    pub(crate) const fn new(places: &'a Places, calls: &'a [Call]) -> Self {
        Self { places, calls }
    }

    fn db(&self) -> PathBuf {
        self.places.ledger.join("sled/db")
    }

    fn anchor(&self) -> PathBuf {
        self.places.ledger.join("HEAD")
    }

    fn database(&self) -> PathBuf {
        self.places.store.join("store.db")
    }

    fn is_pack(&self, path: &Path) -> bool {
        path.starts_with(self.places.ledger.join("objects"))
            && path.extension().is_some_and(|extension| extension == "pack")
    }

    fn is_pin(&self, path: &Path) -> bool {
        path.starts_with(self.places.state.join("pins"))
    }

    /// The writes to paths that `of` takes, in order.
    fn writes(&self, of: impl Fn(&Path) -> bool) -> Vec<&'a Call> {
        let is = |call: &&Call| matches!(&call.act, Act::Write(path) if of(path));
        self.calls.iter().filter(is).collect()
    }

    fn renames(&self, to: impl Fn(&Path) -> bool) -> Vec<(&'a Call, &'a Path)> {
        let is = |call: &'a Call| match &call.act {
            Act::Rename(from, path) if to(path) => Some((call, from.as_path())),
            _ => None,
        };
        self.calls.iter().filter_map(is).collect()
    }

    /// Whether a sync of `path` began after `after` and ended before `before`.
    fn synced(&self, path: &Path, after: usize, before: usize) -> bool {
        self.calls.iter().any(|call| {
            matches!(&call.act, Act::Sync(synced) if synced == path)
                && call.began > after
                && call.ended < before
        })
    }

    /// Every write to such a path that began before `before` was synced by then.
    fn durable(&self, of: impl Fn(&Path) -> bool, before: usize) -> Result<(), String> {
        for write in self.writes(of).into_iter().filter(|write| write.began < before) {
            if !self.synced(write.act.path(), write.ended, before) {
                let (path, at) = (write.act.path().display(), write.began);
                return Err(format!("{path}, written at {at}, is not synced before {before}"));
            }
        }
        Ok(())
    }

    /// Every name that such a path got before `before`, and that was not there, is durable by then.
    fn named(&self, of: impl Fn(&Path) -> bool, before: usize) -> Result<(), String> {
        let mut there = self.places.existing.clone();
        for call in self.calls.iter().filter(|call| call.began < before) {
            let path = call.act.path();
            let new = match &call.act {
                Act::Create(_) | Act::Folder(_) | Act::Rename(..) => there.insert(path.to_owned()),
                Act::Unlink(_) => {
                    there.remove(path);
                    continue;
                }
                _ => continue,
            };
            let gone = || {
                self.calls.iter().any(|later| {
                    later.began > call.ended
                        && later.ended < before
                        && match &later.act {
                            Act::Unlink(gone) | Act::Rename(gone, _) => gone == path,
                            _ => false,
                        }
                })
            };
            let folder = path.parent().unwrap_or(Path::new("/"));
            if new && of(path) && !gone() && !self.synced(folder, call.ended, before) {
                let path = path.display();
                return Err(format!("{path}, named at {}, has no synced folder", call.began));
            }
        }
        Ok(())
    }

    /// The writes to the anchor: each is the acknowledgement of one append.
    fn appends(&self) -> Vec<&'a Call> {
        let anchor = self.anchor();
        self.writes(|path| path == anchor)
    }

    /// When the answer was given.
    fn answer(&self) -> Result<usize, String> {
        let said = self.calls.iter().find(|call| call.act == Act::Say);
        said.map(|call| call.began).ok_or_else(|| "nothing was ever answered".to_owned())
    }

    /// The store's own bytes, the ledger aside.
    fn is_store(&self, path: &Path) -> bool {
        path.starts_with(&self.places.store)
            && !path.starts_with(&self.places.ledger)
            // SQLite's index of its log is made again by whoever needs it.
            && !has_suffix(path, "-shm")
    }

    /// What need not survive: it is made again, or tells nothing that counts.
    fn is_passing(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.places.ledger) else {
            return has_suffix(path, "-shm");
        };
        let below = below.to_string_lossy();
        ["cache", "work", "sled/snap."].iter().any(|folder| below.starts_with(folder))
            || ["CLOSED", "lock", "objects/lock", "objects/index", "objects/index.fresh"]
                .contains(&&*below)
    }
}

fn has_suffix(path: &Path, suffix: &str) -> bool {
    path.to_string_lossy().ends_with(suffix)
}

fn side_file_of(database: &Path, path: &Path) -> bool {
    let path = path.to_string_lossy();
    let side = path.strip_prefix(&*database.to_string_lossy());
    side == Some("-wal") || side == Some("-journal")
}

/// Steps 1 and 2 of an append: what packs were given is durable, and so are new packs' names, before
/// the log is given anything; and while it is, no pack is written.
fn objects_before_events(judge: &Judge<'_>) -> Result<(), String> {
    let db = judge.db();
    let is_pack = |path: &Path| judge.is_pack(path);
    for write in judge.writes(|path| path == db) {
        judge.durable(is_pack, write.began)?;
        judge.named(is_pack, write.began)?;
    }
    let mut inside = None;
    for call in judge.calls {
        match &call.act {
            Act::Write(path) if *path == db => inside = Some(call.began),
            Act::Write(path) if is_pack(path) && inside.is_some() => {
                return Err(format!("a pack is written at {}, within an append", call.began));
            }
            Act::Sync(path) if *path == judge.anchor() || *path == db => {
                // What opening writes into the log ends with a sync of it; an append, with the anchor's.
                inside = None;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Steps 4 and 5: the log is durable before the anchor speaks of it.
fn log_before_anchor(judge: &Judge<'_>) -> Result<(), String> {
    let db = judge.db();
    let appends = judge.appends();
    if appends.is_empty() {
        return Err("nothing was appended".into());
    }
    let mut before = 0;
    for write in appends {
        judge.durable(|path| path == db, write.began)?;
        let of_this = |call: &&Call| before < call.began && call.ended < write.began;
        if !judge.writes(|path| path == db).iter().any(of_this) {
            return Err(format!("the anchor moves at {} without an append", write.began));
        }
        before = write.ended;
    }
    Ok(())
}

/// Steps 5 and 6: the anchor is durable before its head is remembered, and it is remembered before
/// anything else is appended or answered.
fn anchor_before_pin(judge: &Judge<'_>) -> Result<(), String> {
    let (anchor, db) = (judge.anchor(), judge.db());
    let pins = judge.renames(|path| judge.is_pin(path));
    for (pin, _) in &pins {
        judge.durable(|path| path == anchor, pin.began)?;
    }
    let answer = judge.answer()?;
    for append in judge.appends() {
        let log = judge.writes(|path| path == db);
        let next = log.iter().find(|write| write.began > append.ended);
        let until = next.map_or(answer, |write| write.began.min(answer));
        let pinned = |pin: &Call| pin.began > append.ended && pin.ended < until;
        if !pins.iter().any(|(pin, _)| pinned(pin)) {
            return Err(format!("the append of {} is not remembered before {until}", append.began));
        }
    }
    Ok(())
}

/// A pin has its bytes before it has its name, and a new name lasts.
fn pins_whole(judge: &Judge<'_>) -> Result<(), String> {
    for (rename, from) in judge.renames(|path| path.starts_with(&judge.places.state)) {
        judge.durable(|path| path == from, rename.began)?;
        if !judge.writes(|path| path == from).iter().any(|write| write.ended < rename.began) {
            return Err(format!("{} is renamed without being written", from.display()));
        }
    }
    judge.named(|path| path.starts_with(&judge.places.state), judge.answer()?)
}

/// Whatever was written below store, ledger and memory, and counts, is durable under its name before
/// the answer.
fn all_before_answer(judge: &Judge<'_>) -> Result<(), String> {
    let answer = judge.answer()?;
    let gone = |path: &Path| {
        let gone = |call: &Call| match &call.act {
            // Under its new name it was synced before, which the rules about renames see to.
            Act::Unlink(gone) | Act::Rename(gone, _) => gone == path,
            _ => false,
        };
        judge.calls.iter().any(|call| call.ended < answer && gone(call))
    };
    let counts = |path: &Path| {
        let places = judge.places;
        let ours = path.starts_with(&places.store)
            || path.starts_with(&places.ledger)
            || path.starts_with(&places.state);
        ours && !judge.is_passing(path)
    };
    judge.durable(|path| counts(path) && !gone(path), answer)?;
    judge.named(counts, answer)
}

/// Nothing of the store changes before the append of `run.committed`, the last but one, is durable.
fn nothing_before_commit(judge: &Judge<'_>) -> Result<(), String> {
    let appends = judge.appends();
    let [.., committed, _published] = appends.as_slice() else {
        return Err("a job that publishes appends at least twice".into());
    };
    let anchor = judge.anchor();
    let is_synced = |call: &&Call| {
        call.began > committed.ended && matches!(&call.act, Act::Sync(path) if *path == anchor)
    };
    let durable = judge.calls.iter().find(is_synced).map_or(usize::MAX, |call| call.ended);
    for call in judge.calls.iter().filter(|call| call.began < durable) {
        let database = judge.database();
        let changes = match &call.act {
            Act::Write(path) | Act::Rename(_, path) => judge.is_store(path),
            // Reading makes and removes an empty log beside the database.
            Act::Create(path) | Act::Unlink(path) => {
                judge.is_store(path) && !side_file_of(&database, path) && *path != database
            }
            Act::Folder(_) | Act::Sync(_) | Act::Say => false,
        };
        if changes {
            let (path, at) = (call.act.path().display(), call.began);
            return Err(format!("{path} changes at {at}, the commit is durable at {durable}"));
        }
    }
    Ok(())
}

/// The manifest has its bytes before it has its name, and its name before the next place is written
/// or the run is called published.
fn manifest_whole(judge: &Judge<'_>) -> Result<(), String> {
    let manifest = judge.places.store.join("manifest.yaml");
    let renames = judge.renames(|path| path == manifest);
    if renames.is_empty() {
        return Err("no manifest was published".into());
    }
    if let Some(write) = judge.writes(|path| path == manifest).first() {
        return Err(format!("the manifest is written in place at {}", write.began));
    }
    for (rename, from) in renames {
        judge.durable(|path| path == from, rename.began)?;
        let writes_next = |call: &&Call| {
            let next = matches!(&call.act, Act::Write(path) if judge.is_store(path) || *path == judge.db());
            next && call.began > rename.ended
        };
        let next = judge.calls.iter().find(writes_next).map_or(usize::MAX, |call| call.began);
        if !judge.synced(&judge.places.store, rename.ended, next) {
            return Err(format!(
                "the manifest's name of {} is not synced before {next}",
                rename.began
            ));
        }
    }
    Ok(())
}

/// Going up the manifest is published before the database, going down after it: an old program is
/// refused, never misled.
fn manifest_guards(judge: &Judge<'_>) -> Result<(), String> {
    let (manifest, database) = (judge.places.store.join("manifest.yaml"), judge.database());
    let writes = judge.writes(|path| path == database || side_file_of(&database, path));
    let [first, ..] = writes.as_slice() else { return Err("no database was published".into()) };
    let last = writes.iter().map(|write| write.ended).max().unwrap_or_default();
    for (rename, _) in judge.renames(|path| path == manifest) {
        let guards = if judge.places.up { rename.ended < first.began } else { rename.began > last };
        if !guards {
            let written = format!("{} to {last}", first.began);
            return Err(format!(
                "the manifest is replaced at {}, the database {written}",
                rename.began
            ));
        }
    }
    Ok(())
}

/// The way back is durable before the database is touched, and the database before the way back goes;
/// that it went is durable too (`synchronous = EXTRA`).
fn database_recoverable(judge: &Judge<'_>) -> Result<(), String> {
    let database = judge.database();
    let is_side = |path: &Path| side_file_of(&database, path);
    let writes = judge.writes(|path| path == database);
    if writes.is_empty() {
        return Err("no database was published".into());
    }
    for write in &writes {
        judge.durable(is_side, write.began)?;
        judge.named(is_side, write.began)?;
        if !judge.writes(is_side).iter().any(|side| side.ended < write.began) {
            return Err(format!("the database is written at {} without a way back", write.began));
        }
    }
    for call in judge.calls {
        let Act::Unlink(side) = &call.act else { continue };
        if !is_side(side) || call.began < writes[0].began {
            continue;
        }
        judge.durable(|path| path == database, call.began)?;
        let next = judge.writes(|path| path == judge.db());
        let next = next.iter().find(|write| write.began > call.ended);
        let next = next.map_or(usize::MAX, |write| write.began);
        // A log left behind says the same again; a journal left behind takes the change back.
        if has_suffix(side, "-journal") && !judge.synced(&judge.places.store, call.ended, next) {
            return Err(format!("that the journal went at {} is not synced", call.began));
        }
    }
    Ok(())
}

/// All places are durable, the audit line is, and so is its object, before the log says so.
fn places_before_published(judge: &Judge<'_>) -> Result<(), String> {
    let appends = judge.appends();
    let [.., committed, published] = appends.as_slice() else {
        return Err("a job that publishes appends at least twice".into());
    };
    let db = judge.db();
    let log = judge.writes(|path| path == db);
    let said =
        log.iter().find(|write| committed.ended < write.began && write.ended < published.began);
    let said = said.ok_or("the log is not written for run.published")?.began;
    let audit = judge.places.store.join("audit/events.jsonl");
    let lines = judge.writes(|path| path == audit);
    let line = lines.last().ok_or("no audit line was written")?;
    let kept = judge.writes(|path| judge.is_pack(path));
    if !kept.iter().any(|write| line.ended < write.began && write.ended < said) {
        return Err("the audit line is not kept as an object before run.published".into());
    }
    judge.durable(|path| judge.is_pack(path), said)?;
    let gone = |path: &Path| {
        judge.calls.iter().any(|call| match &call.act {
            Act::Unlink(gone) | Act::Rename(gone, _) => gone == path && call.ended < said,
            _ => false,
        })
    };
    judge.durable(|path| judge.is_store(path) && !gone(path), said)?;
    if let Some(late) = judge.writes(|path| judge.is_store(path)).iter().find(|w| w.ended > said) {
        return Err(format!("{} is written after run.published", late.act.path().display()));
    }
    Ok(())
}
