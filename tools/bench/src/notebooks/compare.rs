//! Two conversions of the same notebooks, value by value. Each difference is of a class that is explained, or of none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use glyph_ledger::document::{Pointer, Value, json};
use glyph_ledger::transform::{Effect, Identity, Operation, difference};

use super::Refusals;
use super::convert::notebooks;
use crate::error::{Error, at};

/// One side: where its results lie, and what it refused.
pub(super) struct Side<'a> {
    pub(super) folder: std::path::PathBuf,
    pub(super) refused: &'a Refusals,
}

/// Why two results differ, or that nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Minor,
    Lines,
    Digits,
    Pdf,
    Count,
    HeadingRefused,
    PackageFails,
    BothRefuse,
    OursRefuses,
    Unexplained,
}

impl Class {
    const fn explanation(self) -> &'static str {
        match self {
            Self::Minor => "minor version: 4 here, 5 there, which needs the random ids",
            Self::Lines => {
                "the same text, otherwise split into lines: we keep how it was written, the package splits anew"
            }
            Self::Digits => {
                "the same number in other digits: we keep them, the package writes its own"
            }
            Self::Pdf => {
                "`pdf` becomes the media type here and keeps its name there, where nothing shows it"
            }
            Self::Count => {
                "a count that was a text is none here and stays there, which version 4 forbids"
            }
            Self::HeadingRefused => {
                "a heading of a level that Markdown has not: refused here, `#######` there"
            }
            Self::PackageFails => "the package fails; here a `json` that is no JSON stays a text",
            Self::BothRefuse => "neither converts it",
            Self::OursRefuses => "refused here only",
            Self::Unexplained => "NOT EXPLAINED",
        }
    }

    /// Whether notebooks that differ so are told apart from equal ones.
    const fn counts(self) -> bool {
        !matches!(self, Self::Minor | Self::Lines)
    }
}

/// What came of the comparison.
#[derive(Default)]
pub(super) struct Comparison {
    notebooks: u64,
    equal: u64,
    /// Of each class the number of notebooks, and the first example.
    classes: BTreeMap<Class, (u64, String)>,
}

impl Comparison {
    /// Compares what `ours` and `package` made of the notebooks of `source`.
    pub(super) fn of(source: &Path, ours: &Side<'_>, package: &Side<'_>) -> Result<Self, Error> {
        let mut comparison = Self::default();
        for path in notebooks(source)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let found = match (ours.refused.get(&name), package.refused.get(&name)) {
                (None, None) => {
                    differences(&read(&ours.folder, &name)?, &read(&package.folder, &name)?)
                }
                (Some(why), None) if why.contains("levels 1 to 6") => {
                    vec![(Class::HeadingRefused, why.clone())]
                }
                (Some(why), None) => vec![(Class::OursRefuses, why.clone())],
                (None, Some(why)) => vec![(Class::PackageFails, why.clone())],
                (Some(why), Some(their)) => vec![(Class::BothRefuse, format!("{why}; {their}"))],
            };
            comparison.take(&name, found);
        }
        Ok(comparison)
    }

    fn take(&mut self, name: &str, found: Vec<(Class, String)>) {
        self.notebooks += 1;
        let mut seen = BTreeSet::new();
        for (class, example) in found {
            if seen.insert(class) {
                let count = self.classes.entry(class).or_insert((0, format!("{name}: {example}")));
                count.0 += 1;
            }
        }
        if !seen.iter().any(|class| class.counts()) {
            self.equal += 1;
        }
    }

    /// Fails if any difference has no explanation.
    pub(super) fn judge(&self) -> Result<(), Error> {
        match self.classes.get(&Class::Unexplained) {
            None => Ok(()),
            Some((count, example)) => Err(Error::Unexpected {
                what: "differences without explanation",
                expected: "none".to_owned(),
                actual: format!("{count} notebooks, such as {example}"),
            }),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { notebooks, equal, classes } = self;
        writeln!(
            f,
            "{notebooks} notebooks, {equal} with equal texts, numbers and structure (ids left out)\n"
        )?;
        writeln!(f, "| notebooks | difference | the first |\n|---|---|---|")?;
        for (class, (count, example)) in classes {
            let example: String = example.chars().take(120).collect();
            writeln!(f, "| {count} | {} | {} |", class.explanation(), example.replace('|', "/"))?;
        }
        Ok(())
    }
}

fn read(folder: &Path, name: &str) -> Result<Value, Error> {
    let path = folder.join(name);
    let bytes = fs::read(&path).map_err(at(&path))?;
    let read = json::read(&bytes).map_err(|error| Error::Unexpected {
        what: "a converted notebook",
        expected: "strict JSON".to_owned(),
        actual: format!("{}: {error}", path.display()),
    })?;
    Ok(read.value)
}

