//! The order of durability, proved on what real processes ask of the file system.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::durability_rules::{APPEND, Judge, PUBLISH, Places, Rule};
use crate::job_scene::files_below;
use crate::support::trace::{Act, Call, parse, traced};
use crate::support::{Place, done, migrate};

#[test]
fn an_apply_keeps_the_order_of_durability() {
    let place = Place::new();
    done(&place, &["init"]);
    holds(&place, "2", "WAL");
}

#[test]
fn an_apply_to_a_database_with_a_journal_keeps_the_order_of_durability() {
    let place = Place::new();
    done(&place, &["init"]);
    let database = rusqlite::Connection::open(place.work().join(".glyph/store.db")).unwrap();
    database.pragma_update(None, "journal_mode", "DELETE").unwrap();
    drop(database);
    holds(&place, "2", "DELETE");
}

/// Opening carries a pin forward, an undo publishes the other way round: database, then manifest.
#[test]
fn an_undo_keeps_the_order_of_durability() {
    let place = Place::new();
    done(&place, &["init"]);
    migrate(&place, "2");
    let Some((places, calls)) = trace(&place, &["undo"]) else { return };
    judge(&places, &calls, &[APPEND, PUBLISH]);
}

/// What a new ledger is made of is durable under its name before the answer, whoever made the store.
#[test]
fn an_init_answers_when_everything_is_durable() {
    let place = Place::new();
    std::fs::create_dir(place.home()).unwrap();
    let Some((places, calls)) = trace(&place, &["init"]) else { return };
    judge(&places, &calls, &[APPEND]);
}

fn holds(place: &Place, to: &str, mode: &str) {
    done(place, &["plan", "--to", to, "-o", "plan.json"]);
    let Some((places, calls)) = trace(place, &["apply", "plan.json"]) else { return };
    let side = if mode == "WAL" { "store.db-wal" } else { "store.db-journal" };
    let side = places.store.join(side);
    assert!(calls.iter().any(|call| call.act == Act::Write(side.clone())), "no {mode}");
    judge(&places, &calls, &[APPEND, PUBLISH]);
    every_sync_counts(&places, &calls);
}

fn trace(place: &Place, arguments: &[&str]) -> Option<(Places, Vec<Call>)> {
    let store = place.work().canonicalize().unwrap().join(".glyph");
    let home = place.home().canonicalize().unwrap();
    let ledger = store.join("ledger");
    let files = files_below(&store).into_keys().chain(files_below(&home).into_keys());
    let folders = |file: PathBuf| file.ancestors().map(Path::to_owned).collect::<Vec<_>>();
    let existing: BTreeSet<PathBuf> = files.flat_map(folders).collect();
    let work = place.work().canonicalize().unwrap();
    let calls = parse(&traced(place, arguments)?, &work);
    let (state, up) = (home.join("state"), arguments[0] != "undo");
    Some((Places { store, ledger, state, up, existing }, calls))
}

fn judge(places: &Places, calls: &[Call], rules: &[&[Rule]]) {
    for (name, rule) in rules.iter().copied().flatten() {
        if let Err(breach) = rule(&Judge::new(places, calls)) {
            panic!("{name}: {breach}\n{}", listed(calls));
        }
    }
}

fn broken(places: &Places, calls: &[Call]) -> BTreeSet<&'static str> {
    let rules = [APPEND, PUBLISH].concat();
    let breaks = |(name, rule): Rule| rule(&Judge::new(places, calls)).is_err().then_some(name);
    rules.into_iter().filter_map(breaks).collect()
}

