//! The table of attacks in docs/THREAT-MODEL.md: a ledger of 60 events, bent in every way on it, and what the judge says.
//! `GLYPH_LEDGER_WRITE_TABLES=1` writes the table anew; without it, it must be the one that stands there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use glyph_ledger::attacks::{
    Attack, FolderAttack, FolderCopy, Row, Shown, Stored, Truth, drawn, selection, try_out,
};
use glyph_ledger::diagnostic::{Failure, LEDGER_DAMAGED, PIN_INVALID};
use glyph_ledger::export::{ExportReport, export, verify_export};
use glyph_ledger::ledger::{MemoryPins, Pin, Pins as _};
use glyph_ledger::log::sled::{Anchor, AnchorReading, OpenOptions, SledLog, read_anchor};
use glyph_ledger::log::{Batch, ReadLog as _};
use glyph_ledger::objects::{GrowingPacks, Objects as _, PackObjects};
use glyph_ledger::target::sqlite::{Snapshot, image};
use glyph_ledger::trust::FilePins;
use glyph_ledger::verify::{
    Expectations, Options, Outcome, Report, Unobserved, VerifyError, verify,
};
use ledger_format::body::{
    Body, FixedBytes, KeyAuthorized, KeyRevoked, ObjectState, Role, Roles, StateRecorded,
};
use ledger_format::event::Event;
use ledger_format::hash::{ContentHash, EventId, KeyId};
use ledger_format::head::SignedHead;
use projections::State;
use serde_json::Value;

use crate::history::{History, Matter, Names, append};
use crate::support::{
    Folder, Place, VecLog, a_history, copy, done, fingerprint, key, log, log_of, sign,
};

/// Batches of several sizes; 60 events.
const SIZES: [usize; 8] = [1, 9, 1, 20, 3, 7, 13, 6];

/// At how many places a file is bent that is judged in its folder, drawn by seed.
const DRAWN: u64 = 160;

/// Into how many parts the bytes of the export are dealt.
const PARTS: usize = 6;

const BEGIN: &str = "<!-- attacks: begin -->\n";
const END: &str = "<!-- attacks: end -->\n";

/// Something that gives rows of the table.
type Work<'a> = Box<dyn Fn() -> Vec<Row> + Send + Sync + 'a>;

#[test]
fn l5_every_attack_is_found_or_harmless_and_the_table_says_so() {
    let whole = log(1, &SIZES);
    let known = Known::of(&whole);
    let mut work: Vec<Work<'_>> = Vec::new();
    for attack in Attack::ALL {
        let known = &known;
        work.push(Box::new(move || vec![known.try_every(attack)]));
    }
    work.push(Box::new(|| vec![with_the_key(&known)]));
    work.push(Box::new(|| vec![with_a_revoked_key()]));
    work.push(Box::new(|| spliced(&known)));
    work.push(Box::new(|| vec![with_another_key(&known)]));
    work.push(Box::new(|| pins(&known)));
    work.push(Box::new(|| vec![places(&known)]));
    work.push(Box::new(objects));
    for part in 0..PARTS {
        let whole = &whole;
        work.push(Box::new(move || exported_bytes(whole, part)));
    }
    work.push(Box::new(|| exported_lines(&whole)));
    work.push(Box::new(anchors));
    work.push(Box::new(folders));
    work.push(Box::new(|| vec![older_folders()]));
    let rows = joined(done_by_two(&work));
    let mistaken: Vec<_> = rows.iter().flat_map(|row| &row.mistaken).collect();
    assert!(mistaken.is_empty(), "{} called good:\n{mistaken:#?}", mistaken.len());
    assert!(rows.iter().all(|row| row.tried > 0), "{rows:#?}");
    compare_with_document(&table(&rows));
}

