//! A long history of an application's database, which went on writing all the time: every state that a cursor has, and what
//! every single step made, is there page for page and can be gone back to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use glyph_ledger::effects::{FixedClock, FixedRandom};
use glyph_ledger::ledger::{Begins, MemoryPins, Surroundings};
use glyph_ledger::migrate::{
    Consent, FolderOptions, InitOptions, OpenStore, Policy, RollbackOptions, Silent, Store, apply,
    init, plan_to_apply, recognise, rollback,
};
use glyph_ledger::target::DatabaseFile;
use glyph_ledger::target::sqlite::{PageTree, Snapshot, image};
use ledger_format::body::{Body, ObjectState, StagedContent};
use ledger_format::hash::CommitHash;

use crate::job_scene::{CLOCK_MS, INPUTS, signer};

const STEPS: usize = 300;

/// What migration `number` does: tables and columns come, change, are rebuilt and go; pages are used again.
fn migration(number: usize) -> String {
    let own = number / 10;
    match number % 10 {
        0 => format!("CREATE TABLE t{own}(id INTEGER PRIMARY KEY, a TEXT, b);"),
        1 => format!("INSERT INTO t{own}(a, b) SELECT v, randomblob(40) FROM app;"),
        2 => format!("ALTER TABLE t{own} ADD COLUMN c DEFAULT 'c{number}';"),
        3 => format!("CREATE INDEX i{own} ON t{own}(a, b);"),
        4 => format!("UPDATE t{own} SET c = a || {number} WHERE id % 3 = 0;"),
        5 => format!(
            "CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT, c); INSERT INTO n SELECT id, a, c FROM t{own};
            DROP TABLE t{own}; ALTER TABLE n RENAME TO t{own};"
        ),
        6 => format!("DELETE FROM t{own} WHERE id > {};", number % 7),
        7 => format!("UPDATE app SET v = v || '{number}' WHERE id % 5 = {};", number % 5),
        8 if own % 4 == 3 => "VACUUM;".to_owned(),
        8 => format!("CREATE TABLE at{own}(at TEXT DEFAULT CURRENT_TIMESTAMP, x); INSERT INTO at{own}(x) VALUES (1);"),
        _ if own % 2 == 1 => format!("DROP TABLE t{own};"),
        _ => format!("CREATE VIEW v{own} AS SELECT count(*) FROM t{own};"),
    }
}

struct Application {
    dir: tempfile::TempDir,
    expected: Vec<(u64, CommitHash)>,
}

impl Application {
    fn database(&self) -> PathBuf {
        self.dir.path().join("app.db")
    }

