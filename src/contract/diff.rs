//! What changed from one version of a contract to the next, and how much higher its own version must be for it.
//!
//! Runs are done again, and documents migrated, by what a contract of that version said. So whatever changes the result for
//! a document that could be migrated before needs a new MAJOR version, what only adds ways a new MINOR one, and words a new
//! PATCH.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::model::{Contract, Edge};

/// The part of a version that is to be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bump {
    /// Words only.
    Patch,
    /// More can be migrated than before, and what could be is migrated as before.
    Minor,
    /// Something is migrated otherwise than before, or not at all.
    Major,
}

/// One change of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The part that is to be raised for it.
    pub bump: Bump,
    /// The part of the contract, as a JSON Pointer.
    pub part: String,
    /// What changed, in words.
    pub what: String,
}

/// All changes of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its own version before.
    pub old_version: String,
    /// Its own version after.
    pub new_version: String,
    /// What changed, weightiest first.
    pub changes: Vec<Change>,
    /// The part of the version that must be raised; none where nothing changed.
    pub required: Option<Bump>,
    /// The part that was raised; none if the version is the same.
    pub raised: Option<Bump>,
    /// Whether the version was raised as it must be.
    pub enough: bool,
}

/// A version of a contract: MAJOR.MINOR.PATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    major: u64,
    minor: u64,
    patch: u64,
}

impl Number {
    /// Reads a version: three numbers without leading zeros.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut part = || -> Option<u64> {
            let digits = parts.next()?;
            let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
            let number: u64 = digits.parse().ok().filter(|_| plain)?;
            (number.to_string() == digits).then_some(number)
        };
        let number = Self { major: part()?, minor: part()?, patch: part()? };
        parts.next().is_none().then_some(number)
    }

    /// The part that is higher than in `old`; `Err` if this is not higher at all but other.
    fn raised_from(self, old: Self) -> Result<Option<Bump>, ()> {
        match (self > old, self.major == old.major, self.minor == old.minor) {
            _ if self == old => Ok(None),
            (false, ..) => Err(()),
            (true, false, _) => Ok(Some(Bump::Major)),
            (true, true, false) => Ok(Some(Bump::Minor)),
            (true, true, true) => Ok(Some(Bump::Patch)),
        }
    }
}

impl fmt::Display for Bump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patch => "PATCH",
            Self::Minor => "MINOR",
            Self::Major => "MAJOR",
        })
    }
}

impl Difference {
    /// The lowest version that says enough; none if the version before is of another form.
    pub fn least_version(&self) -> Option<String> {
        let Number { major, minor, patch } = Number::parse(&self.old_version)?;
        Some(match self.required {
            None => self.old_version.clone(),
            Some(Bump::Patch) => format!("{major}.{minor}.{}", patch.saturating_add(1)),
            Some(Bump::Minor) => format!("{major}.{}.0", minor.saturating_add(1)),
            Some(Bump::Major) => format!("{}.0.0", major.saturating_add(1)),
        })
    }
}

/// What changed from `old` to `new`.
pub fn diff(old: &Contract, new: &Contract) -> Difference {
    let mut changes = Changes { old, new, found: Vec::new() };
    changes.identity();
    changes.versions();
    changes.detectors();
    changes.edges();
    changes.rest();
    let mut changes = changes.found;
    changes.sort_by_key(|change| std::cmp::Reverse(change.bump));
    let required = changes.first().map(|change| change.bump);
    let numbers = Number::parse(&new.contract_version).zip(Number::parse(&old.contract_version));
    let raised = numbers.map_or(Err(()), |(new, old)| new.raised_from(old));
    Difference {
        old_version: old.contract_version.clone(),
        new_version: new.contract_version.clone(),
        changes,
        required,
        raised: raised.unwrap_or_default(),
        enough: raised.is_ok_and(|raised| raised >= required),
    }
}

struct Changes<'a> {
    old: &'a Contract,
    new: &'a Contract,
    found: Vec<Change>,
}

