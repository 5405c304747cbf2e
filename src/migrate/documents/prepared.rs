//! A contract of documents, made ready once for all of them. Knows no document.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ledger_format::hash::CommitHash;

use crate::contract::{Contract, ContractError, Edge, PathError, Paths, Pattern};
use crate::document::{Format, Pointer, Value, json};
use crate::schema::Schema;
use crate::transform::{Parameters, Program, Programs, Step, inverse};

/// What a contract's steps get from outside of the document.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Values under the names that the contract declares.
    pub parameters: Parameters,
    /// Whether steps may run external programs.
    pub allow_programs: bool,
}

impl Outside {
    /// What of it is for `contract`: the values that it declares.
    pub(in crate::migrate) fn of_contract(&self, contract: &Contract) -> Self {
        let declared = |(name, _): &(&str, &Value)| contract.parameters.contains_key(*name);
        let given = self.parameters.iter().filter(declared);
        let parameters = given.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        Self { parameters, allow_programs: self.allow_programs }
    }
}

/// A contract whose programs and schemas are compiled.
pub struct Prepared {
    contract: Contract,
    digest: CommitHash,
    format: Format,
    pub(super) programs: Programs,
    pub(super) schemas: BTreeMap<String, Schema>,
    pub(super) invariants: Vec<Promise>,
    pub(super) version_places: Vec<Pointer>,
    pub(super) normalize_lossy: Vec<Pattern>,
    routes: Mutex<BTreeMap<(String, String), Arc<Route>>>,
}

/// What must hold between a document before and after.
pub(super) struct Promise {
    pub(super) id: String,
    pub(super) program: Program,
    pub(super) reads: Option<Vec<Pointer>>,
}

/// The way from one version to another: what all documents that take it have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// Digests of the edges.
    pub edges: Vec<CommitHash>,
    /// Every version on the way, both ends included; the one version alone where there is no edge.
    pub chain: Vec<String>,
    /// The edges, by their place in the contract.
    pub(super) places: Vec<usize>,
    /// Steps that take each edge back, where there are some.
    back: Vec<Option<Vec<Step>>>,
    /// What each edge declares that it loses.
    lossy: Vec<Vec<Pattern>>,
}

impl Prepared {
    /// Compiles what `contract` names. Refuses a contract that is not one of documents, a program or schema that does not
    /// compile, and a parameter that the contract does not declare.
    pub fn of(contract: Contract, outside: &Outside) -> Result<Self, ContractError> {
        let rule = |rule: String| ContractError::rule(&contract.contract, rule);
        let format = format_of(&contract)
            .ok_or_else(|| rule(format!("{} is no format of documents", contract.format)))?;
        if let Some((name, _)) =
            outside.parameters.iter().find(|(name, _)| !contract.parameters.contains_key(*name))
        {
            return Err(rule(format!("the contract has no parameter {name:?}")));
        }
        let programs = contract.programs().map_err(|error| rule(error.to_string()))?;
        let identity =
            contract.identity.iter().map(|(list, key)| (list.as_pointer().clone(), key.clone()));
        let mut programs =
            programs.with_parameters(outside.parameters.clone()).with_identity(identity.collect());
        if outside.allow_programs {
            programs = programs.allow_external(contract.scripts.clone());
        }
        let schemas = schemas(&contract)?;
        let invariants = contract.invariants.iter().map(|invariant| {
            let program = Program::compile(&invariant.expr);
            let program = program.map_err(|error| rule(format!("{}: {error}", invariant.id)))?;
            Ok(Promise { id: invariant.id.clone(), program, reads: invariant.reads.clone() })
        });
        let invariants = invariants.collect::<Result<_, ContractError>>()?;
        let version_places = version_places(&contract);
        let digest = contract.digest();
        let normalize_lossy = patterns(&contract.normalize_lossy);
        let routes = Mutex::default();
        Ok(Self {
            contract,
            digest,
            format,
            programs,
            schemas,
            invariants,
            version_places,
            normalize_lossy,
            routes,
        })
    }

    /// The contract.
    pub const fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Its digest.
    pub const fn digest(&self) -> CommitHash {
        self.digest
    }

    /// How its documents are written.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The schema of a version.
    pub fn schema(&self, version: &str) -> Option<&Schema> {
        self.schemas.get(version)
    }

    /// Where documents state their version.
    pub fn version_places(&self) -> &[Pointer] {
        &self.version_places
    }

