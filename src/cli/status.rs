//! `status`: how the store stands and what to do next.

mod database;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ledger_format::hash::{EventId, LedgerId};
use ledger_format::head::SignedHead;
use serde::Serialize;

use database::OfDatabase;

use super::context::Context;
use super::documents::{self, Working, first_refused, write_leaves_out};
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line, path_shown};
use super::words::{count, time};
use super::{failure, job};
use crate::diagnostic::{AUDIT_CHANGED, CONTENT_CHANGED, Exit, Failure, IO, SCHEMA_DRIFT};
use crate::ledger::LedgerError;
use crate::log::sled::OpenError;
use crate::migrate::documents::{Documents, TreeStatus, status as tree_status};
use crate::migrate::{
    ACCEPT_DRIFT, Compatibility, Drift, LEAVE_OUT_MAX, LastWriter, MigrateError, OpenStore, Status,
    Store, glance, status,
};
use crate::target::glyph_store::{ContentFiles, Listed, Tables};
use crate::trust::Home;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Compare the database page by page, not only its schema
    #[arg(long)]
    deep: bool,
    /// End with exit code 10 when a migration is pending
    #[arg(long)]
    detailed_exitcode: bool,
}

/// How a store, a database or a tree of documents stands.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answered {
    Store(Standing),
    Database(OfDatabase),
    Documents(OfDocuments),
}

/// How a tree of documents stands.
#[derive(Serialize)]
pub(super) struct OfDocuments {
    documents: PathBuf,
    ledger: LedgerId,
    head: Head,
    current: u64,
    normalized: u64,
    migrated: u64,
    unsupported: u64,
    unsupported_ids: Vec<String>,
    /// What the last run left out because whoever planned it said so; it is not counted.
    left_out: Vec<String>,
    /// What every command leaves out, as it was named.
    leaves_out: Vec<String>,
    /// What that is, as far as it is there.
    always_left_out: Vec<String>,
    in_care: u64,
    changed: Vec<String>,
    gone: Vec<String>,
    pending_run: Option<Pending>,
    runs: u64,
    last_verified: Option<Verified>,
}

#[derive(Serialize)]
pub(super) struct Standing {
    store: PathBuf,
    ledger: LedgerId,
    head: Head,
    version: Option<String>,
    readable: [u64; 2],
    writable: u64,
    min_reader: u64,
    created_by: Option<String>,
    last_writer: Option<LastRun>,
    tables: OfTables,
    content: Option<Files>,
    target: String,
    path: Vec<String>,
    pending_run: Option<Pending>,
    objects: Vec<Object>,
    runs: u64,
    recovered_from: Option<u64>,
    last_verified: Option<Verified>,
    writer: Option<Writer>,
}

/// The program of the last committed run.
#[derive(Serialize)]
struct LastRun {
    program: String,
    run: EventId,
    readable: [u64; 2],
    writable: u64,
}

/// Tables of the database, by what is known of them.
#[derive(Serialize)]
struct OfTables {
    known: u64,
    missing: Vec<String>,
    other: Vec<String>,
}

/// How the files of content stand to the database.
#[derive(Serialize)]
struct Files {
    rows: u64,
    same: u64,
    missing: Ids,
    differing: Ids,
    unknown: Ids,
}

#[derive(Serialize)]
struct Ids {
    ids: Vec<String>,
    total: u64,
}

/// Another process that has the ledger open; objects, runs and pending run are not told then.
#[derive(Serialize)]
struct Writer {
    pid: Option<u32>,
}

#[derive(Serialize)]
struct Head {
    size: u64,
    root: String,
}

#[derive(Serialize)]
struct Pending {
    run: EventId,
    committed: bool,
}

#[derive(Serialize)]
struct Object {
    id: String,
    drift: &'static str,
}