fn listed(calls: &[Call]) -> String {
    let lines = calls.iter().map(|call| format!("{} {:?}", call.began, call.act));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a path is of the kind whose syncs are taken out.
type Kind<'a> = &'a dyn Fn(&Path) -> bool;

/// Takes all syncs of one kind out of a true trace: the rule about them sees it.
fn every_sync_counts(places: &Places, calls: &[Call]) {
    let (store, ledger) = (&places.store, &places.ledger);
    let side = |path: &Path| {
        path.to_string_lossy().starts_with(&*store.join("store.db-").to_string_lossy())
    };
    let kinds: [(&str, Kind<'_>); 8] = [
        ("objects-before-events", &|path| path.starts_with(ledger.join("objects"))),
        ("log-before-anchor", &|path| path == ledger.join("sled/db")),
        ("anchor-before-pin", &|path| path == ledger.join("HEAD")),
        ("pins-whole", &|path| path.starts_with(places.state.join("pins"))),
        ("manifest-whole", &|path| {
            path == store || path.starts_with(store.join("manifest.yaml.new"))
        }),
        ("database-recoverable", &side),
        ("database-recoverable", &|path| path == store.join("store.db")),
        ("places-before-published", &|path| path.starts_with(store.join("audit"))),
    ];
    for (rule, is) in kinds {
        let doctored: Vec<Call> = calls
            .iter()
            .filter(|call| !matches!(&call.act, Act::Sync(path) if is(path)))
            .cloned()
            .collect();
        assert!(doctored.len() < calls.len(), "there is no sync for {rule}");
        assert!(broken(places, &doctored).contains(rule), "{rule} does not miss its syncs");
    }
}

/// A job as it should be, in the words of strace; a line each, to be moved about.
const RIGHT: &[&str] = &[
    "fdatasync(5</s/ledger/sled/db>) = 0",
    "openat(AT_FDCWD</w>, \"/s/ledger/objects/1.pack\", O_RDWR|O_CREAT|O_EXCL, 0600) = 8</s/ledger/objects/1.pack>",
    "pwrite64(8</s/ledger/objects/1.pack>, \"\"..., 9, 0) = 9",
    "fdatasync(8</s/ledger/objects/1.pack>) = 0",
    "fsync(9</s/ledger/objects>) = 0",
    "pwrite64(6</s/ledger/sled/db>, \"\"..., 24, 12) = 24",
    "sync_file_range(6</s/ledger/sled/db>, 12, 24, SYNC_FILE_RANGE_WRITE) = 0",
    "fdatasync(5</s/ledger/sled/db>) = 0",
    "pwrite64(4</s/ledger/HEAD>, \"\"..., 4096, 0) = 4096",
    "fdatasync(4</s/ledger/HEAD>) = 0",
    "openat(AT_FDCWD</w>, \"/u/pins/.tmp1\", O_RDWR|O_CREAT|O_EXCL, 0600) = 9</u/pins/.tmp1>",
    "write(9</u/pins/.tmp1>, \"\"..., 311) = 311",
    "fsync(9</u/pins/.tmp1>) = 0",
    "renameat(AT_FDCWD</w>, \"/u/pins/.tmp1\", AT_FDCWD</w>, \"/u/pins/id\") = 0",
    "fsync(9</u/pins>) = 0",
    "openat(AT_FDCWD</w>, \"/s/manifest.yaml.new\", O_WRONLY|O_CREAT|O_EXCL, 0600) = 9</s/manifest.yaml.new>",
    "write(9</s/manifest.yaml.new>, \"\"..., 18) = 18",
    "fsync(9</s/manifest.yaml.new>) = 0",
    "rename(\"/s/manifest.yaml.new\", \"/s/manifest.yaml\") = 0",
    "fsync(9</s>) = 0",
    "openat(AT_FDCWD</w>, \"/s/store.db-journal\", O_RDWR|O_CREAT, 0644) = 9</s/store.db-journal>",
    "pwrite64(9</s/store.db-journal>, \"\"..., 512, 0) = 512",
    "fsync(9</s/store.db-journal>) = 0",
    "fsync(10</s>) = 0",
    "pwrite64(7</s/store.db>, \"\"..., 4096, 0) = 4096",
    "fsync(7</s/store.db>) = 0",
    "unlink(\"/s/store.db-journal\") = 0",
    "fsync(10</s>) = 0",
    "write(9</s/audit/events.jsonl>, \"\"..., 306) = 306",
    "fsync(9</s/audit/events.jsonl>) = 0",
    "pwrite64(8</s/ledger/objects/1.pack>, \"\"..., 9, 9) = 9",
    "fdatasync(8</s/ledger/objects/1.pack>) = 0",
    "pwrite64(6</s/ledger/sled/db>, \"\"..., 24, 36) = 24",
    "fdatasync(5</s/ledger/sled/db>) = 0",
    "pwrite64(4</s/ledger/HEAD>, \"\"..., 4096, 4096) = 4096",
    "fdatasync(4</s/ledger/HEAD>) = 0",
    "openat(AT_FDCWD</w>, \"/u/pins/.tmp2\", O_RDWR|O_CREAT|O_EXCL, 0600) = 9</u/pins/.tmp2>",
    "write(9</u/pins/.tmp2>, \"\"..., 311) = 311",
    "fsync(9</u/pins/.tmp2>) = 0",
    "renameat(AT_FDCWD</w>, \"/u/pins/.tmp2\", AT_FDCWD</w>, \"/u/pins/id\") = 0",
    "openat(AT_FDCWD</w>, \"/s/ledger/CLOSED\", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 9</s/ledger/CLOSED>",
    "write(1</dev/pts/0>, \"\"..., 9) = 9",
];

fn right_places() -> Places {
    let existing = ["/s/manifest.yaml", "/s/store.db", "/s/audit/events.jsonl", "/s/ledger/HEAD"];
    Places {
        store: "/s".into(),
        ledger: "/s/ledger".into(),
        state: "/u".into(),
        up: true,
        existing: existing.into_iter().map(PathBuf::from).collect(),
    }
}

/// What is wrong after line `from` was moved to stand before line `to`, or taken out.
fn doctored(from: usize, to: Option<usize>) -> BTreeSet<&'static str> {
    let mut lines: Vec<&str> = RIGHT.to_vec();
    let moved = lines.remove(from);
    if let Some(to) = to {
        lines.insert(if to > from { to - 1 } else { to }, moved);
    }
    let text = lines.iter().map(|line| format!("7 {line}")).collect::<Vec<_>>().join("\n");
    broken(&right_places(), &parse(&text, Path::new("/")))
}

/// The place of the `nth` line, counted from 0, that has all of `words`.
fn line(words: &[&str], nth: usize) -> usize {
    let has = |line: &&str| words.iter().all(|word| line.contains(word));
    let mut found = RIGHT.iter().enumerate().filter(|(_, line)| has(line));
    found.nth(nth).unwrap_or_else(|| panic!("{words:?} {nth}")).0
}

#[test]
fn the_right_order_breaks_no_rule_and_each_wrong_one_its_own() {
    // Taken from behind the end and put back there: as it should be.
    let last = RIGHT.len() - 1;
    assert_eq!(doctored(last, Some(last)), BTreeSet::new());

    let at = line;
    let (pack, db, head) = ("1.pack", "sled/db", "HEAD");
    let log = |nth| at(&["pwrite64", db], nth);
    let cases: &[(&str, usize, Option<usize>)] = &[
        ("objects-before-events", at(&["fdatasync", pack], 0), None),
        ("objects-before-events", at(&["fdatasync", pack], 0), Some(log(0) + 1)),
        ("objects-before-events", at(&["fsync", "objects>"], 0), None),
        ("objects-before-events", at(&["fsync", "objects>"], 0), Some(log(0) + 1)),
        ("objects-before-events", at(&["pwrite64", pack], 0), Some(log(0) + 1)),
        ("log-before-anchor", at(&["fdatasync", db], 1), None),
        ("log-before-anchor", at(&["fdatasync", db], 1), Some(log(0))),
        ("log-before-anchor", at(&["pwrite64", head], 0), Some(at(&["fdatasync", db], 1))),
        ("log-before-anchor", log(1), None),
        ("anchor-before-pin", at(&["fdatasync", head], 0), None),
        ("anchor-before-pin", at(&["fdatasync", head], 1), Some(at(&["renameat"], 1) + 1)),
        ("anchor-before-pin", at(&["renameat"], 1), Some(at(&["pts"], 0) + 1)),
        ("anchor-before-pin", at(&["renameat"], 0), None),
        ("pins-whole", at(&["fsync", ".tmp1"], 0), None),
        ("pins-whole", at(&["fsync", ".tmp2"], 0), Some(at(&["renameat"], 1) + 1)),
        ("pins-whole", at(&["write", ".tmp2"], 0), Some(at(&["renameat"], 1) + 1)),
        ("pins-whole", at(&["fsync", "</u/pins>"], 0), None),
        ("all-before-answer", at(&["fdatasync", head], 1), None),
        ("all-before-answer", at(&["pts"], 0), Some(at(&["fdatasync", head], 1))),
        ("all-before-answer", at(&["pts"], 0), None),
        (
            "nothing-before-commit",
            at(&["pwrite64", "store.db>"], 0),
            Some(at(&["pwrite64", head], 0)),
        ),
        ("nothing-before-commit", at(&["write", "audit"], 0), Some(0)),
        (
            "nothing-before-commit",
            at(&["rename(", "manifest"], 0),
            Some(at(&["fdatasync", head], 0)),
        ),
        ("manifest-whole", at(&["fsync", "manifest.yaml.new"], 0), None),
        (
            "manifest-whole",
            at(&["fsync", "manifest.yaml.new"], 0),
            Some(at(&["rename(", "manifest"], 0) + 1),
        ),
        ("manifest-whole", at(&["fsync", "</s>"], 0), None),
        ("manifest-whole", at(&["fsync", "</s>"], 0), Some(at(&["pwrite64", "journal"], 0) + 1)),
        (
            "manifest-guards",
            at(&["rename(", "manifest"], 0),
            Some(at(&["pwrite64", "store.db>"], 0) + 1),
        ),
        (
            "manifest-guards",
            at(&["pwrite64", "store.db>"], 0),
            Some(at(&["rename(", "manifest"], 0)),
        ),
        ("database-recoverable", at(&["fsync", "journal"], 0), None),
        (
            "database-recoverable",
            at(&["pwrite64", "store.db>"], 0),
            Some(at(&["fsync", "journal"], 0)),
        ),
        ("database-recoverable", at(&["fsync", "</s>"], 1), None),
        ("database-recoverable", at(&["fsync", "store.db>"], 0), Some(at(&["unlink"], 0) + 1)),
        ("database-recoverable", at(&["fsync", "</s>"], 2), None),
        ("places-before-published", at(&["fsync", "audit"], 0), None),
        ("places-before-published", at(&["fsync", "audit"], 0), Some(log(1) + 1)),
        ("places-before-published", at(&["write", "audit"], 0), Some(log(1) + 1)),
        ("places-before-published", at(&["pwrite64", pack], 1), None),
        ("places-before-published", at(&["fdatasync", pack], 1), None),
        ("places-before-published", at(&["fsync", "store.db>"], 0), Some(log(1) + 1)),
    ];
    for (rule, from, to) in cases {
        let found = doctored(*from, *to);
        assert!(
            found.contains(rule),
            "{rule} passes {:?} moved to {to:?}: {found:?}",
            RIGHT[*from]
        );
    }
    let tried: BTreeSet<&str> = cases.iter().map(|(rule, ..)| *rule).collect();
    let known: BTreeSet<&str> = [APPEND, PUBLISH].concat().iter().map(|(name, _)| *name).collect();
    assert_eq!(tried, known, "every rule is seen red");
}