impl Changes<'_> {
    fn add(&mut self, bump: Bump, part: impl Into<String>, what: impl Into<String>) {
        self.found.push(Change { bump, part: part.into(), what: what.into() });
    }

    fn changed<T: PartialEq + ?Sized>(&mut self, bump: Bump, field: &str, old: &T, new: &T) {
        if old != new {
            self.add(bump, format!("/{field}"), format!("`{field}` changed"));
        }
    }

    /// A field of one word.
    fn word(&mut self, field: &str, old: &str, new: &str) {
        if old != new {
            self.add(
                Bump::Major,
                format!("/{field}"),
                format!("`{field}` was {old:?} and is {new:?}"),
            );
        }
    }

    fn identity(&mut self) {
        let (old, new) = (self.old, self.new);
        self.word("contract", &old.contract, &new.contract);
        self.word("format", &old.format, &new.format);
        self.word("min", &old.min, &new.min);
        if old.operator != new.operator {
            self.add(Bump::Major, "/operator", "`operator` changed: certificates name it");
        }
        self.changed(Bump::Patch, "description", &old.description, &new.description);
    }

    fn versions(&mut self) {
        let (old, new) = (self.old, self.new);
        let (before, after): (BTreeSet<_>, BTreeSet<_>) =
            (old.versions.iter().collect(), new.versions.iter().collect());
        for version in before.difference(&after) {
            self.add(Bump::Major, "/versions", format!("version {version:?} was removed"));
        }
        for version in after.difference(&before) {
            self.add(Bump::Minor, "/versions", format!("version {version:?} was added"));
        }
        let common = |versions: &[String], other: &BTreeSet<&String>| -> Vec<String> {
            versions.iter().filter(|version| other.contains(version)).cloned().collect()
        };
        if common(&old.versions, &after) != common(&new.versions, &before) {
            self.add(Bump::Major, "/versions", "versions stand in another order");
        }
        if old.current != new.current {
            let up = new
                .position(&old.current)
                .is_some_and(|was| new.position(&new.current) > Some(was));
            let bump = if up { Bump::Minor } else { Bump::Major };
            let what = format!("`current` was {:?} and is {:?}", old.current, new.current);
            self.add(bump, "/current", what);
        }
    }

    fn detectors(&mut self) {
        let by_version = |contract: &Contract| {
            let mut detectors: BTreeMap<String, Vec<_>> = BTreeMap::new();
            for detector in &contract.detect {
                detectors.entry(detector.version.clone()).or_default().push(detector.when.clone());
            }
            detectors
        };
        let (before, after) = (by_version(self.old), by_version(self.new));
        for (version, when) in &before {
            if after.get(version).is_some_and(|now| now != when) {
                let what = format!("version {version:?} is recognised otherwise");
                self.add(Bump::Major, "/detect", what);
            }
        }
    }

    fn edges(&mut self) {
        let (old, new) = (self.old, self.new);
        let named = |contract: &Contract| -> BTreeMap<(String, String), usize> {
            let edges = contract.edges.iter().enumerate();
            edges.map(|(at, edge)| ((edge.from.clone(), edge.to.clone()), at)).collect()
        };
        let (before, after) = (named(old), named(new));
        for edge in &old.edges {
            if !after.contains_key(&(edge.from.clone(), edge.to.clone())) {
                self.add(Bump::Major, "/edges", format!("edge {} was removed", edge.name()));
            }
        }
        for (position, edge) in new.edges.iter().enumerate() {
            let part = format!("/edges/{position}");
            let was = before.get(&(edge.from.clone(), edge.to.clone()));
            match was.and_then(|was| old.edges.get(*was)) {
                None => self.add(Bump::Minor, part, format!("edge {} was added", edge.name())),
                Some(was) => self.edge(part, was, edge),
            }
        }
        let order = |contract: &Contract, other: &BTreeMap<(String, String), usize>| -> Vec<_> {
            let edges = contract.edges.iter().map(|edge| (edge.from.clone(), edge.to.clone()));
            edges.filter(|edge| other.contains_key(edge)).collect()
        };
        if order(old, &after) != order(new, &before) {
            let what = "edges stand in another order, which decides between equally short ways";
            self.add(Bump::Major, "/edges", what);
        }
    }

    fn edge(&mut self, part: String, was: &Edge, edge: &Edge) {
        let name = edge.name();
        if self.old.edge_digest(&wordless(was)) != self.new.edge_digest(&wordless(edge)) {
            let parts = self.parts_of(was, edge).join(", ");
            self.add(Bump::Major, part, format!("edge {name} was edited: {parts}"));
        } else if was != edge {
            self.add(Bump::Patch, part, format!("edge {name} is described otherwise"));
        }
    }

    /// Which parts of an edge are other than they were.
    fn parts_of(&self, was: &Edge, edge: &Edge) -> Vec<&'static str> {
        let bytes = |contract: &Contract, edge: &Edge| -> BTreeMap<String, Option<Vec<u8>>> {
            let files =
                edge.files().map(|file| (file.to_owned(), contract.scripts.get(file).cloned()));
            files.collect()
        };
        let parts = [
            ("steps", was.steps != edge.steps),
            ("files", bytes(self.old, was) != bytes(self.new, edge)),
            ("definitions", definitions(self.old) != definitions(self.new)),
            ("proof", wordless(was).proof != wordless(edge).proof),
            ("lossy", was.lossy != edge.lossy),
            ("inverse", was.inverse != edge.inverse),
        ];
        parts.into_iter().filter(|(_, changed)| *changed).map(|(part, _)| part).collect()
    }

    fn rest(&mut self) {
        let (old, new) = (self.old, self.new);
        if old.normalize_digest() != new.normalize_digest() {
            self.add(Bump::Major, "/normalize", "the normalisation changed");
        }
        self.changed(Bump::Major, "normalize_lossy", &old.normalize_lossy, &new.normalize_lossy);
        self.schemas();
        self.changed(Bump::Major, "bookkeeping", &old.bookkeeping, &new.bookkeeping);
        self.changed(Bump::Major, "invariants", &old.invariants, &new.invariants);
        self.changed(Bump::Major, "refs", &old.refs, &new.refs);
        self.changed(Bump::Major, "self_hash", &old.self_hash, &new.self_hash);
        self.changed(Bump::Major, "identity", &old.identity, &new.identity);
        self.changed(Bump::Major, "signature", &old.signature, &new.signature);
        let names =
            |contract: &Contract| -> Vec<String> { contract.parameters.keys().cloned().collect() };
        let bump = if names(old) == names(new) { Bump::Patch } else { Bump::Major };
        self.changed(bump, "parameters", &old.parameters, &new.parameters);
        let fewer = old.files.iter().any(|glob| !new.files.contains(glob));
        let bump = if fewer { Bump::Major } else { Bump::Minor };
        self.changed(bump, "files", &old.files, &new.files);
    }

    fn schemas(&mut self) {
        let (old, new) = (self.old, self.new);
        let text = |contract: &Contract, version: &str| {
            Some(contract.scripts.get(contract.schemas.get(version)?).cloned())
        };
        let versions: BTreeSet<&String> = old.schemas.keys().chain(new.schemas.keys()).collect();
        for version in versions {
            let part = format!("/schemas/{version}");
            match (text(old, version), text(new, version)) {
                (None, Some(_)) if old.versions.contains(version) => {
                    let what = format!(
                        "a schema for version {version:?} was added: less is valid than before"
                    );
                    self.add(Bump::Major, part, what);
                }
                (None, _) => self.add(
                    Bump::Minor,
                    part,
                    format!("a schema for version {version:?} was added"),
                ),
                (Some(_), None) => {
                    self.add(
                        Bump::Major,
                        part,
                        format!("the schema of version {version:?} was removed"),
                    );
                }
                (Some(was), Some(is)) if was != is => {
                    self.add(
                        Bump::Major,
                        part,
                        format!("the schema of version {version:?} changed"),
                    );
                }
                _ => {}
            }
        }
    }
}