/// When and up to where the ledger was last verified.
#[derive(Serialize)]
struct Verified {
    at_ms: u64,
    size: u64,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Answered>, Failure> {
    if let Some((documents, noted)) = documents::open_by_ledger(context, &Working::default())? {
        return of_documents(arguments, &documents, noted);
    }
    let (open, mut seen, noted) = seen(context, arguments.deep)?;
    let (mut done, migrates) = match seen.found.compatibility.take() {
        Some(compatibility) => of_store(&open, seen, compatibility)?,
        None => database::answer(&open, seen, context)?,
    };
    if arguments.detailed_exitcode && migrates {
        done = done.exit(Exit::Pending);
    }
    Ok(noted.into_iter().fold(done, Done::note))
}

/// What is here and how it stands: by what migrates it, or where that cannot be read by the contract that the ledger keeps, of which is
/// told then.
fn seen(context: &Context, deep: bool) -> Result<(OpenStore, Seen, Option<String>), Failure> {
    match job::place(context) {
        Ok(open) => {
            context.must_have_ledger(&open.ledger)?;
            let seen = look(&open, deep)?;
            Ok((open, seen, None))
        }
        // What is there and contradicts itself is told, and not passed over.
        Err(unreadable) if unreadable.code == &IO => {
            let (store, told) = job::open_frozen(context, unreadable)?;
            let open = OpenStore {
                site: store.site().clone(),
                ledger: store.ledger().dir().to_owned(),
                contract: store.contract().clone(),
                surroundings: context.surroundings()?,
            };
            let seen = look_at(&open, &store, deep)?;
            Ok((open, seen, Some(told)))
        }
        Err(wrong) => Err(wrong),
    }
}

/// The failure of a database whose structure somebody changed.
fn schema_drift(found: &Status) -> Option<Failure> {
    let (object, _) = found.drift.iter().find(|(_, drift)| *drift == Drift::SchemaDrift)?;
    let message = format!("the schema of {object} is not what the ledger has recorded");
    Some(Failure::new(&SCHEMA_DRIFT, message).at(object).next(ACCEPT_DRIFT))
}

/// How a `.glyph` store stands, and whether a migration is pending.
fn of_store(
    open: &OpenStore,
    seen: Seen,
    compatibility: Compatibility,
) -> Result<(Done<Answered>, bool), Failure> {
    let Seen { found, head, recovered_from, writer } = seen;
    let Compatibility { min_readable, max_readable, writable, min_reader, created_by, .. } =
        compatibility;
    let content = compatibility.content.map(Files::of);
    let differing = content.as_ref().and_then(Files::failure);
    let head = head.head();
    let schema_drift = schema_drift(&found);
    let history = found.drift.iter().find(|(_, drift)| *drift == Drift::HistoryChanged).cloned();
    let verified = last_verified(&head.ledger)?;
    let answer = Standing {
        store: open.site.root().to_owned(),
        ledger: head.ledger,
        head: Head { size: head.size, root: head.root.to_string() },
        version: found.version,
        readable: [min_readable, max_readable],
        writable,
        min_reader,
        created_by,
        last_writer: compatibility.last_writer.map(LastRun::of),
        tables: OfTables::of(compatibility.tables),
        content,
        target: found.target,
        path: found.path,
        pending_run: found.pending.map(|(run, committed)| Pending { run, committed }),
        objects: found.drift.into_iter().map(Object::of).collect(),
        runs: found.runs,
        recovered_from,
        writer,
        last_verified: verified,
    };
    let migrates = !answer.path.is_empty();
    let next: &[&str] = match &answer.pending_run {
        Some(_) => &["migration", "resume"],
        None if answer.writer.is_some() => &["status"],
        // What is found says itself what leads on; a plan would be refused.
        None if schema_drift.is_some() || history.is_some() => &[],
        None if migrates => &["plan", "-o", "plan.json"],
        None => &["verify-chain", "--objects"],
    };
    let mut done = Done::new(Answered::Store(answer));
    if !next.is_empty() {
        done = done.next(next);
    }
    let mut done = schema_drift.into_iter().chain(differing).fold(done, Done::found);
    if let Some((object, _)) = history {
        let message = format!("earlier lines of {object} are not what the ledger has recorded");
        done = done.found(Failure::new(&AUDIT_CHANGED, message).at(object).next(["verify-chain"]));
    }
    Ok((done, migrates))
}

fn of_documents(
    arguments: &Arguments,
    documents: &Documents,
    noted: Option<String>,
) -> Result<Done<Answered>, Failure> {
    let collection = documents.collection();
    let found = tree_status(documents);
    let found =
        found.map_err(|error| documents::named_from(collection.tree().root(), error.into()))?;
    let head = documents.ledger().head().head();
    let pends = found.migrated + found.normalized > 0;
    let edited = documents.must_be_unedited().err();
    let next = next_of_documents(&found, documents, edited.is_some() || noted.is_some())?;
    let refused = found.refused.as_ref();
    let refused = refused.map(|(id, refusal)| first_refused(id, refusal, found.unsupported_total));
    let answer = OfDocuments {
        documents: documents.collection().tree().root().to_owned(),
        ledger: head.ledger,
        head: Head { size: head.size, root: head.root.to_string() },
        current: found.current,
        normalized: found.normalized,
        migrated: found.migrated,
        unsupported: found.unsupported_total,
        unsupported_ids: found.unsupported,
        left_out: found.left_out,
        leaves_out: documents.collection().tree().always().to_vec(),
        always_left_out: found.always_left_out,
        in_care: found.in_care,
        changed: found.changed,
        gone: found.gone,
        pending_run: found.pending.map(|(run, committed)| Pending { run, committed }),
        runs: found.runs,
        last_verified: last_verified(&head.ledger)?,
    };
    let mut done = Done::new(Answered::Documents(answer));
    if !next.is_empty() {
        done = done.next(&next.iter().map(String::as_str).collect::<Vec<_>>());
    }
    done = edited.map(Failure::from).into_iter().chain(refused).fold(done, Done::found);
    if arguments.detailed_exitcode && pends {
        done = done.exit(Exit::Pending);
    }
    Ok(noted.into_iter().fold(done, Done::note))
}

/// What can be done next with documents that stand so. Nothing where what describes them is not what it was, which is told by itself:
/// no plan can be made.
fn next_of_documents(
    found: &TreeStatus,
    documents: &Documents,
    edited: bool,
) -> Result<Vec<String>, Failure> {
    let words =
        |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    if found.pending.is_some() {
        return Ok(words(&["migration", "resume"]));
    }
    if edited {
        return Ok(Vec::new());
    }
    let pends = found.migrated + found.normalized > 0;
    let left_out = found.left_out.len() as u64 + found.unsupported_total;
    if !pends && found.unsupported_total == 0 {
        return Ok(words(&["verify-chain", "--objects"]));
    }
    if !pends || left_out > LEAVE_OUT_MAX as u64 {
        return Ok(words(&["check"]));
    }
    let file = documents::plan_file(documents.collection())?;
    let mut next: Vec<String> = words(&["plan", "-o", &file]);
    // What the last run left out is counted nowhere here, and would refuse the tree again.
    let named = found.unsupported.iter().chain(&found.left_out);
    next.extend(named.flat_map(|id| ["--leave-out".to_owned(), id.clone()]));
    Ok(next)
}

struct Seen {
    found: Status,
    head: SignedHead,
    recovered_from: Option<u64>,
    writer: Option<Writer>,
}

/// Looks at the store; while a writer has its ledger, at what can be told without it.
fn look(open: &OpenStore, deep: bool) -> Result<Seen, Failure> {
    match Store::open(open.clone()) {
        Ok(store) => look_at(open, &store, deep),
        Err(MigrateError::Ledger(LedgerError::Log(OpenError::Busy { pid, .. }))) => {
            let (found, head) = glance(open)?;
            Ok(Seen { found, head, recovered_from: None, writer: Some(Writer { pid }) })
        }
        Err(error) => Err(error.into()),
    }
}

fn look_at(open: &OpenStore, store: &Store, deep: bool) -> Result<Seen, Failure> {
    let found = status(open, store, deep)?;
    let recovered = store.ledger().recovered();
    Ok(Seen {
        found,
        head: store.ledger().head().clone(),
        recovered_from: recovered.map(|recovered| recovered.acknowledged),
        writer: None,
    })
}

/// When and up to where this user last verified `ledger`. A note that does not read is none.
fn last_verified(ledger: &LedgerId) -> Result<Option<Verified>, Failure> {
    let file = Home::from_environment()?.verified(ledger);
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text.trim_end().split_once(' ').and_then(|(at, size)| {
            Some(Verified { at_ms: at.parse().ok()?, size: size.parse().ok()? })
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure::io(&file)(error)),
    }
}

const fn word(drift: Drift) -> &'static str {
    match drift {
        Drift::None => "none",
        Drift::DataChange => "data_change",
        Drift::DocumentChange => "document_change",
        Drift::SchemaDrift => "schema_drift",
        Drift::HistoryChanged => "history_changed",
        Drift::NotChecked => "schema_same",
    }
}

