//! A contract's text with what it says, read but not judged: what the loader and the lint begin with.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path};

use super::load::ContractError;
use super::location::{Location, Spans};
use super::model::Contract;
use super::{lint, rules};
use crate::document::Pointer;

/// Longest contract, or file beside one, in bytes. A script is held in memory while it runs.
const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Deepest nesting of a contract's text.
pub(super) const DEPTH_MAX: usize = 60;

/// Most values in a contract's text.
const NODES_MAX: usize = 4_000_000;

/// A contract as it is written.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
    /// What it says, with those of its files that are there.
    pub contract: Contract,
    /// Files that it names and that cannot be had, and why.
    pub(super) missing: BTreeMap<String, String>,
}

impl Source {
    /// Reads the contract at `path` and the files that it names, which lie in its folder or below.
    pub fn read(path: &Path) -> Result<Self, ContractError> {
        let name = path.display().to_string();
        let bytes = read(path).map_err(|source| ContractError::Io { path: path.into(), source })?;
        let mut source = Self::parse(&name, &bytes, BTreeMap::new())?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let files: Vec<String> = source.contract.files().into_iter().map(str::to_owned).collect();
        for file in files {
            match inside(&file).and_then(|()| read(&folder.join(&file))) {
                Ok(bytes) => drop(source.contract.scripts.insert(file, bytes)),
                Err(error) => drop(source.missing.insert(file, error.to_string())),
            }
        }
        Ok(source)
    }

    /// Parses a contract whose files are at hand. `name` is for messages.
    pub fn parse(
        name: &str,
        text: &[u8],
        scripts: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, ContractError> {
        let text = std::str::from_utf8(text).map_err(|error| {
            let at = Location::of_file(name);
            let reason = format!("not UTF-8 from byte {} on", error.valid_up_to());
            ContractError::Syntax { at, reason }
        })?;
        let contract: Contract = yaml(name, text)?;
        // A list that is not there would be an empty one.
        if let Some(found) = yaml::<Spans>(name, text).ok().and_then(|spans| spans.nothing()) {
            let at = Location::at(name, found);
            return Err(ContractError::Syntax { at, reason: "there is no value".to_owned() });
        }
        let (name, text) = (name.to_owned(), text.to_owned());
        let contract = Contract { scripts, ..contract };
        Ok(Self { name, text, contract, missing: BTreeMap::new() })
    }

    /// The contract, unless it breaks a rule or names a glob, a schema or a program that cannot be made ready.
    pub fn judge(self) -> Result<Contract, ContractError> {
        let mut breaches = rules::breaches(&self.contract, &self.missing).into_iter();
        let breach = breaches.next().map(|breach| (breach.at, breach.rule));
        match breach.or_else(|| lint::not_compiling(&self.contract)) {
            None => Ok(self.contract),
            Some((at, rule)) => Err(ContractError::Rule { at: self.places().find(&at), rule }),
        }
    }

    /// The contract of a source that this program brings along, which its tests have judged.
    pub(super) fn built_in(self) -> Contract {
        self.contract
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the parts of its text begin. The text is read again for it, which only messages need.
    pub(super) fn places(&self) -> Places<'_> {
        Places { name: &self.name, spans: yaml(&self.name, &self.text).ok() }
    }
}

/// Where the parts of a contract's text begin.
pub(super) struct Places<'a> {
    name: &'a str,
    spans: Option<Spans>,
}

impl Places<'_> {
    /// Where that part of the contract begins.
    pub(super) fn find(&self, part: &Pointer) -> Location {
        match &self.spans {
            Some(spans) => Location::at(self.name, spans.find(part)),
            None => Location::of_file(self.name),
        }
    }
}

fn yaml<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, ContractError> {
    // YAML as this program reads it: `yes` is a text, `1` is none, and a ladder of tens of thousands of edges is no attack.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        no_schema: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let found = error.location();
        let at = found.map_or_else(|| Location::of_file(name), |found| Location::at(name, found));
        ContractError::Syntax { at, reason: reason(&error) }
    })
}

/// What is wrong, without the place, which is told apart.
fn reason(error: &serde_saphyr::Error) -> String {
    let error = error.without_snippet();
    if let serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } = error {
        return format!("the key {key:?} stands twice");
    }
    let said = error.to_string();
    let place =
        error.location().map(|at| format!(" at line {}, column {}", at.line(), at.column()));
    place.and_then(|place| said.strip_suffix(&place)).unwrap_or(&said).to_owned()
}

fn inside(file: &str) -> io::Result<()> {
    let plain = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !file.is_empty() {
        return Ok(());
    }
    Err(io::Error::other("lies outside the contract's folder"))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > TEXT_BYTES_MAX {
        return Err(io::Error::other(format!("longer than {TEXT_BYTES_MAX} bytes")));
    }
    fs::read(path)
}