    /// Whether its documents name others, or themselves, by hash.
    pub(super) fn names_others(&self) -> bool {
        let Contract { refs, self_hash, signature, .. } = &self.contract;
        !(refs.is_empty() && self_hash.is_empty() && signature.is_none())
    }

    /// The operator that its migrations name.
    pub fn operator(&self) -> &str {
        self.contract.operator.as_deref().unwrap_or(OPERATOR)
    }

    /// The way from one version to another.
    pub fn route(&self, from: &str, to: &str) -> Result<Arc<Route>, PathError> {
        let key = (from.to_owned(), to.to_owned());
        let known = || self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known().get(&key) {
            return Ok(Arc::clone(route));
        }
        let edges = Paths::of(&self.contract).resolve(from, to)?;
        let route = Arc::new(self.along(from, to, &edges));
        known().insert(key, Arc::clone(&route));
        Ok(route)
    }

    fn along(&self, from: &str, to: &str, edges: &[&Edge]) -> Route {
        let place =
            |edge: &&Edge| self.contract.edges.iter().position(|other| std::ptr::eq(other, *edge));
        let back = edges.iter().map(|edge| match &edge.inverse {
            Some(steps) => Some(steps.clone()),
            None => inverse(&edge.steps),
        });
        let lossy = edges
            .iter()
            .map(|edge| if edge.proof.drops_nothing { Vec::new() } else { patterns(&edge.lossy) });
        let chain = std::iter::once(from).chain(edges.iter().map(|edge| edge.to.as_str()));
        Route {
            from: from.to_owned(),
            to: to.to_owned(),
            edges: edges.iter().map(|edge| self.contract.edge_digest(edge)).collect(),
            chain: chain.map(str::to_owned).collect(),
            places: edges.iter().filter_map(place).collect(),
            back: back.collect(),
            lossy: lossy.collect(),
        }
    }

    pub(super) fn edge(&self, place: usize) -> Option<&Edge> {
        self.contract.edges.get(place)
    }
}

impl Route {
    /// No way at all.
    pub(super) fn staying(version: &str) -> Self {
        let (from, to) = (version.to_owned(), version.to_owned());
        let (edges, places) = (Vec::new(), Vec::new());
        let (back, lossy) = (Vec::new(), Vec::new());
        Self { chain: vec![from.clone()], from, to, edges, places, back, lossy }
    }

    /// What the edge of that digest declares that it loses.
    pub(super) fn lossy(&self, edge: CommitHash) -> &[Pattern] {
        let place = self.edges.iter().position(|digest| *digest == edge);
        place.and_then(|place| self.lossy.get(place)).map_or(&[], Vec::as_slice)
    }

    /// The steps that take back the edge of that digest.
    pub(super) fn back(&self, edge: CommitHash) -> Option<&[Step]> {
        let place = self.edges.iter().position(|digest| *digest == edge)?;
        self.back.get(place)?.as_deref()
    }
}

/// The operator of contracts that name none.
const OPERATOR: &str = "glyph-ledger.migrate.document";

fn format_of(contract: &Contract) -> Option<Format> {
    [Format::Json, Format::Jsonl, Format::Yaml, Format::Cbor]
        .into_iter()
        .find(|format| format.name() == contract.format)
}

fn schemas(contract: &Contract) -> Result<BTreeMap<String, Schema>, ContractError> {
    let mut schemas = BTreeMap::new();
    for (version, file) in &contract.schemas {
        let wrong = |why: String| ContractError::rule(&contract.contract, why);
        let bytes = contract.scripts.get(file).map(Vec::as_slice).unwrap_or_default();
        let text = json::read(bytes).map_err(|error| wrong(format!("{file}: {error}")))?;
        let schema =
            Schema::compile(file, &text.value).map_err(|error| wrong(error.to_string()))?;
        schemas.insert(version.clone(), schema);
    }
    Ok(schemas)
}

/// Where documents state their version. That it changes is what a migration is for, and no loss.
fn version_places(contract: &Contract) -> Vec<Pointer> {
    let parts = contract.detect.iter().flat_map(|detector| detector.when.parts());
    let stated = parts.filter(|part| part.equals.is_some());
    let mut places: Vec<Pointer> =
        stated.filter_map(|part| part.path.as_deref()?.parse().ok()).collect();
    places.sort();
    places.dedup();
    places
}

/// The places that a contract declares as lossy, ready to be compared with. The loader has seen to it that they are some.
fn patterns(lossy: &[String]) -> Vec<Pattern> {
    lossy.iter().filter_map(|pattern| pattern.parse().ok()).collect()
}