    fn writes(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn tables(&self) -> i64 {
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap()
    }

    fn page_root(&self) -> CommitHash {
        root_of(&self.database())
    }

    fn store(&self) -> Store {
        let path = self.database();
        let options = FolderOptions {
            dir: self.dir.path(),
            layout: None,
            baseline: None,
            foreign_keys: None,
        };
        let contract = recognise(&path, Duration::ZERO, &options).unwrap().contract;
        let surroundings = Surroundings {
            clock: Arc::new(FixedClock(CLOCK_MS)),
            pins: Arc::new(MemoryPins::default()),
            wait: Duration::from_millis(500),
        };
        let (site, ledger) =
            (DatabaseFile::at(&path).unwrap().into(), self.dir.path().join("ledger"));
        let open = OpenStore { site, ledger, contract, surroundings };
        let (project, signer) = (String::new(), Arc::new(signer()));
        let begins = Begins::default();
        let options = InitOptions { open, project, baseline: None, begins, signer };
        init(options, &mut FixedRandom::new([7; 32])).unwrap().0
    }

    /// Goes through all migrations, a few a run, and writes before and after each.
    fn migrates(&mut self, store: &mut Store) {
        let mut done = 0;
        while done < STEPS {
            let to = STEPS.min(done + 1 + done % 5);
            if done > 0 {
                self.writes(&format!(
                    "INSERT INTO app(v) VALUES ('before {to}'); DELETE FROM app WHERE id = {to} - 7;"
                ));
            }
            let (version, any) = (format!("{to:04}"), Consent(Some(String::new())));
            let plan =
                plan_to_apply(store, Some(&version), Policy::default(), &any, INPUTS).unwrap();
            let consent = Consent((plan.lost() > 0).then(|| plan.id.to_string()));
            apply(store, &plan, &consent, INPUTS, &signer(), &mut Silent).unwrap();
            self.expected.push((store.ledger().state().size(), self.page_root()));
            self.writes(&format!("INSERT INTO app(v) VALUES ('after {to}');"));
            done = to;
        }
    }
}

fn root_of(database: &Path) -> CommitHash {
    PageTree::build(&Snapshot::open(database, Duration::ZERO).unwrap()).unwrap().root()
}

fn page_root(state: Option<&ObjectState>) -> Option<CommitHash> {
    match state {
        Some(ObjectState::Database { page_root, .. }) => Some(*page_root),
        _ => None,
    }
}

/// The page root that the database has at each cursor, and those that single steps made.
fn recorded(store: &Store) -> (BTreeMap<u64, CommitHash>, Vec<CommitHash>) {
    let (mut states, mut steps, mut changes) = (BTreeMap::new(), Vec::new(), vec![0]);
    for recorded in store.ledger().events(0..store.ledger().state().size()) {
        let event = recorded.unwrap().event;
        match event.body {
            Body::ObjectStaged(body) => {
                let StagedContent::Database { page_root } = body.result else { panic!("{body:?}") };
                steps.push(page_root);
            }
            Body::StoreAdopted(_) | Body::ObjectObserved(_) | Body::RunCommitted(_) => {
                changes.push(event.seq + 1);
            }
            _ => {}
        }
    }
    for (at, &size) in changes.iter().enumerate() {
        let state = store.ledger().state_at(size).unwrap();
        // Before it is in care nothing can be gone back to.
        let state = state.store();
        let adopted = state.contract.is_some();
        let root = page_root(state.objects.get("app.db")).filter(|_| adopted);
        let Some(root) = root else { continue };
        let next = changes.get(at + 1).copied().unwrap_or(store.ledger().state().size() + 1);
        states.extend((size..next).map(|size| (size, root)));
    }
    (states, steps)
}

#[test]
fn s4_every_cursor_of_a_long_history_is_gone_back_to_page_for_page() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=STEPS {
        let sql = match number {
            1 => "CREATE TABLE app(id INTEGER PRIMARY KEY, v TEXT);
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
                INSERT INTO app SELECT i, 'row ' || i FROM n; CREATE TABLE t0(id INTEGER PRIMARY KEY, a TEXT, b);"
                .to_owned(),
            _ => migration(number),
        };
        fs::write(dir.path().join(format!("{number:04}_m.sql")), sql).unwrap();
    }
    let mut application = Application { dir, expected: Vec::new() };
    let mut store = application.store();
    application.migrates(&mut store);
    assert!(application.expected.len() > 80, "{} runs", application.expected.len());

    // Every cursor, and every step: its image gives a file of exactly those pages.
    let (states, steps) = recorded(&store);
    let cursors = store.ledger().state().size();
    assert!(states.len() as u64 > cursors - 5, "{} of {cursors}", states.len());
    assert_eq!(steps.len(), STEPS);
    for (size, root) in &application.expected {
        assert_eq!(states.get(size), Some(root), "cursor of {size} events");
    }
    let whole = application.dir.path().join("whole.db");
    let roots: std::collections::BTreeSet<_> = states.values().chain(&steps).copied().collect();
    assert!(roots.len() > STEPS, "{} images", roots.len());
    for root in roots {
        image::materialise(&root, store.objects(), &whole).unwrap();
        assert_eq!(root_of(&whole), root);
        fs::remove_file(&whole).unwrap();
    }

    // The live database, to and fro between every third state, the application writing before each time.
    let mut way: Vec<_> = states.iter().map(|(size, root)| (*size, *root)).collect();
    way.dedup_by_key(|(_, root)| *root);
    let way: Vec<_> = way.into_iter().step_by(3).collect();
    assert!(way.len() > 50 && way.len() % 29 != 0, "{} states", way.len());
    for turn in 0..way.len() {
        let (size, root) = way[turn * 29 % way.len()];
        // Before the first migration there is nothing to write to.
        if application.tables() > 0 {
            application.writes(&format!("INSERT INTO app(v) VALUES ('turn {turn}')"));
        }
        let options = RollbackOptions { discard_changes: true };
        rollback(&mut store, size, options, INPUTS, &signer(), &mut Silent).unwrap();
        assert_eq!(application.page_root(), root, "cursor of {size} events");
    }
}