impl LastRun {
    fn of(last: LastWriter) -> Self {
        let readable = [last.min_readable, last.max_readable];
        Self { program: last.program, run: last.run, readable, writable: last.writable }
    }
}

impl OfTables {
    fn of(tables: Tables) -> Self {
        Self { known: tables.known, missing: tables.missing, other: tables.other }
    }
}

impl Files {
    fn of(found: ContentFiles) -> Self {
        let ids = |listed: Listed| Ids { ids: listed.ids, total: listed.total };
        Self {
            rows: found.rows,
            same: found.same,
            missing: ids(found.missing),
            differing: ids(found.differing),
            unknown: ids(found.unknown),
        }
    }

    /// The failure of a store whose files of content are not what its database says.
    fn failure(&self) -> Option<Failure> {
        let first = self.differing.ids.first()?;
        let files = count(self.differing.total, "file");
        let message = format!("{files} of content differ from what the database says: {first}, …");
        Some(Failure::new(&CONTENT_CHANGED, message).at("content"))
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "  content     {} of {}", self.same, count(self.rows, "file"))?;
        for (what, which) in
            [("missing", &self.missing), ("differs", &self.differing), ("no hash", &self.unknown)]
        {
            for id in &which.ids {
                writeln!(out, "    {what}   {}", one_line(id))?;
            }
            let more = which.total.saturating_sub(which.ids.len() as u64);
            if more > 0 {
                writeln!(out, "    {what}   and {more} more")?;
            }
        }
        Ok(())
    }
}

