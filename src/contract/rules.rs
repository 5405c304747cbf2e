//! What a contract must not say: contradictions, and things of stores in contracts of documents or the other way round.
//! Whoever breaks one of these rules has no contract. What is merely doubtful is for the lint.

use std::collections::{BTreeMap, BTreeSet};

use super::detector::{Shape, When};
use super::model::{Contract, Edge, Format};
use super::pattern::Pattern;
use crate::document::Pointer;
use crate::transform::{Ensure, Groups, Put, Step};

/// A rule that is broken, and where in the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breach {
    /// What kind of rule it is, as the lint calls it.
    pub(super) code: &'static str,
    /// The place in the contract's text, read as a document.
    pub(super) at: Pointer,
    /// The rule.
    pub(super) rule: String,
}

/// Every rule that `contract` breaks, in the order in which its parts are declared.
/// `missing` says why those files cannot be had that could not be read.
pub(super) fn breaches(contract: &Contract, missing: &BTreeMap<String, String>) -> Vec<Breach> {
    let positions = contract.versions.iter().enumerate();
    let positions = positions.map(|(position, version)| (version.as_str(), position)).collect();
    let documents = contract.is_of_documents();
    let mut rules = Rules { contract, missing, positions, documents, found: Vec::new() };
    rules.format();
    rules.versions();
    rules.detectors();
    rules.bookkeeping();
    rules.documents_only();
    rules.hashes();
    rules.schemas();
    for (position, edge) in contract.edges.iter().enumerate() {
        rules.edge(&place(&["edges", &position.to_string()]), edge);
    }
    rules.twice();
    rules.steps(&place(&["normalize"]), &contract.normalize, "`normalize`");
    rules.patterns(&place(&["normalize_lossy"]), &contract.normalize_lossy);
    if let Some(file) = &contract.definitions {
        rules.file(place(&["definitions"]), file, "`definitions` is");
    }
    rules.found
}

fn place(tokens: &[&str]) -> Pointer {
    tokens.iter().fold(Pointer::default(), |place, token| place.below(token))
}

struct Rules<'a> {
    contract: &'a Contract,
    missing: &'a BTreeMap<String, String>,
    positions: BTreeMap<&'a str, usize>,
    documents: bool,
    found: Vec<Breach>,
}