/// The jq definitions that every program of a contract sees.
fn definitions(contract: &Contract) -> Option<&Vec<u8>> {
    contract.scripts.get(contract.definitions.as_ref()?)
}

/// An edge without the words that change nothing.
fn wordless(edge: &Edge) -> Edge {
    let mut edge = edge.clone();
    edge.description = None;
    edge.proof.invariant = None;
    edge
}

#[cfg(test)]
mod tests {
    use super::super::load_bytes;
    use super::*;

    const TEXT: &str = r#"
contract: c
contract_version: 1.2.3
format: json
files: ["*.json"]
versions: ["0", "1", "2"]
current: "1"
min: "0"
detect:
  - {version: "0", when: {path: /v, equals: 0}}
  - {version: "1", when: {path: /v, equals: 1}}
  - {version: "2", when: {path: /v, equals: 2}}
schemas: {"1": one.json}
edges:
  - {from: "0", to: "1", steps: [{jq: {file: a.jq}}], proof: {addsDefaulted: [], dropsNothing: true}}
  - {from: "1", to: "2", steps: [], proof: {addsDefaulted: [], dropsNothing: true}}
invariants: [{id: i, expr: "true"}]
"#;

    fn load(text: &str, jq: &str) -> Contract {
        let files = [("one.json", "{}"), ("a.jq", jq)];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        load_bytes("c", text.as_bytes(), files.into()).unwrap()
    }

