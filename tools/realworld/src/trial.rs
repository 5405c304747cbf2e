//! One history, from one point of it: everything that a user would do, and what came of it.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use glyph_ledger::target::sqlite::{PageTree, Snapshot};
use rusqlite::Connection;
use serde_json::Value;

use crate::error::{Error, Stop};
use crate::fill::fill;
use crate::history::History;
use crate::program::{Answer, Program, Refusal};

const DATABASE: &str = "app.db";
const PLAN: &str = "plan.json";

/// Where a history is taken up.
pub(crate) struct Start<'a> {
    pub(crate) versions: &'a [String],
    /// How many of them the database has gone through before it comes into care.
    pub(crate) point: usize,
    /// Rows put into each table that is empty then.
    pub(crate) rows: u32,
}

/// What came of it, as far as it went.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    pub(crate) history: String,
    pub(crate) point: usize,
    pub(crate) migrations: usize,
    /// Rows of the database before the rest of the history, and tables without any.
    pub(crate) rows: u64,
    pub(crate) empty: Vec<String>,
    /// Whether `init` had to be told the version.
    pub(crate) baseline_named: bool,
    pub(crate) statements: u64,
    pub(crate) losses: Vec<String>,
    pub(crate) planned: Duration,
    pub(crate) applied: Duration,
    /// Steps that came out the same when they were run again, and all of them.
    pub(crate) recomputed: Option<(u64, u64)>,
    /// Whether the page root after `undo` was the one before `apply`.
    pub(crate) back: Option<bool>,
    /// Whether already the migrations before that point were refused.
    pub(crate) unreached: bool,
    /// The command that said no.
    pub(crate) refused: Option<Refusal>,
}

impl Trial {
    pub(crate) fn run(
        program: &Program,
        history: &History,
        start: &Start<'_>,
    ) -> Result<Self, Error> {
        let mut trial = Self {
            history: history.name.clone(),
            point: start.point,
            migrations: start.versions.len() - start.point,
            ..Self::default()
        };
        match trial.go(program, history, start) {
            Ok(()) => {}
            Err(Stop::Refused(refusal)) => trial.refused = Some(refusal),
            Err(Stop::Broken(error)) => return Err(error),
        }
        Ok(trial)
    }

    pub(crate) fn is_good(&self) -> bool {
        self.refused.is_none()
            && self.back == Some(true)
            && self.recomputed.is_some_and(|(same, all)| same == all)
    }

    fn go(&mut self, program: &Program, history: &History, start: &Start<'_>) -> Result<(), Stop> {
        let database = program.folder().join(DATABASE);
        if let Some(given) = &history.database {
            fs::copy(given, &database)?;
        }
        let reached = start.point.checked_sub(1).and_then(|at| start.versions.get(at));
        if let Some(version) = reached {
            // The application's life before its database came into care.
            self.unreached = true;
            let before = program.below("before")?;
            let made = before.folder().join(DATABASE);
            if history.database.is_some() {
                fs::copy(&database, &made)?;
            }
            init(&before, history, "none")?;
            apply(&before, &plan(&before, &["--to", version])?)?;
            fs::copy(&made, &database)?;
            self.unreached = false;
        }
        let connection = Connection::open(&database)?;
        (self.rows, self.empty) = fill(&connection, start.rows)?;
        drop(connection);
        self.baseline_named = init(program, history, reached.map_or("none", String::as_str))?;
        let before = page_root(&database)?;
        let planned = plan(program, &[])?;
        self.planned = planned.took;
        self.read(&planned);
        self.applied = apply(program, &planned)?.took;
        program.ask("verify-chain", &["--objects"])?;
        let replayed = program.ask("replay", &["--recompute"])?;
        let number = |name: &str| {
            let place = format!("/recomputed/{name}");
            replayed.data.pointer(&place).and_then(Value::as_u64).unwrap_or_default()
        };
        self.recomputed = Some((number("same"), number("steps")));
        program.ask::<&str>("undo", &[])?;
        self.back = Some(page_root(&database)? == before);
        program.ask("verify-chain", &["--objects"])?;
        Ok(())
    }

    /// What the plan says.
    fn read(&mut self, planned: &Answer) {
        let at = |place: &str| planned.data.pointer(place);
        let steps = at("/plan/steps").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let statements = |step: &Value| step.get("statements").and_then(Value::as_u64);
        self.statements = steps.iter().filter_map(statements).sum();
        let loss = at("/plan/loss").and_then(Value::as_object);
        self.losses = loss.into_iter().flatten().map(|(name, lost)| told(name, lost)).collect();
    }
}

/// What is lost of a table or a column.
fn told(name: &str, lost: &Value) -> String {
    let values = lost.get("values").and_then(Value::as_u64).unwrap_or_default();
    let dropped = lost.get("dropped") == Some(&Value::Bool(true));
    if name.ends_with(')') {
        return format!("{name}: {values}");
    }
    let what = if name.contains('.') { "values" } else { "rows" };
    format!("{name}{}: {values} {what}", if dropped { " dropped" } else { "" })
}

/// Takes the database into care; says whether it had to be told the version.
fn init(program: &Program, history: &History, version: &str) -> Result<bool, Stop> {
    let mut options = history.options(Path::new(DATABASE));
    match program.ask("init", &options) {
        Ok(_) => return Ok(false),
        Err(Stop::Refused(refusal)) if refusal.code == "BASELINE_UNKNOWN" => {}
        Err(stop) => return Err(stop),
    }
    options.extend([OsStr::new("--baseline"), OsStr::new(version)]);
    match program.ask("init", &options) {
        // Its first tables were made elsewhere, so that nothing tells what it should look like.
        Err(Stop::Refused(refusal)) if refusal.code == "BASELINE_DIFFERS" => {
            options.push(OsStr::new("--believe-baseline"));
            program.ask("init", &options)?;
        }
        said => drop(said?),
    }
    Ok(true)
}

fn plan(program: &Program, options: &[&str]) -> Result<Answer, Stop> {
    program.ask("plan", &[options, &["-o", PLAN]].concat())
}

/// Applies the plan, and what it loses with it.
fn apply(program: &Program, planned: &Answer) -> Result<Answer, Stop> {
    let id = planned.data.pointer("/plan/id").and_then(Value::as_str).unwrap_or_default();
    let id = id.get(..12).unwrap_or_default();
    match planned.data.get("values_lost").and_then(Value::as_u64) {
        Some(0) => program.ask("apply", &[PLAN]),
        _ => program.ask("apply", &[PLAN, "--accept-lossy", id]),
    }
}

fn page_root(database: &Path) -> Result<String, Error> {
    let snapshot = Snapshot::open(database, Duration::ZERO)?;
    Ok(PageTree::build(&snapshot)?.root().to_string())
}