impl Object {
    fn of((id, drift): (String, Drift)) -> Self {
        Self { id, drift: word(drift) }
    }
}

impl Answer for Answered {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Store(store) => store.write(out, paint),
            Self::Database(database) => database.write(out, paint),
            Self::Documents(documents) => documents.write(out, paint),
        }
    }
}

impl Answer for OfDocuments {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let all = self.current + self.normalized + self.migrated + self.unsupported;
        writeln!(out, "{}", paint.strong(count(all, "document")))?;
        writeln!(out, "  folder      {}", path_shown(&self.documents))?;
        writeln!(out, "  current     {}", self.current)?;
        writeln!(out, "  normalize   {}", self.normalized)?;
        writeln!(out, "  migrate     {}", self.migrated)?;
        writeln!(out, "  unsupported {}", self.unsupported)?;
        for id in &self.unsupported_ids {
            writeln!(out, "    {}", one_line(id))?;
        }
        for id in &self.left_out {
            writeln!(out, "  left out    {} (by the last run)", one_line(id))?;
        }
        write_leaves_out(&self.leaves_out, out)?;
        for id in &self.always_left_out {
            writeln!(out, "  left out    {} (by every command)", one_line(id))?;
        }
        if let Some(pending) = &self.pending_run {
            let phase =
                if pending.committed { "committed, not published" } else { "not committed" };
            writeln!(out, "  run         {} ({phase})", pending.run.short())?;
        }
        writeln!(out, "  in care     {}", self.in_care)?;
        for id in &self.changed {
            writeln!(out, "    changed   {}", one_line(id))?;
        }
        for id in &self.gone {
            writeln!(out, "    gone      {}", one_line(id))?;
        }
        let (events, runs) = (count(self.head.size, "event"), count(self.runs, "run"));
        writeln!(out, "  ledger      {} with {events}, {runs}", self.ledger.short())?;
        match &self.last_verified {
            Some(last) => writeln!(
                out,
                "  verified    {} up to {}",
                time(last.at_ms),
                count(last.size, "event")
            ),
            None => writeln!(out, "  verified    never from here"),
        }
    }
}

