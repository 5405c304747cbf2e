//! A first contract for a kind of document, from what two examples or two JSON Schemas show: a start to edit.
//!
//! Everything that is guessed says so in a comment beside it. What is lost is declared, so that the contract can be tried
//! as it is and refuses nothing silently.

mod difference;
mod form;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::lint::{Severity, lint};
use super::model::Format;
use super::source::Source;
use crate::document::{Pointer, Value};
use crate::transform::{Each, MapValues, Mapping, Otherwise, Place, Programs, Step, apply};
use difference::{Line, Steps, body, put};
use form::Form;
use versions::Version;

/// A first contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its text.
    pub text: String,
    /// Its versions.
    pub versions: [String; 2],
    /// How many steps its edge has.
    pub steps: usize,
    /// What its edge is known to lose.
    pub lossy: Vec<String>,
    /// Whether its steps give the older example the look of the newer one; none where there are no examples.
    pub reaches: Option<bool>,
    /// What the lint warns of, by its codes.
    pub warnings: Vec<&'static str>,
}

/// Nothing to make a contract from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// Nothing tells the examples apart.
    #[error(
        "nothing outside of lists, or in the first of a list of objects, tells the two apart: neither a key that states a version, nor other keys, nor other kinds of values"
    )]
    Same,
    /// One is a schema and the other none.
    #[error("one of the two is a JSON Schema and the other is not")]
    Mixed,
    /// A defect of this module.
    #[error("the contract made from them would not be sound: {0}")]
    Unsound(String),
}

/// What a contract is made from.
#[derive(Debug)]
pub struct Examples<'a> {
    /// The name of the contract.
    pub name: &'a str,
    /// How its documents are written.
    pub format: Format,
    /// A glob for its files.
    pub files: &'a str,
    /// The older document, or its JSON Schema.
    pub before: &'a Value,
    /// The newer one.
    pub after: &'a Value,
}

/// Makes a first contract.
pub fn draft(examples: &Examples<'_>) -> Result<Draft, DraftError> {
    let of_schemas = match (is_schema(examples.before), is_schema(examples.after)) {
        (true, true) => true,
        (false, false) => false,
        _ => return Err(DraftError::Mixed),
    };
    let look = if of_schemas { Form::of_schema } else { Form::of };
    let (whole_before, whole_after) = (look(examples.before), look(examples.after));
    // Of two lists of objects, as lines of JSON are, the elements are compared, and the first one tells the version.
    let elements = whole_before.of_elements().zip(whole_after.of_elements());
    let (before, after) = elements.unwrap_or((&whole_before, &whole_after));
    let (at, base) = match elements {
        Some(_) => (Pointer::default().below("0"), Pointer::default().below("*")),
        None => (Pointer::default(), Pointer::default()),
    };
    let stated = versions::stated(before, after);
    let known = match &stated {
        Some(stated) => Some(versions::by_key(stated, &at)),
        None => versions::by_look(before, after, &at),
    };
    let (old, new) = known.ok_or(DraftError::Same)?;
    let mut steps = Steps::default();
    let root = Pointer::default();
    let skipped: Vec<&str> = stated.iter().map(|stated| stated.key.as_str()).collect();
    steps.compare(before, after, &root, &base, &skipped);
    if let Some(stated) = &stated {
        let example = if of_schemas { None } else { at.get(examples.before) };
        let there = example.is_none_or(|example| root.below(&stated.key).get(example).is_some());
        let path = root.below(&stated.key);
        match (&stated.before, &stated.after) {
            // Each line states its version; one that states another is refused.
            (Some(from), Some(to)) if elements.is_some() => {
                let table = vec![Mapping { from: from.clone(), to: to.clone() }];
                let otherwise = Otherwise::default();
                let map = MapValues { path, table, otherwise, optional: false };
                steps.line(Step::MapValues(map), "the version that each states from now on");
            }
            _ => state(&mut steps, &path, stated.after.as_ref(), there, &base),
        }
    }
    if elements.is_some() && !steps.lines.is_empty() {
        let (why, inside) = body(std::mem::take(&mut steps.lines));
        steps.line(Step::Each(Each { path: root, steps: inside, optional: false }), why);
    }
    let example = (!of_schemas).then_some((examples.before, &whole_after));
    let tried =
        checked(&text(examples, of_schemas, (&old, &new), &steps, &BTreeSet::new()), example)?;
    let text = text(examples, of_schemas, (&old, &new), &steps, &tried.warnings);
    Ok(Draft {
        text,
        versions: [old.token, new.token],
        steps: steps.lines.len(),
        lossy: steps.lossy.iter().map(ToString::to_string).collect(),
        reaches: tried.reaches,
        warnings: tried.warnings.into_iter().collect(),
    })
}

/// Whether a document describes others.
fn is_schema(value: &Value) -> bool {
    let Some(map) = value.as_map() else { return false };
    let named = map
        .get("$schema")
        .and_then(Value::as_text)
        .is_some_and(|name| name.contains("json-schema.org"));
    let object = map.get("type").and_then(Value::as_text) == Some("object");
    named || object && map.get("properties").is_some_and(|properties| properties.as_map().is_some())
}