#[test]
fn l5_self_test_tries_a_selection_on_a_copy_of_ones_own_ledger() {
    let place = Place::new();
    a_history(&place);
    let dir = place.work().join(".glyph-ledger");
    let before = fingerprint(&dir);
    let told = done(&place, &["self-test", "--ways", "5"]);
    assert!(told.stdout.contains(" attacks on a copy: "), "{told:?}");
    let [one, again, other] = [["--seed", "1"], ["--seed", "1"], ["--seed", "2"]].map(|seed| {
        done(&place, &[&["self-test", "--ways", "5", "--json"], &seed[..]].concat()).json()["data"]
            .clone()
    });
    // What is drawn from one seed is the same again, but for where the engine puts its bytes.
    let memory = |data: &Value| data["attacks"].as_array().unwrap()[..Attack::ALL.len()].to_vec();
    assert_eq!(memory(&one), memory(&again));
    assert_ne!(memory(&one), memory(&other));
    assert_eq!(one["mistaken"], 0);
    assert!(one["found"].as_u64() > Some(50), "{one}");
    assert_eq!(fingerprint(&dir), before);
    // A ledger that is not good is not bent.
    fs::write(dir.join("HEAD"), b"").unwrap();
    let refused = place.run(&["self-test"]);
    assert_eq!((refused.exit, refused.stderr.contains("LEDGER_DAMAGED")), (3, true), "{refused:?}");
}

/// Rows of one title as one row.
fn joined(rows: Vec<Row>) -> Vec<Row> {
    let mut joined: Vec<Row> = Vec::new();
    for row in rows {
        match joined.iter_mut().find(|before| before.title == row.title) {
            Some(before) => {
                before.tried += row.tried;
                before.harmless += row.harmless;
                before.mistaken.extend(row.mistaken);
                for (code, count) in row.found {
                    *before.found.entry(code).or_default() += count;
                }
            }
            None => joined.push(row),
        }
    }
    joined
}