fn write_tables(tables: &OfTables, out: &mut dyn Write) -> io::Result<()> {
    let named =
        |names: &[String]| names.iter().map(|name| one_line(name)).collect::<Vec<_>>().join(", ");
    writeln!(out, "  tables      {} known", tables.known)?;
    if !tables.missing.is_empty() {
        writeln!(out, "    missing   {}", named(&tables.missing))?;
    }
    if !tables.other.is_empty() {
        writeln!(out, "    other     {}; carried along as they are", named(&tables.other))?;
    }
    Ok(())
}

impl Answer for Standing {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let version = self.version.as_deref().unwrap_or("between two versions");
        writeln!(out, "{}", paint.strong(format_args!("store version {}", one_line(version))))?;
        writeln!(out, "  store       {}", path_shown(&self.store))?;
        let [oldest, newest] = self.readable;
        writeln!(out, "  readable    {oldest} to {newest}; written is {}", self.writable)?;
        writeln!(out, "  min reader  {}", self.min_reader)?;
        if let Some(created_by) = &self.created_by {
            writeln!(out, "  created by  {}", one_line(created_by))?;
        }
        match &self.last_writer {
            Some(LastRun { program, readable: [oldest, newest], writable, .. }) => writeln!(
                out,
                "  written by  {}, which reads {oldest} to {newest} and writes {writable}",
                one_line(program)
            )?,
            None => writeln!(out, "  written by  no run of a ledger yet")?,
        }
        write_tables(&self.tables, out)?;
        if let Some(content) = &self.content {
            content.write(out)?;
        }
        match &self.path[..] {
            [] => writeln!(out, "  migration   none pending")?,
            path => {
                let way = one_line(&format!("{version} -> {}", path.join(" -> ")));
                writeln!(out, "  migration   {way}")?;
            }
        }
        if let Some(pending) = &self.pending_run {
            let phase =
                if pending.committed { "committed, not published" } else { "not committed" };
            writeln!(out, "  run         {} ({phase})", pending.run.short())?;
        }
        for object in &self.objects {
            writeln!(
                out,
                "  drift       {}: {}",
                one_line(&object.id),
                object.drift.replace('_', " ")
            )?;
        }
        if let Some(writer) = &self.writer {
            let pid = writer
                .pid
                .map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            writeln!(out, "  in use      by {pid}; drift and runs are not told meanwhile")?;
        }
        let events = count(self.head.size, "event");
        writeln!(
            out,
            "  ledger      {} with {events}, {}",
            self.ledger.short(),
            count(self.runs, "run")
        )?;
        match &self.last_verified {
            Some(last) => writeln!(
                out,
                "  verified    {} up to {}",
                time(last.at_ms),
                count(last.size, "event")
            ),
            None => writeln!(out, "  verified    never from here"),
        }
    }
}