/// Has the documents state the newer version; `there` is whether they stated one before.
fn state(steps: &mut Steps, path: &Pointer, after: Option<&Value>, there: bool, base: &Pointer) {
    let why = "the version that the document states from now on";
    match after {
        Some(value) if !there => steps.add(path, value.clone(), base, why),
        Some(value) => steps.line(Step::Set(put(path, value.clone())), why),
        None => {
            let remove = Place { path: path.clone(), optional: false, equals: None };
            steps.line(Step::Remove(remove), "the newer document states no version");
        }
    }
}

/// What is seen of a first contract.
struct Tried {
    reaches: Option<bool>,
    /// What the lint warns of.
    warnings: BTreeSet<&'static str>,
}

/// Refuses a text that is no sound contract, and tries its steps on the older example.
fn checked(text: &str, example: Option<(&Value, &Form)>) -> Result<Tried, DraftError> {
    let unsound = |error: &dyn std::fmt::Display| DraftError::Unsound(error.to_string());
    let source = Source::parse("the contract", text.as_bytes(), BTreeMap::new())
        .map_err(|error| unsound(&error))?;
    let findings = lint(&source, &BTreeSet::new());
    if let Some(finding) = findings.iter().find(|finding| finding.severity == Severity::Error) {
        return Err(DraftError::Unsound(format!("{}: {}", finding.at, finding.message)));
    }
    let warnings = findings.iter().map(|finding| finding.code).collect();
    let contract = source.judge().map_err(|error| unsound(&error))?;
    let Some((before, after)) = example else { return Ok(Tried { reaches: None, warnings }) };
    let mut document = before.clone();
    let steps: Vec<Step> = contract.edges.into_iter().flat_map(|edge| edge.steps).collect();
    let programs = Programs::of(&steps).map_err(|error| unsound(&error))?;
    let done = apply(&steps, &programs, &mut document);
    let reaches = Some(done.is_ok() && Form::of(&document).same(after));
    Ok(Tried { reaches, warnings })
}

fn text(
    examples: &Examples<'_>,
    of_schemas: bool,
    (old, new): (&Version, &Version),
    steps: &Steps,
    warnings: &BTreeSet<&str>,
) -> String {
    let from = if of_schemas { "two JSON Schemas" } else { "two documents, one of each version" };
    let tokens = [&old.token, &new.token];
    let mut out = String::new();
    let mut line = |words: &str| {
        // Writing into a text cannot fail.
        let _ = writeln!(out, "{words}");
    };
    line(&format!("# A first contract, made from {from}. Each comment says what was guessed;"));
    if !warnings.is_empty() {
        let warnings: Vec<&str> = warnings.iter().copied().collect();
        line(&format!("# `contract lint` says what it lacks still: {}.", warnings.join(", ")));
    }
    line(&format!("contract: {}", yaml(&examples.name)));
    line("contract_version: 0.1.0");
    line(&format!("format: {}", examples.format.name()));
    line("# Which files of a tree are of this kind.");
    line(&format!("files: {}", yaml(&[examples.files])));
    line(&format!("versions: {}", yaml(&tokens)));
    line(&format!("current: {}", yaml(&new.token)));
    line(&format!("min: {}", yaml(&old.token)));
    line(
        "# What tells the two apart in what they were made from; a document that matches both, or neither, is refused.",
    );
    line("detect:");
    for Version { token, when } in [old, new] {
        line(&format!("  - {{version: {}, when: {}}}", yaml(token), yaml(when)));
    }
    line("edges:");
    line(&format!("  - from: {}\n    to: {}", yaml(&old.token), yaml(&new.token)));
    line(if steps.lines.is_empty() { "    steps: []" } else { "    steps:" });
    for Line { why, step } in &steps.lines {
        line(&format!("      # {why}\n      - {}", yaml(step)));
    }
    let drops_nothing = steps.lossy.is_empty();
    line(&format!(
        "    proof: {{addsDefaulted: {}, dropsNothing: {drops_nothing}}}",
        yaml(&steps.added)
    ));
    if !drops_nothing {
        line(
            "    # Values at these places are gone after the edge. A migration shows them and asks before it goes on.",
        );
        line(&format!("    lossy: {}", yaml(&steps.lossy)));
    }
    out
}

/// On one line, as JSON, which YAML reads too, with every letter escaped that YAML does not take as it is.
fn yaml(item: &impl Serialize) -> String {
    // Texts, lists and maps with texts as keys: all of it can be written.
    let text = serde_json::to_string(item).unwrap_or_default();
    let mut out = String::new();
    for letter in text.chars() {
        let plain = !letter.is_control()
            && !matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}'..='\u{ffff}');
        if plain {
            out.push(letter);
        } else {
            let _ = write!(out, "\\u{:04x}", u32::from(letter));
        }
    }
    out
}

#[cfg(test)]
mod tests;