/// The rows in the order of the work, which two threads share.
fn done_by_two(work: &[Work<'_>]) -> Vec<Row> {
    let (next, done) = (Mutex::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = {
                        let mut next = next.lock().unwrap();
                        *next += 1;
                        *next - 1
                    };
                    let Some(work) = work.get(at) else { return };
                    let rows = work();
                    done.lock().unwrap().insert(at, rows);
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().flatten().collect()
}

fn table(rows: &[Row]) -> String {
    let mut text =
        "| attack | tried | found | harmless | told first |\n|---|---|---|---|---|\n".to_owned();
    for Row { title, tried, found, harmless, .. } in rows {
        let (mut shown, mut harmless) =
            (found.values().sum::<u64>().to_string(), harmless.to_string());
        // How much of its file the engine uses, and where, is not the same every time.
        if title.contains("sled/db") && *tried > 1 {
            shown = "found or".to_owned();
            harmless = "harmless".to_owned();
        }
        let codes: Vec<_> = found.keys().map(|code| format!("`{code}`")).collect();
        let codes = if codes.is_empty() { "–".to_owned() } else { codes.join(", ") };
        writeln!(text, "| {title} | {tried} | {shown} | {harmless} | {codes} |").unwrap();
    }
    text
}

fn compare_with_document(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/THREAT-MODEL.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (stands, after) = rest.split_once(END).unwrap();
    if std::env::var_os("GLYPH_LEDGER_WRITE_TABLES").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(stands, table, "GLYPH_LEDGER_WRITE_TABLES=1 writes it anew");
}

/// A whole ledger, what is remembered of it, and what it comes to.
struct Known {
    stored: Stored,
    batches: Vec<Batch>,
    remembered: Expectations,
    truth: Truth,
}

impl Known {
    fn of(log: &VecLog) -> Self {
        let head = log.head().clone();
        let last = EventId::of(log.batches.last().unwrap().events.last().unwrap());
        let remembered = Expectations {
            anchor: Some(Anchor { head: head.clone(), last, last_at: 0 }),
            pin: Some(Pin::own(head)),
            ..Expectations::default()
        };
        let stored = Stored::copy(log, u64::MAX).unwrap().unwrap();
        let truth = Truth::of(&judge(&stored, &remembered).unwrap()).unwrap();
        Self { stored, batches: log.batches.clone(), remembered, truth }
    }

    fn try_every(&self, attack: Attack) -> Row {
        let numbers: Vec<_> = (0..attack.ways(&self.stored)).collect();
        try_out(attack, &self.stored, &self.remembered, &self.truth, &numbers)
    }

    fn weigh(&self, bent: &Stored) -> Result<Shown, String> {
        self.truth.weigh(judge(bent, &self.remembered))
    }

    fn weigh_batches(&self, batches: &[Batch]) -> Result<Shown, String> {
        self.weigh(&Stored::of(self.batches[0].head.head().ledger, batches))
    }
}

fn judge(stored: &Stored, remembered: &Expectations) -> Result<Report, VerifyError> {
    verify(stored, remembered, Options::default(), &mut Unobserved)
}

/// The log with the time of event `seq` moved on, every link behind it made anew, and every head from there on signed with `key`,
/// which the events name as their actor.
fn rewritten(log: &VecLog, seq: u64, key: &SigningKey) -> VecLog {
    let mut bent = log.clone();
    for at in seq..log.size() {
        let bytes = bent.event(at);
        let mut event = Event::decode(bytes).unwrap();
        event.at += u64::from(at == seq);
        event.actor = KeyId::of(key.verifying_key().as_bytes());
        *bytes = event.encode().unwrap();
    }
    bent.relink_from(seq + 1);
    let from = bent.batches.iter().position(|batch| batch.head.head().size > seq).unwrap();
    bent.resign_from(from, key);
    bent
}

fn with_the_key(known: &Known) -> Row {
    let mut row = Row::new("each event changed, all behind it made anew and signed with the key");
    let log = VecLog { batches: known.batches.clone() };
    for seq in 1..log.size() {
        // Only legal histories differ by what is remembered alone; a changed time may not go back.
        row.note(seq, known.weigh_batches(&rewritten(&log, seq, &key(1)).batches));
    }
    row
}

/// A second key that may append is revoked; with it, history is written anew from each event on.
fn with_a_revoked_key() -> Row {
    let (own, other) = (key(1), key(3));
    let [own_key, other_key] = [&own, &other].map(|key| key.verifying_key().to_bytes());
    let history = History::new(1, own_key, Names);
    let mut state = State::new(history.ledger());
    let mut batches = Vec::new();
    let mut close = |bodies: Vec<Body>, state: &mut State, key: &SigningKey| {
        let first_seq = state.size();
        let public_key = key.verifying_key().to_bytes();
        let events = bodies.into_iter().map(|body| append(state, &public_key, body)).collect();
        batches.push(Batch { first_seq, events, head: sign(state.chain().head(), key) });
    };
    let authorized = KeyAuthorized {
        public_key: FixedBytes(other_key),
        roles: Roles::new([Role::Append]).unwrap(),
        possession: None,
    };
    let revoked =
        KeyRevoked { key: KeyId::of(&other_key), reason: "lost".into(), suspect_since: None };
    let mut history = history;
    let created = history.next(&state);
    close(vec![created], &mut state, &own);
    close(vec![authorized.into()], &mut state, &own);
    for key in [&own, &other, &own, &other] {
        let body = StateRecorded { size: state.size(), digest: state.digest() };
        close(vec![body.into()], &mut state, key);
    }
    close(vec![revoked.into()], &mut state, &own);
    for _ in 0..3 {
        let body = StateRecorded { size: state.size(), digest: state.digest() };
        close(vec![body.into()], &mut state, &own);
    }
    let log = VecLog { batches };
    let known = Known::of(&log);
    let mut row =
        Row::new("each event changed, all behind it made anew and signed with a revoked key");
    for seq in 1..log.size() {
        row.note(seq, known.weigh_batches(&rewritten(&log, seq, &other).batches));
    }
    row
}

/// Each batch replaced by the one of another ledger that stands there.
fn spliced(known: &Known) -> Vec<Row> {
    let mut history = History::new(2, key(1).verifying_key().to_bytes(), Names);
    history.nonce = [8; 16];
    let (other, _) = log_of(&mut history, &SIZES);
    let mut as_it_is = Row::new("each batch replaced by one of another ledger of the same key");
    let mut as_ours = Row::new("the same, with events that name this ledger and link to it");
    for (at, theirs) in other.batches.iter().enumerate() {
        let mut batches = known.batches.clone();
        batches[at] = theirs.clone();
        as_it_is.note(at as u64, known.weigh_batches(&batches));
        let mut log = VecLog { batches: known.batches.clone() };
        let ledger = log.ledger();
        log.batches[at].events.clone_from(&theirs.events);
        for seq in log.range_of(theirs.first_seq) {
            let bytes = log.event(seq);
            let mut event = Event::decode(bytes).unwrap();
            event.ledger = ledger;
            *bytes = event.encode().unwrap();
        }
        log.relink_from(theirs.first_seq.max(1));
        as_ours.note(at as u64, known.weigh_batches(&log.batches));
    }
    vec![as_it_is, as_ours]
}

/// The whole history under another first key.
fn with_another_key(known: &Known) -> Row {
    let mut row = Row::new("the whole history made anew with another first key");
    for seed in 2..6 {
        let mut history = History::new(1, key(seed).verifying_key().to_bytes(), Names);
        let mut state = State::new(history.ledger());
        let mut batches = Vec::new();
        for size in SIZES {
            let first_seq = state.size();
            let event = |_| {
                let body = history.next(&state);
                append(&mut state, &history.public_key, body)
            };
            let events = (0..size).map(event).collect();
            let head = sign(state.chain().head(), &key(seed));
            batches.push(Batch { first_seq, events, head });
        }
        let stored = Stored::of(batches[0].head.head().ledger, &batches);
        row.note(u64::from(seed), known.weigh(&stored));
    }
    row
}

/// Each byte and each length of `whole`, as `weigh` weighs it.
fn bytes_and_lengths(
    what: &str,
    whole: &[u8],
    weigh: impl FnMut(&[u8]) -> Result<Shown, String>,
) -> Vec<Row> {
    some_bytes_and_lengths(what, whole, 0..whole.len(), weigh)
}

/// The same of some places only.
fn some_bytes_and_lengths(
    what: &str,
    whole: &[u8],
    places: Range<usize>,
    mut weigh: impl FnMut(&[u8]) -> Result<Shown, String>,
) -> Vec<Row> {
    let mut bytes = Row::new(format!("a bit changed in each byte of {what}"));
    let mut lengths = Row::new(format!("{what} cut off at each length"));
    let mut bent = whole.to_vec();
    for at in places {
        bent[at] ^= 1 << (drawn(1, at as u64) % 8);
        bytes.note(at as u64, weigh(&bent));
        bent[at] = whole[at];
        lengths.note(at as u64, weigh(&whole[..at]));
    }
    vec![bytes, lengths]
}

fn pins(known: &Known) -> Vec<Row> {
    let folder = tempfile::tempdir().unwrap();
    let pins = FilePins::new(folder.path().join("pins"), folder.path().join("places"));
    let pin = known.remembered.pin.clone().unwrap();
    let ledger = pin.head.head().ledger;
    pins.set(&pin).unwrap();
    let file = folder.path().join("pins").join(ledger.to_string());
    let whole = fs::read(&file).unwrap();
    let weigh = || {
        let remembered = match pins.get(&ledger) {
            Ok(pin) => Expectations { pin, ..known.remembered.clone() },
            Err(_) => return Ok(Shown::Found(PIN_INVALID.id)),
        };
        let judged = judge(&known.stored, &remembered).unwrap();
        // What is not remembered any more proves nothing.
        let forgotten =
            remembered.pin.is_none_or(|pin| pin != known.remembered.pin.clone().unwrap());
        match judged.outcome {
            Outcome::ConsistentOnly if forgotten => Ok(Shown::NotProven),
            _ => known.truth.weigh(Ok(judged)),
        }
    };
    let mut rows = bytes_and_lengths("the pin", &whole, |bytes| {
        fs::write(&file, bytes).unwrap();
        weigh()
    });
    fs::remove_file(&file).unwrap();
    let mut gone = Row::new("the pin removed");
    gone.note(0, weigh());
    rows.push(gone);
    rows
}

/// The index of places: which ledger lay in a folder. Its second line is for people.
fn places(known: &Known) -> Row {
    let folder = tempfile::tempdir().unwrap();
    let pins = FilePins::new(folder.path().join("pins"), folder.path().join("places"));
    let ledger = known.batches[0].head.head().ledger;
    let place = Path::new("/a/store");
    pins.set_ledger_at(place, &ledger).unwrap();
    let file = fs::read_dir(folder.path().join("places")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    let mut row = Row::new("a bit changed in each byte of the index of places");
    for at in 0..whole.len() {
        let mut bent = whole.clone();
        bent[at] ^= 1 << (drawn(2, at as u64) % 8);
        fs::write(&file, bent).unwrap();
        let weighed = match pins.ledger_at(place) {
            Ok(found) => {
                let place = found.map(|ledger| (place.to_owned(), ledger));
                let remembered = Expectations { place, ..known.remembered.clone() };
                known.truth.weigh(judge(&known.stored, &remembered))
            }
            Err(_) => Ok(Shown::Found(PIN_INVALID.id)),
        };
        row.note(at as u64, weighed);
    }
    row
}

/// Content and small databases, kept in packs.
struct Packed {
    objects: PackObjects,
    database: PathBuf,
}

impl Matter for Packed {
    fn content(&mut self, bytes: &[u8]) -> ContentHash {
        self.objects.put(bytes).unwrap()
    }

    fn database(&mut self, number: u64) -> ObjectState {
        let connection = rusqlite::Connection::open(&self.database).unwrap();
        let sql =
            format!("PRAGMA synchronous=OFF; PRAGMA page_size=512; PRAGMA user_version={number}");
        connection.execute_batch(&sql).unwrap();
        drop(connection);
        let snapshot = Snapshot::open(&self.database, Duration::ZERO).unwrap();
        let tree = image::take(&snapshot, &mut self.objects).unwrap();
        ObjectState::Database {
            page_root: tree.root(),
            rows: Box::new(snapshot.content_hash().unwrap()),
            schema: Box::new(snapshot.schema_digest().unwrap()),
        }
    }
}

fn objects() -> Vec<Row> {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("objects");
    let matter = Packed {
        objects: PackObjects::create(&dir).unwrap(),
        database: folder.path().join("store.db"),
    };
    let mut history = History::new(1, key(1).verifying_key().to_bytes(), matter);
    let (log, _) = log_of(&mut history, &SIZES);
    let mut matter = history.matter;
    matter.objects.sync().unwrap();
    drop(matter);
    let known = Known::of(&log);
    let judged = || {
        let objects = match GrowingPacks::open(&dir) {
            Ok(objects) => objects,
            Err(error) => return Ok(Shown::Found(Failure::from(error).code.id)),
        };
        let options = Options { objects: Some(&objects), keep_going: false };
        known.truth.weigh(verify(&known.stored, &known.remembered, options, &mut Unobserved))
    };
    assert_eq!(judged(), Ok(Shown::Harmless));
    let pack = dir.join("00000000.pack");
    let whole = fs::read(&pack).unwrap();
    let mut rows = bytes_and_lengths("the stored content", &whole, |bytes| {
        fs::write(&pack, bytes).unwrap();
        judged()
    });
    let mut gone = Row::new("the stored content removed");
    fs::remove_file(&pack).unwrap();
    gone.note(0, judged());
    fs::remove_dir_all(&dir).unwrap();
    gone.note(1, judged());
    rows.push(gone);
    rows
}

/// The export of `log`, and what its judge says to other bytes, with the newest head known from elsewhere.
struct Lines {
    whole: String,
    trust: SignedHead,
    truth: Truth,
}

impl Lines {
    fn of(log: &VecLog) -> Self {
        let mut out = Vec::new();
        export(log.read(0..u64::MAX), &mut out).unwrap();
        let (whole, trust) = (String::from_utf8(out).unwrap(), log.head().clone());
        let ExportReport::Whole(report) = Self::judge(whole.as_bytes(), &trust).unwrap() else {
            panic!("an export from event 0 on is whole")
        };
        Self { whole, trust, truth: Truth::of(&report).unwrap() }
    }

    fn judge(bytes: &[u8], trust: &SignedHead) -> Result<ExportReport, VerifyError> {
        verify_export(bytes, &Expectations::trusting(Some(trust.clone())), false, &mut Unobserved)
    }

    fn weigh(&self, bytes: &[u8]) -> Result<Shown, String> {
        match Self::judge(bytes, &self.trust) {
            Ok(ExportReport::Whole(report)) => self.truth.weigh(Ok(*report)),
            // It says that neither roots nor signatures could be checked.
            Ok(ExportReport::Fragment(_)) => Ok(Shown::NotProven),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => self.truth.weigh(Err(error)),
        }
    }
}

/// One of the [`PARTS`] that the bytes of the export are dealt into, so that nobody waits for the last.
fn exported_bytes(log: &VecLog, part: usize) -> Vec<Row> {
    let lines = Lines::of(log);
    let whole = lines.whole.as_bytes();
    let places = whole.len() * part / PARTS..whole.len() * (part + 1) / PARTS;
    some_bytes_and_lengths("the export", whole, places, |bytes| lines.weigh(bytes))
}

fn exported_lines(log: &VecLog) -> Vec<Row> {
    let exported = Lines::of(log);
    let lines: Vec<&str> = exported.whole.lines().collect();
    let weigh = |lines: &[&str]| exported.weigh((lines.join("\n") + "\n").as_bytes());
    let mut gone = Row::new("each line of the export removed");
    let mut twice = Row::new("each line of the export repeated");
    let mut swapped = Row::new("every two lines of the export exchanged");
    let mut crossed =
        Row::new("each line of the export with the columns of the next and its own bytes");
    for at in 0..lines.len() {
        let number = at as u64;
        gone.note(number, weigh(&[&lines[..at], &lines[at + 1..]].concat()));
        twice.note(number, weigh(&[&lines[..=at], &lines[at..]].concat()));
        for other in at + 1..lines.len() {
            let mut lines = lines.clone();
            lines.swap(at, other);
            swapped.note(number, weigh(&lines));
        }
        let (own, next) = (lines[at], lines[(at + 1) % lines.len()]);
        let bytes = |line: &str| line[line.find("\"bytes\":").unwrap()..].to_owned();
        let mixed = next.replace(&bytes(next), &bytes(own));
        let mut lines = lines.clone();
        lines[at] = &mixed;
        crossed.note(number, weigh(&lines));
    }
    vec![gone, twice, swapped, crossed]
}

fn a_folder() -> (Folder, History<Names>) {
    let mut history = History::new(1, key(1).verifying_key().to_bytes(), Names);
    // Creating it is the first batch.
    let folder = Folder::create(&mut history, &SIZES[1..]);
    (folder, history)
}

fn copy_of(folder: &Folder) -> FolderCopy {
    let pins = MemoryPins::default();
    let ledger = folder.pins.ledger_at(&folder.place).unwrap().unwrap();
    pins.set(&folder.pins.get(&ledger).unwrap().unwrap()).unwrap();
    pins.set_ledger_at(&folder.place, &ledger).unwrap();
    FolderCopy { dir: folder.dir.clone(), place: folder.place.clone(), pins }
}

/// The files of a ledger, judged in their folder: the long ones by sample.
fn folders() -> Vec<Row> {
    let (folder, _) = a_folder();
    let copy = copy_of(&folder);
    let truth = Truth::of(&copy.judge().unwrap()).unwrap();
    let try_out = |attack| {
        let ways = copy.ways(attack).unwrap();
        let numbers = selection(ways, DRAWN, 7);
        let mut row = copy.try_out(attack, &truth, &numbers).unwrap();
        if (numbers.len() as u64) < ways {
            row.title += ", at places that are drawn";
        }
        row
    };
    FolderAttack::ALL.into_iter().map(try_out).collect()
}

/// Each byte and each length of `HEAD`, read as the judge reads it and compared with the same history.
fn anchors() -> Vec<Row> {
    let (folder, _) = a_folder();
    let log = SledLog::open(&folder.dir, &OpenOptions::default()).unwrap();
    let batches = Stored::copy(&log, u64::MAX).unwrap().unwrap().batches();
    drop(log);
    let known = Known::of(&VecLog { batches });
    let path = folder.dir.join("HEAD");
    let whole = fs::read(&path).unwrap();
    bytes_and_lengths("`HEAD`", &whole, |bytes| {
        fs::write(&path, bytes).unwrap();
        match read_anchor(&folder.dir) {
            Ok(AnchorReading { anchor, fault: None }) => {
                let remembered = Expectations { anchor: Some(anchor), ..known.remembered.clone() };
                known.truth.weigh(judge(&known.stored, &remembered))
            }
            Ok(AnchorReading { fault: Some(_), .. }) => Ok(Shown::Found(LEDGER_DAMAGED.id)),
            Err(error) => Ok(Shown::Found(Failure::from(error).code.id)),
        }
    })
}

/// Every older state of the folder, put back whole, while the newest head is remembered elsewhere.
fn older_folders() -> Row {
    let mut history = History::new(1, key(1).verifying_key().to_bytes(), Names);
    let folder = Folder::create(&mut history, &[]);
    let older = folder.root.path().join("older");
    for (number, size) in SIZES[1..].iter().enumerate() {
        copy(&folder.dir, &older.join(number.to_string()));
        let mut ledger = folder.open();
        Folder::append_to(&mut ledger, &mut history, *size);
    }
    let known = copy_of(&folder);
    let truth = Truth::of(&known.judge().unwrap()).unwrap();
    let mut row = Row::new("every older copy of the folder put back");
    for number in 0..SIZES.len() - 1 {
        fs::remove_dir_all(&folder.dir).unwrap();
        copy(&older.join(number.to_string()), &folder.dir);
        row.note(number as u64, truth.weigh(known.judge()));
    }
    row
}
