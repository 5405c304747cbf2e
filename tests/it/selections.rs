//! Filtered exports: whatever was asked for verifies alone, and whatever was changed since does not, in Rust and in Python alike.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use glyph_ledger::export::{
    ExportReport, Filter, Form, Reader, Selection, export_selection, verify_export,
};
use glyph_ledger::ledger::{KnownHead, Ledger};
use glyph_ledger::verify::{Expectations, Unobserved};
use ledger_format::body::Body;
use ledger_format::hash::{EventId, LedgerId, NodeHash, hex};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::proved::ProvedLine;
use serde_json::{Value, json};

use crate::history::{History, Names};
use crate::support::{Folder, check_against, key, sign};

const SIZES: [usize; 6] = [3, 9, 1, 20, 40, 7];

fn folder(seed: u64) -> (Folder, History<Names>) {
    let mut history = History::new(seed, key(1).verifying_key().to_bytes(), Names);
    let folder = Folder::create(&mut history, &SIZES);
    (folder, history)
}

fn text(ledger: &Ledger, filter: &Filter) -> String {
    let mut out = Vec::new();
    let size = ledger.head().head().size;
    export_selection(ledger, ledger.head(), 0..size, filter, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn all(ledger: &Ledger) -> Vec<String> {
    text(ledger, &Filter::default()).lines().map(str::to_owned).collect()
}

fn joined<T: AsRef<str>>(lines: &[T]) -> String {
    lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect()
}

fn judge_all(text: &[u8], expectations: &Expectations, keep_going: bool) -> Selection {
    match verify_export(text, expectations, keep_going, &mut Unobserved).unwrap() {
        ExportReport::Selection(selection) => *selection,
        ExportReport::Whole(report) => panic!("{report:?}"),
        ExportReport::Fragment(fragment) => panic!("{fragment:?}"),
    }
}

fn judge(text: &str) -> Selection {
    judge_all(text.as_bytes(), &Expectations::default(), false)
}

/// A few of what there is, by the bits of `dice`.
fn some<T: Ord + Clone>(of: &BTreeSet<T>, dice: &mut u64) -> BTreeSet<T> {
    let mut next = || {
        *dice ^= *dice << 13;
        *dice ^= *dice >> 7;
        *dice ^= *dice << 17;
        *dice
    };
    // Often nothing is asked for, so that the three are met alone and together.
    if next() % 2 == 0 {
        BTreeSet::new()
    } else {
        of.iter().filter(|_| next() % 3 == 0).cloned().collect()
    }
}

#[test]
fn l8_whatever_is_asked_for_verifies_alone() {
    let (folder, _) = folder(3);
    let ledger = folder.open();
    let size = ledger.head().head().size;
    let events: Vec<_> = ledger.events(0..size).map(Result::unwrap).collect();
    let run_of = |id: EventId, body: &Body| match body {
        Body::RunStarted(_) => Some(id),
        body => body.run(),
    };
    let bodies = || events.iter().map(|event| &event.event.body);
    let kinds: BTreeSet<String> = bodies().map(|body| body.kind().to_owned()).collect();
    let objects: BTreeSet<String> = bodies().filter_map(Body::object).map(str::to_owned).collect();
    let runs = events.iter().filter_map(|event| run_of(event.id, &event.event.body)).collect();
    let schema = serde_json::from_str(&Reader::JsonSchema.loader(Form::Proved)).unwrap();
    for line in all(&ledger) {
        let mut line: Value = serde_json::from_str(&line).unwrap();
        check_against(&schema, &line).unwrap();
        line["size"] = Value::Null;
        check_against(&schema, &line).unwrap_err();
    }
    let mut met = 0;
    for seed in 1..=200_u64 {
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let filter = Filter {
            kinds: some(&kinds, &mut dice),
            runs: some(&runs, &mut dice),
            objects: some(&objects, &mut dice),
        };
        let (from, to) = (dice % size, dice / size % size + 1);
        let seqs = if from < to { from..to } else { 0..size };
        let fits = |event: &&glyph_ledger::ledger::Recorded| {
            let (id, body) = (event.id, &event.event.body);
            let run = run_of(id, body);
            let in_range = seqs.contains(&event.event.seq);
            let kind = filter.kinds.is_empty() || filter.kinds.contains(body.kind());
            let run = filter.runs.is_empty() || run.is_some_and(|run| filter.runs.contains(&run));
            let object = body.object();
            let object = filter.objects.is_empty()
                || object.is_some_and(|object| filter.objects.contains(object));
            in_range && kind && run && object
        };
        let expected: Vec<EventId> = events.iter().filter(fits).map(|event| event.id).collect();
        let mut out = Vec::new();
        let done = export_selection(&ledger, ledger.head(), seqs.clone(), &filter, &mut out);
        let text = String::from_utf8(out).unwrap();
        if expected.is_empty() {
            assert!(done.is_err() && text.is_empty(), "seed {seed}: {filter:?}");
            continue;
        }
        met += 1;
        assert_eq!(done.unwrap().events, expected.len() as u64, "seed {seed}");
        let found: Vec<EventId> =
            text.lines().map(|line| ProvedLine::parse(line).unwrap().id).collect();
        assert_eq!(found, expected, "seed {seed}: {filter:?}");
        let selection = judge(&text);
        assert_eq!(
            (selection.faults.as_slice(), selection.heard_all),
            (&[][..], true),
            "seed {seed}"
        );
        assert_eq!(
            (selection.events, selection.head.as_ref()),
            (found.len() as u64, Some(ledger.head()))
        );
        // The same ledger and the same filter: the same bytes.
        let mut again = Vec::new();
        export_selection(&ledger, ledger.head(), seqs, &filter, &mut again).unwrap();
        assert_eq!(again, text.into_bytes(), "seed {seed}");
    }
    assert!(met > 60, "{met}");
}

#[test]
fn l8_a_selection_verifies_under_every_head_that_the_ledger_had_since() {
    let (folder, _) = folder(4);
    let ledger = folder.open();
    let heads: Vec<SignedHead> =
        ledger.batches(0..u64::MAX).map(|batch| batch.unwrap().head).collect();
    assert!(heads.len() > 4);
    for head in &heads {
        let size = head.head().size;
        let mut out = Vec::new();
        let done = export_selection(&ledger, head, 0..size, &Filter::default(), &mut out).unwrap();
        assert_eq!(done.events, size);
        let known = Expectations::trusting(Some(head.clone()));
        let selection = judge_all(&out, &known, false);
        assert_eq!((selection.events, selection.known.is_some()), (size, true));
        assert_eq!(selection.faults, []);
    }
    // An event that came after the head has no proof under it.
    let first = &heads[0];
    let beyond = 0..ledger.head().head().size;
    export_selection(&ledger, first, beyond, &Filter::default(), &mut Vec::new()).unwrap_err();
}

/// A change of a filtered export, whether it must be refused, and the line where it shows.
struct Case {
    name: String,
    text: Vec<u8>,
    trust: Option<SignedHead>,
    fault: Option<u64>,
}

fn case(name: &str, text: impl Into<Vec<u8>>, fault: Option<u64>) -> Case {
    Case { name: name.to_owned(), text: text.into(), trust: None, fault }
}

/// The columns of a line, one of them changed.
fn with(line: &str, column: &str, edit: impl Fn(&str) -> String) -> String {
    let value: Value = serde_json::from_str(line).unwrap();
    let before = value[column].to_string();
    let after = match &value[column] {
        Value::String(text) => Value::from(edit(text)).to_string(),
        other => edit(&other.to_string()),
    };
    let (name, rest) = (format!("\"{column}\":"), format!("\"{column}\":{before}"));
    line.replacen(&rest, &format!("{name}{after}"), 1)
}

fn resigned(lines: &[String], head: TreeHead, by: u8) -> Vec<String> {
    let signed = sign(head, &key(by));
    let signer = hex(key(by).verifying_key().as_bytes());
    let note = String::from_utf8(signed.encode()).unwrap();
    let line = |line: &String| {
        let line = with(line, "head", |_| note.clone());
        let line = with(&line, "signer", |_| signer.clone());
        with(&line, "size", |_| head.size.to_string())
    };
    lines.iter().map(line).collect()
}

fn changed_lines(lines: &[String]) -> Vec<Case> {
    let mut cases = Vec::new();
    let other = |text: &str| {
        let last = text.chars().last().unwrap();
        format!("{}{}", &text[..text.len() - 1], if last == '0' { '1' } else { '0' })
    };
    let columns: Value = serde_json::from_str(&lines[0]).unwrap();
    for at in [0, 1, lines.len() - 1] {
        for column in columns.as_object().unwrap().keys() {
            let mut bent = lines.to_vec();
            bent[at] = with(&lines[at], column, |text| match text {
                "null" => "\"x\"".to_owned(),
                text if column == "head" => text.replacen("\n\n", "\n", 1),
                text => other(text),
            });
            assert_ne!(bent[at], lines[at], "{column}");
            // In another schema the first line begins another form of file.
            let fault = Some(at as u64 + 1).filter(|_| at > 0 || column != "schema");
            if fault.is_some() {
                cases.push(case(&format!("column {column} of line {at}"), joined(&bent), fault));
            }
        }
        for column in columns.as_object().unwrap().keys().skip(1) {
            let mut line: Value = serde_json::from_str(&lines[at]).unwrap();
            line.as_object_mut().unwrap().shift_remove(column);
            let mut bent = lines.to_vec();
            bent[at] = line.to_string();
            let name = format!("line {at} without {column}");
            cases.push(case(&name, joined(&bent), Some(at as u64 + 1)));
        }
        let swap = |nodes: &str| format!("{}{}{}", &nodes[64..128], &nodes[..64], &nodes[128..]);
        for (name, edit) in [
            (
                "a node cut off its end",
                &(|nodes: &str| nodes[..nodes.len() - 64].to_owned()) as &dyn Fn(&str) -> String,
            ),
            ("a node cut off its beginning", &|nodes| nodes[64..].to_owned()),
            ("two nodes swapped", &swap),
            ("a node twice", &|nodes| format!("{nodes}{}", &nodes[..64])),
            ("no nodes", &|_| String::new()),
            ("half a node", &|nodes| nodes[..nodes.len() - 32].to_owned()),
            ("an odd digit", &|nodes| nodes[1..].to_owned()),
            ("capitals", &|nodes| nodes.replace('a', "A").replace('b', "B").replace('c', "C")),
            ("too many nodes", &|nodes| nodes.repeat(65)),
        ] {
            let mut bent = lines.to_vec();
            bent[at] = with(&lines[at], "inclusion", edit);
            cases.push(case(&format!("line {at}: {name}"), joined(&bent), Some(at as u64 + 1)));
        }
        let next = (at + 1) % lines.len();
        let proof: Value = serde_json::from_str(&lines[next]).unwrap();
        let mut bent = lines.to_vec();
        bent[at] =
            with(&lines[at], "inclusion", |_| proof["inclusion"].as_str().unwrap().to_owned());
        cases.push(case(
            &format!("line {at}: another's proof"),
            joined(&bent),
            Some(at as u64 + 1),
        ));
    }
    cases
}

fn changed_files(lines: &[String], head: TreeHead) -> Vec<Case> {
    let whole = joined(lines);
    let mut twice = lines.to_vec();
    twice.insert(3, lines[2].clone());
    let mut reordered = lines.to_vec();
    reordered.swap(2, 3);
    let mut mixed = lines.to_vec();
    let other_root = TreeHead { root: NodeHash::inner(&head.root, &head.root), ..head };
    mixed[2] = resigned(&lines[2..3], head, 2).remove(0);
    let foreign = TreeHead { ledger: LedgerId::of(&[9; 32], &[9; 16]), ..head };
    let of_size = |size: u64| {
        let line = |line: &String| {
            let own = format!("\n{}\n", head.size);
            let line = with(line, "head", |note| note.replacen(&own, &format!("\n{size}\n"), 1));
            with(&line, "size", |_| size.to_string())
        };
        joined(&lines.iter().map(line).collect::<Vec<_>>())
    };
    let unsigned: Vec<String> = lines
        .iter()
        .map(|line| {
            with(line, "head", |note| {
                let sig = note.rfind(' ').unwrap() + 20;
                let flipped = if &note[sig..=sig] == "A" { "B" } else { "A" };
                format!("{}{flipped}{}", &note[..sig], &note[sig + 1..])
            })
        })
        .collect();
    vec![
        case("as it was made", whole.clone(), None),
        case("a line removed", joined(&[&lines[..4], &lines[5..]].concat()), None),
        case("the first line removed", joined(&lines[1..]), None),
        case("only the last line", joined(&lines[lines.len() - 1..]), None),
        case("a line repeated", joined(&twice), Some(4)),
        case("the file twice", whole.repeat(2), Some(lines.len() as u64 + 1)),
        case("two lines in another order", joined(&reordered), Some(4)),
        case("signed anew by somebody", joined(&resigned(lines, head, 2)), None),
        case("one line under somebody's head", joined(&mixed), Some(3)),
        case("a head of another root", joined(&resigned(lines, other_root, 1)), Some(1)),
        case("a head of another ledger", joined(&resigned(lines, foreign, 1)), Some(1)),
        case("a head of a larger tree", of_size(head.size + 1), Some(1)),
        case("a head of a smaller tree", of_size(head.size - 1), Some(1)),
        case("a head that nobody signed", joined(&unsigned), Some(1)),
        case(
            "cut within the last line",
            &whole.as_bytes()[..whole.len() - 1],
            Some(lines.len() as u64),
        ),
        case("cut within a line", &whole.as_bytes()[..whole.len() / 2], {
            Some(whole[..whole.len() / 2].matches('\n').count() as u64 + 1)
        }),
        case("an empty line", format!("{whole}\n"), Some(lines.len() as u64 + 1)),
        case("a line that is too long", [whole.as_bytes(), &[b'x'; 200_000], b"\n"].concat(), {
            Some(lines.len() as u64 + 1)
        }),
        case("a line that is no text", [whole.as_bytes(), b"\xff\xfe\n"].concat(), {
            Some(lines.len() as u64 + 1)
        }),
        case("carriage returns", whole.replace('\n', "\r\n"), Some(1)),
    ]
}

fn trusted(lines: &[String], head: TreeHead) -> Vec<Case> {
    let sound =
        |name: &str, trust, fault| Case { trust: Some(trust), ..case(name, joined(lines), fault) };
    let other = TreeHead { root: NodeHash::empty_root(), ..head };
    vec![
        sound("its own head is trusted", sign(head, &key(1)), None),
        sound(
            "a later head is trusted",
            sign(TreeHead { size: head.size + 5, ..other }, &key(1)),
            None,
        ),
        sound("a head of another history is trusted", sign(other, &key(1)), Some(1)),
        sound("the same head by somebody else is trusted", sign(head, &key(2)), Some(1)),
        sound(
            "a head of another ledger is trusted",
            sign(TreeHead { ledger: LedgerId::of(&[9; 32], &[9; 16]), ..head }, &key(1)),
            Some(1),
        ),
    ]
}

/// What the verifier in Python says to the cases.
fn python(cases: &[Case]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let mut list = String::new();
    for (number, case) in cases.iter().enumerate() {
        let file = format!("{number:04}.jsonl");
        fs::write(folder.path().join(&file), &case.text).unwrap();
        let trust = case.trust.as_ref().map(|head| String::from_utf8(head.encode()).unwrap());
        list.push_str(&json!({"file": file, "name": case.name, "trust": trust}).to_string());
        list.push('\n');
    }
    fs::write(folder.path().join("cases.jsonl"), list).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify/damage.py");
    let said =
        Command::new("python3").arg("-B").arg(script).arg("judge").arg(folder.path()).output();
    let said = said.expect("python3 is installed by tools/setup");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8(said.stdout).unwrap();
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn l8_every_change_of_a_selection_is_found_by_both_verifiers_at_the_same_line() {
    let (folder, _) = folder(5);
    let ledger = folder.open();
    let lines: Vec<String> = all(&ledger).into_iter().skip(6).step_by(5).collect();
    assert!(lines.len() > 8);
    let head = *ledger.head().head();
    let cases: Vec<Case> = changed_lines(&lines)
        .into_iter()
        .chain(changed_files(&lines, head))
        .chain(trusted(&lines, head))
        .collect();
    let mut wrong = Vec::new();
    for (case, theirs) in cases.iter().zip(python(&cases)) {
        let expectations = Expectations::trusting(case.trust.clone());
        let ours = judge_all(&case.text, &expectations, false);
        // What is about the head as a whole shows where it is first met.
        let found = ours.faults.first().map(|fault| fault.line().unwrap_or(1));
        let theirs_found = theirs["faults"][0]["line"].as_u64();
        if found != case.fault || theirs_found != case.fault {
            let name = &case.name;
            wrong.push(format!(
                "{name}: asked {:?}\n  ours {:?}\n  Python {}",
                case.fault, ours.faults, theirs["faults"]
            ));
        }
        let known = theirs["selection"]["known_by"].as_str().is_some();
        assert_eq!(
            known,
            ours.known.is_some() && ours.faults.is_empty(),
            "{}: {theirs}",
            case.name
        );
        if case.fault.is_none() {
            assert_eq!(theirs["events"], ours.events, "{}", case.name);
            assert_eq!(theirs["selection"]["last"], ours.last.unwrap());
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 120, "{}", cases.len());
}

#[test]
fn l8_no_changed_byte_of_a_selection_passes_for_what_was_signed() {
    let (folder, _) = folder(6);
    let ledger = folder.open();
    let whole = joined(&all(&ledger)[4..8]);
    for at in (0..whole.len()).step_by(3) {
        let mut bent = whole.clone().into_bytes();
        bent[at] ^= 1;
        let report =
            verify_export(bent.as_slice(), &Expectations::default(), true, &mut Unobserved);
        let faults = match report.unwrap() {
            ExportReport::Selection(selection) => selection.faults.len(),
            ExportReport::Whole(report) => report.faults.len(),
            ExportReport::Fragment(fragment) => panic!("byte {at}: {fragment:?}"),
        };
        assert!(faults > 0, "byte {at}");
    }
}

#[test]
fn l8_all_that_is_wrong_with_a_selection_is_named_in_one_pass() {
    let (folder, _) = folder(7);
    let ledger = folder.open();
    let mut lines = all(&ledger);
    lines.truncate(12);
    for at in [1, 4, 9] {
        lines[at] = lines[at].replacen("\"format\":1", "\"format\":2", 1);
    }
    lines[6] = "[".repeat(100_000);
    let selection = judge_all(joined(&lines).as_bytes(), &Expectations::default(), true);
    let named: Vec<_> = selection.faults.iter().map(|fault| fault.line().unwrap()).collect();
    assert_eq!((named, selection.events, selection.heard_all), (vec![2, 5, 7, 10], 8, true));
    assert_eq!(judge(&joined(&lines)).faults.len(), 1);
    let other =
        Expectations { ledger: Some(LedgerId::of(&[9; 32], &[9; 16])), ..Expectations::default() };
    let selection = judge_all(joined(&all(&ledger)).as_bytes(), &other, false);
    assert_eq!(selection.faults[0].code().id, "LEDGER_FOREIGN");
    let root = ledger.head().head().root;
    let stated = KnownHead::expected(ledger.head().head().size, root);
    let told = Expectations { named: vec![stated], ..Expectations::default() };
    assert!(judge_all(joined(&all(&ledger)).as_bytes(), &told, false).known.is_some());
}