impl Rules<'_> {
    fn broken(&mut self, at: Pointer, rule: impl Into<String>) {
        self.broken_as("rule", at, rule);
    }

    fn broken_as(&mut self, code: &'static str, at: Pointer, rule: impl Into<String>) {
        self.found.push(Breach { code, at, rule: rule.into() });
    }

    fn known(&mut self, at: Pointer, version: &str, what: &str) -> Option<usize> {
        let position = self.positions.get(version).copied();
        if position.is_none() {
            self.broken(at, format!("{what} {version:?} is not one of `versions`"));
        }
        position
    }

    fn format(&mut self) {
        if self.contract.format().is_none() {
            let known = Format::ALL.map(Format::name).join(", ");
            let rule = format!("format {:?} is none of {known}", self.contract.format);
            self.broken(place(&["format"]), rule);
        }
    }

    fn versions(&mut self) {
        let contract = self.contract;
        let mut seen = BTreeSet::new();
        for (position, version) in contract.versions.iter().enumerate() {
            if !seen.insert(version) {
                let at = place(&["versions", &position.to_string()]);
                self.broken(at, format!("version {version:?} stands twice in `versions`"));
            }
        }
        let current = self.known(place(&["current"]), &contract.current, "`current`");
        let min = self.known(place(&["min"]), &contract.min, "`min`");
        if min.zip(current).is_some_and(|(min, current)| min > current) {
            self.broken(place(&["min"]), "`min` is above `current`");
        }
    }

    fn detectors(&mut self) {
        let contract = self.contract;
        for (position, detector) in contract.detect.iter().enumerate() {
            let at = place(&["detect", &position.to_string()]);
            self.known(at.below("version"), &detector.version, "a detector's version");
            self.when(&at.below("when"), &detector.when);
        }
        if contract.format() == Some(Format::Sqlite) && contract.detect.is_empty() {
            return;
        }
        let detected: BTreeSet<&str> =
            contract.detect.iter().map(|detector| detector.version.as_str()).collect();
        for (position, version) in contract.versions.iter().enumerate() {
            if !detected.contains(version.as_str()) {
                let at = place(&["versions", &position.to_string()]);
                self.broken_as(
                    "undetected",
                    at,
                    format!("no detector recognises version {version:?}"),
                );
            }
        }
    }

    fn when(&mut self, at: &Pointer, when: &When) {
        let broken = match self.contract.format() {
            _ if self.documents => return self.document_when(at, when),
            Some(Format::Sqlite) => database_when(when),
            _ => store_when(when),
        };
        if let Some(rule) = broken {
            self.broken(at.clone(), rule);
        }
    }

    /// What only a database has.
    fn bookkeeping(&mut self) {
        let is_database = self.contract.format() == Some(Format::Sqlite);
        if self.contract.bookkeeping.is_some() && !is_database {
            let rule = "`bookkeeping` is for contracts of format sqlite";
            self.broken(place(&["bookkeeping"]), rule);
        }
    }

    fn document_when(&mut self, at: &Pointer, when: &When) {
        let asks =
            when.equals.is_some() || when.kind.is_some() || when.absent || when.shape.is_some();
        match (&when.path, when.all.is_empty()) {
            (Some(path), true) => {
                if let Err(error) = path.parse::<Pointer>() {
                    self.broken(at.below("path"), error.to_string());
                }
                if !asks {
                    self.broken(
                        at.clone(),
                        "a condition must ask for equals, type, absent or shape",
                    );
                }
                if when.absent
                    && (when.equals.is_some() || when.kind.is_some() || when.shape.is_some())
                {
                    self.broken(at.clone(), "what is absent has no value, type or shape");
                }
            }
            (None, false) if !asks => {
                for (position, part) in when.all.iter().enumerate() {
                    self.document_when(&at.below("all").below(&position.to_string()), part);
                }
            }
            _ => self
                .broken(at.clone(), "a condition has either a path or all, with nothing beside it"),
        }
        if when.shape.as_ref().is_some_and(|shape| shape.table.is_some()) {
            self.broken(at.below("shape").below("table"), "a document has no tables");
        }
    }

    /// Fields that mean nothing of a store.
    fn documents_only(&mut self) {
        if self.documents {
            return;
        }
        let contract = self.contract;
        let fields = [
            ("files", contract.files.is_empty()),
            ("parameters", contract.parameters.is_empty()),
            ("schemas", contract.schemas.is_empty()),
            ("definitions", contract.definitions.is_none()),
            ("normalize", contract.normalize.is_empty()),
            ("normalize_lossy", contract.normalize_lossy.is_empty()),
            ("invariants", contract.invariants.is_empty()),
            ("refs", contract.refs.is_empty()),
            ("self_hash", contract.self_hash.is_empty()),
            ("identity", contract.identity.is_empty()),
            ("signature", contract.signature.is_none()),
        ];
        for (field, _) in fields.iter().filter(|(_, empty)| !empty) {
            self.broken(place(&[field]), format!("`{field}` is for contracts of documents"));
        }
    }

    /// Versions in which hashes stand.
    fn hashes(&mut self) {
        let contract = self.contract;
        let refs = contract.refs.iter().map(|reference| &reference.versions).enumerate();
        let own = contract.self_hash.iter().map(|own| &own.versions).enumerate();
        let all = refs.map(|entry| ("refs", entry)).chain(own.map(|entry| ("self_hash", entry)));
        for (field, (position, versions)) in all {
            for (place_in, version) in versions.iter().enumerate() {
                let at = [field, &position.to_string(), "versions", &place_in.to_string()];
                self.known(place(&at), version, "a hash's version");
            }
        }
    }

    fn schemas(&mut self) {
        let contract = self.contract;
        for (version, file) in &contract.schemas {
            let at = place(&["schemas"]).below(version);
            self.known(at.clone(), version, "a schema's version");
            self.file(at, file, "a schema is");
        }
    }

    fn edge(&mut self, at: &Pointer, edge: &Edge) {
        let name = format!("edge {}", edge.name());
        let from = self.known(at.below("from"), &edge.from, "an edge's `from`");
        let to = self.known(at.below("to"), &edge.to, "an edge's `to`");
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            self.broken_as("cycle", at.clone(), format!("{name} does not go up"));
        }
        if edge.proof.drops_nothing && !edge.lossy.is_empty() {
            let rule = format!("{name} promises to drop nothing and declares loss");
            self.broken(at.below("lossy"), rule);
        }
        if self.documents {
            self.patterns(&at.below("lossy"), &edge.lossy);
            self.patterns(&at.below("proof").below("addsDefaulted"), &edge.proof.adds_defaulted);
        }
        self.steps(&at.below("steps"), &edge.steps, &name);
        if let Some(inverse) = &edge.inverse {
            self.steps(&at.below("inverse"), inverse, &name);
        }
    }

    fn patterns(&mut self, at: &Pointer, patterns: &[String]) {
        for (position, pattern) in patterns.iter().enumerate() {
            if let Err(error) = pattern.parse::<Pattern>() {
                self.broken(at.below(&position.to_string()), error.to_string());
            }
        }
    }

    fn twice(&mut self) {
        let mut pairs = BTreeSet::new();
        for (position, edge) in self.contract.edges.iter().enumerate() {
            if !pairs.insert((&edge.from, &edge.to)) {
                let at = place(&["edges", &position.to_string()]);
                self.broken_as("duplicate-edge", at, format!("edge {} stands twice", edge.name()));
            }
        }
    }

    fn steps(&mut self, at: &Pointer, steps: &[Step], name: &str) {
        for (position, step) in steps.iter().enumerate() {
            let at = at.below(&position.to_string());
            match step {
                Step::Sql(_) if self.documents => {
                    self.broken(
                        at.clone(),
                        format!("{name} has an SQL step, which is for databases"),
                    );
                }
                Step::Sql(sql) => {
                    for file in std::iter::once(&sql.script).chain(&sql.record) {
                        self.file(at.clone(), file, &format!("{name} names script"));
                    }
                }
                _ if !self.documents => {
                    self.broken(
                        at.clone(),
                        format!("{name} has a step for documents: a database has SQL only"),
                    );
                }
                _ => self.document_step(&at, step, name),
            }
            let key = if matches!(step, Step::Each(_)) { "each" } else { "when" };
            self.steps(&at.below(key).below("steps"), step.body(), name);
        }
    }

    fn document_step(&mut self, at: &Pointer, step: &Step, name: &str) {
        match step {
            Step::Add(Put { value, jq, groups, .. })
            | Step::Set(Put { value, jq, groups, .. })
            | Step::Merge(Put { value, jq, groups, .. })
            | Step::Ensure(Ensure { value, jq, groups, .. })
                if [value.is_some(), jq.is_some(), groups.is_some()]
                    .iter()
                    .filter(|given| **given)
                    .count()
                    != 1 =>
            {
                self.broken(
                    at.clone(),
                    format!("a step of {name} must have one of value, jq and groups"),
                );
            }
            Step::Merge(Put { groups: Some(_), .. }) => {
                self.broken(
                    at.clone(),
                    format!("a step of {name} merges keys of an object: groups are a list"),
                );
            }
            Step::Add(Put { groups: Some(groups), .. })
            | Step::Set(Put { groups: Some(groups), .. })
            | Step::Ensure(Ensure { groups: Some(groups), .. }) => self.groups(at, groups, name),
            Step::Jq(jq) if jq.program.is_some() == jq.file.is_some() => {
                self.broken(
                    at.clone(),
                    format!("a step of {name} must have either program or file"),
                );
            }
            Step::Each(_) | Step::When(_) => {}
            step => {
                for file in step.files() {
                    self.file(at.clone(), file, &format!("{name} names file"));
                }
            }
        }
    }

    /// What an object of a group has, must have names of its own.
    fn groups(&mut self, at: &Pointer, groups: &Groups, name: &str) {
        let answers = groups.all.iter().map(|asked| asked.name.as_str());
        let collected = groups.collect.iter().map(|collected| collected.name.as_str());
        let mut seen = BTreeSet::from(["name"]);
        let twice = answers.chain(collected).find(|key| !seen.insert(key));
        if let Some(key) = twice {
            let why = format!("the groups of a step of {name} have two values for {key:?}");
            self.broken(at.clone(), why);
        }
    }

    fn file(&mut self, at: Pointer, file: &str, what: &str) {
        if !self.contract.scripts.contains_key(file) {
            let why = self.missing.get(file).map(|why| format!(": {why}")).unwrap_or_default();
            self.broken(at, format!("{what} {file:?}, which is not there{why}"));
        }
    }
}