/// How `ours` differs from what the package made, each difference with its place.
fn differences(ours: &Value, package: &Value) -> Vec<(Class, String)> {
    let (mut ours, mut package) = (ours.clone(), package.clone());
    drop_ids(&mut package);
    let written_otherwise = ours != package;
    let before = (ours.clone(), package.clone());
    join_texts(&mut ours);
    join_texts(&mut package);
    let effects = difference(&package, &ours, &Identity::new());
    let mut found: Vec<(Class, String)> =
        effects.iter().map(|effect| (class(effect), told(effect))).collect();
    if written_otherwise {
        let split = difference(&before.1, &before.0, &Identity::new()).len() > effects.len();
        found.extend(split.then(|| (Class::Lines, String::new())));
    }
    found
}

fn class(effect: &Effect) -> Class {
    let names: Vec<&str> = effect.path.tokens().iter().map(AsRef::as_ref).collect();
    match (names.as_slice(), &effect.before, &effect.after) {
        (["nbformat_minor"], _, _) => Class::Minor,
        ([.., "data" | "metadata", "pdf"], Some(_), None) => Class::Pdf,
        ([.., "data" | "metadata", "application/pdf"], None, Some(_)) => Class::Pdf,
        ([.., "execution_count"], Some(Value::Text(_)), Some(Value::Null)) => Class::Count,
        (_, Some(Value::Number(one)), Some(Value::Number(other))) => {
            let number = |digits: &str| digits.parse::<f64>().map(f64::to_bits);
            let same = number(one.digits()) == number(other.digits());
            if same { Class::Digits } else { Class::Unexplained }
        }
        _ => Class::Unexplained,
    }
}

fn told(effect: &Effect) -> String {
    let verb = match effect.op {
        Operation::Added => "only ours has",
        Operation::Removed => "only the package has",
        Operation::Moved | Operation::Changed => "differs:",
    };
    format!("{verb} {}", effect.path)
}

fn drop_ids(notebook: &mut Value) {
    for cell in list(notebook, "/cells") {
        if let Some(cell) = cell.as_map_mut() {
            cell.remove("id");
        }
    }
}

/// Puts together every text that may be split into lines: the two ways of writing it mean the same.
fn join_texts(notebook: &mut Value) {
    for cell in list(notebook, "/cells") {
        join(cell, "/source");
        for output in list(cell, "/outputs") {
            join(output, "/text");
            let Some(data) = place("/data").get_mut(output).and_then(Value::as_map_mut) else {
                continue;
            };
            for (_, value) in data.iter_mut().filter(|(kind, _)| !kind.ends_with("json")) {
                join_value(value);
            }
        }
    }
}

fn join(value: &mut Value, at: &str) {
    if let Some(value) = place(at).get_mut(value) {
        join_value(value);
    }
}

fn join_value(value: &mut Value) {
    let Value::List(lines) = value else { return };
    let texts: Option<Vec<&str>> = lines.iter().map(Value::as_text).collect();
    if let Some(texts) = texts {
        *value = Value::text(texts.concat().as_str());
    }
}

fn list<'a>(value: &'a mut Value, at: &str) -> &'a mut [Value] {
    match place(at).get_mut(value) {
        Some(Value::List(values)) => values.make_mut(),
        _ => &mut [],
    }
}

fn place(text: &str) -> Pointer {
    text.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(ours: &str, package: &str) -> Vec<Class> {
        let value = |text: &str| json::read(text.as_bytes()).unwrap().value;
        differences(&value(ours), &value(package)).into_iter().map(|(class, _)| class).collect()
    }

    #[test]
    fn every_class_is_told_from_the_others() {
        let cell = |rest: &str| format!("{{\"cells\":[{{{rest}}}]}}");
        for (ours, package, expected) in [
            (cell(""), cell("\"id\":\"x\""), vec![]),
            (cell("\"source\":[\"a\\n\",\"b\"]"), cell("\"source\":\"a\\nb\""), vec![Class::Lines]),
            (cell("\"source\":\"a\""), cell("\"source\":\"b\""), vec![Class::Unexplained]),
            (cell("\"n\":1.50"), cell("\"n\":1.5"), vec![Class::Digits]),
            (cell("\"n\":1.50"), cell("\"n\":1.51"), vec![Class::Unexplained]),
            (cell("\"n\":1"), cell(""), vec![Class::Unexplained]),
            ("{\"nbformat_minor\":4}".into(), "{\"nbformat_minor\":5}".into(), vec![Class::Minor]),
            (
                cell("\"outputs\":[{\"data\":{\"application/pdf\":\"x\"}}]"),
                cell("\"outputs\":[{\"data\":{\"pdf\":\"x\"}}]"),
                vec![Class::Pdf, Class::Pdf],
            ),
        ] {
            assert_eq!(classes(&ours, &package), expected, "{ours} {package}");
        }
    }
}