    fn difference(from: &str, to: &str) -> Difference {
        assert!(from.is_empty() || TEXT.contains(from), "{from}");
        let edited = if from.is_empty() { TEXT.to_owned() } else { TEXT.replace(from, to) };
        diff(&load(TEXT, "."), &load(&edited, "."))
    }

    #[test]
    fn each_change_asks_for_its_part_of_the_version() {
        let edge =
            "{from: \"0\", to: \"2\", steps: [], proof: {addsDefaulted: [], dropsNothing: true}}";
        for (from, to, bump, what) in [
            ("format: json", "format: json\ndescription: x", Bump::Patch, "`description` changed"),
            ("min: \"0\"", "min: \"1\"", Bump::Major, "`min` was \"0\" and is \"1\""),
            ("current: \"1\"", "current: \"2\"", Bump::Minor, "`current` was \"1\" and is \"2\""),
            ("[\"*.json\"]", "[\"*.json\", b]", Bump::Minor, "`files` changed"),
            ("[\"*.json\"]", "[b]", Bump::Major, "`files` changed"),
            (
                "/v, equals: 2",
                "/v, equals: 3",
                Bump::Major,
                "version \"2\" is recognised otherwise",
            ),
            ("invariants: [{id: i", "invariants: [{id: j", Bump::Major, "`invariants` changed"),
            (
                "invariants:",
                &format!("  - {edge}\ninvariants:"),
                Bump::Minor,
                "edge 0 \u{2192} 2 was added",
            ),
            (
                "edges:",
                "normalize: [{add: {path: /n, value: 1}}]\nedges:",
                Bump::Major,
                "the normalisation changed",
            ),
            (
                "steps: [], proof",
                "steps: [], description: x, proof",
                Bump::Patch,
                "edge 1 \u{2192} 2 is described otherwise",
            ),
            (
                "steps: [], proof: {addsDefaulted: []",
                "steps: [], proof: {addsDefaulted: [/n]",
                Bump::Major,
                "edge 1 \u{2192} 2 was edited: proof",
            ),
            (
                "schemas: {\"1\": one.json}\n",
                "",
                Bump::Major,
                "the schema of version \"1\" was removed",
            ),
            ("format: json", "format: yaml", Bump::Major, "`format` was \"json\" and is \"yaml\""),
        ] {
            let found = difference(from, to);
            assert_eq!(found.required, Some(bump), "{to}: {found:?}");
            assert!(found.changes.iter().any(|change| change.what == what), "{to}: {found:?}");
            assert!(!found.enough, "{to}");
        }
    }

    #[test]
    fn an_edited_file_is_an_edited_edge() {
        let found = diff(&load(TEXT, "."), &load(TEXT, ".a"));
        assert_eq!(found.changes[0].what, "edge 0 \u{2192} 1 was edited: files");
        assert_eq!(found.required, Some(Bump::Major));
    }

    #[test]
    fn a_version_is_raised_enough_or_not() {
        let with = |version: &str| {
            let edited = TEXT.replace("1.2.3", version).replace("current: \"1\"", "current: \"2\"");
            diff(&load(TEXT, "."), &load(&edited, "."))
        };
        for (version, raised, enough) in [
            ("1.2.3", None, false),
            ("1.2.4", Some(Bump::Patch), false),
            ("1.3.0", Some(Bump::Minor), true),
            ("2.0.0", Some(Bump::Major), true),
            ("1.1.9", None, false),
            ("'1.3'", None, false),
            ("01.3.0", None, false),
        ] {
            let found = with(version);
            assert_eq!((found.raised, found.enough), (raised, enough), "{version}");
        }
        assert!(difference("", "").enough, "nothing changed");
    }
}