/// What is wrong with a condition on a database.
fn database_when(when: &When) -> Option<&'static str> {
    let asks_for_more = when.path.is_some()
        || when.equals.is_some()
        || when.kind.is_some()
        || when.absent
        || !when.all.is_empty();
    match &when.shape {
        Some(Shape { table: Some(_), .. }) if !asks_for_more => None,
        _ => Some("a database is told by the shape of a table, and by nothing beside it"),
    }
}

/// What is wrong with a condition on a store.
fn store_when(when: &When) -> Option<&'static str> {
    let scalar = |value: &crate::document::Value| {
        value.as_text().is_some()
            || matches!(value, crate::document::Value::Number(number) if number.as_i64().is_some())
    };
    if when.path.is_none() || when.equals.is_none() {
        return Some("a store is told by path and equals");
    }
    if !when.equals.as_ref().is_some_and(scalar) {
        return Some("a store's version is an integer or text");
    }
    if when.kind.is_some() || when.absent || !when.all.is_empty() {
        return Some("type, absent and all are for documents");
    }
    when.shape
        .as_ref()
        .filter(|shape| shape.table.is_none())
        .map(|_| "a store's shape names a table")
}

#[cfg(test)]
mod tests {
    use super::super::{Bundle, load_bytes};

    const TEXT: &str = r#"
contract: state
contract_version: 1.0.0
format: json
description: The state of a run.
files: ["**/state.json"]
operator: Some.Operator
versions: ["0", "1"]
current: "1"
min: "0"
detect:
  - {version: "0", when: {path: /v, absent: true}}
  - {version: "1", when: {all: [{path: /v, equals: 1}, {path: "", shape: {has: [v]}}]}}
parameters: {cwd: where it ran}
schemas: {"1": one.json}
edges:
  - from: "0"
    to: "1"
    description: Gives it a version.
    steps:
      - add: {path: /v, value: 1, reason: none was stated}
      - each: {path: /tasks, optional: true, steps: [{jq: {path: /name, file: name.jq}}]}
      - when: {if: {path: /x, type: "null"}, steps: [{remove: {path: /x}}]}
    proof: {addsDefaulted: [/v], dropsNothing: false, invariant: nothing but x goes}
    lossy: [/x, "/tasks/*/name"]
    inverse: [{remove: {path: /v, equals: 1}}]
normalize: [{add: {path: /tasks, value: []}}]
invariants: [{id: same, expr: .source.id == .target.id}]
refs: [{at: /log/*/hash, to_kind: log, preimage: "commit:log", exclude: [/h], encoding: sha256-hex}]
self_hash: [{at: /h, preimage: jcs_sha256, exclude: [/h], encoding: hex}]
identity: {/tasks: /id}
signature: {at: [/signature], drop: false}
"#;

    fn load(text: &str) -> Result<super::Contract, String> {
        let files = [("one.json", "{}"), ("name.jq", ".")];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        load_bytes("c", text.as_bytes(), files.into()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_contract_of_documents_loads_and_is_kept_whole() {
        let contract = load(TEXT).unwrap();
        assert_eq!(Bundle::unpack(Bundle::of(&contract).bytes()).unwrap(), contract);
        assert_eq!(contract.files().into_iter().collect::<Vec<_>>(), ["name.jq", "one.json"]);
        let digests = |contract: &super::Contract| {
            let edge = &contract.edges[0];
            (contract.edge_digest(edge), contract.normalize_digest(), contract.digest())
        };
        let mut edited = contract.clone();
        edited.scripts.insert("name.jq".into(), b".x".to_vec());
        let ((edge, normal, whole), (edge_edited, normal_edited, whole_edited)) =
            (digests(&contract), digests(&edited));
        assert!(edge != edge_edited && normal == normal_edited && whole != whole_edited);
        edited.normalize.clear();
        assert_ne!(edited.normalize_digest(), normal);
    }

    #[test]
    fn what_a_contract_of_documents_must_not_say_is_named() {
        for (from, to, expected) in [
            ("format: json", "format: xml", "format \"xml\" is none of json"),
            ("format: json", "format: glyph-store", "a store is told by path and equals"),
            ("format: json", "format: sqlite", "a database is told by the shape of a table"),
            (
                "- add: {path: /v, value: 1",
                "- add: {path: /v",
                "must have one of value, jq and groups",
            ),
            (
                "- add: {path: /v, value: 1",
                "- add: {path: /v, groups: {of: /l, by: /n, collect: [{name: name, path: /n}]}",
                "two values for \"name\"",
            ),
            (
                "- add: {path: /v, value: 1",
                "- merge: {path: /v, groups: {of: /l, by: /n}",
                "groups are a list",
            ),
            ("file: name.jq", "file: other.jq", "\"other.jq\", which is not there"),
            ("{\"1\": one.json}", "{\"1\": two.json}", "\"two.json\", which is not there"),
            ("{\"1\": one.json}", "{\"2\": one.json}", "a schema's version \"2\""),
            ("file: name.jq", "program: ., file: name.jq", "either program or file"),
            ("[{remove: {path: /v, equals: 1}}]", "[{sql: x}]", "has an SQL step"),
            ("lossy: [/x", "lossy: [x", "\"x\" is no JSON Pointer"),
            ("absent: true", "absent: true, equals: 1", "what is absent has no value"),
            ("{path: /v, absent: true}", "{path: /v}", "must ask for"),
            ("{path: /v, absent: true}", "{absent: true}", "either a path or all"),
            ("{path: /v, absent: true}", "{path: v, absent: true}", "is no JSON Pointer"),
            ("has: [v]", "has: [v], table: t", "a document has no tables"),
            ("commit:log", "commit:", "is none of file_bytes"),
            ("encoding: hex", "encoding: octal", "octal"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = load(&TEXT.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
    }
}
