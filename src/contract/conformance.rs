//! One hash over seeded contracts: what they mean, and how a ledger keeps them.

use std::collections::BTreeMap;

use conformance::{Draw, Suite, variant};

use super::Bundle;
use super::detector::{Detector, Shape, When};
use super::model::{Contract, Edge, EdgeProof};
use crate::document::Value;
use crate::transform::{Sql, Step};

#[test]
fn contracts_mean_and_are_kept_as_recorded() {
    let mut suite = Suite::in_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/src/contract"));
    suite.both_ways(
        "bundle",
        contract,
        |contract| Bundle::of(contract).bytes().to_vec(),
        Bundle::unpack,
    );
    suite.one_way("contract digest", |draw| contract(draw).digest().as_bytes().to_vec());
    suite.one_way("edge digest", |draw| {
        let contract = contract(draw);
        contract.edges.iter().flat_map(|edge| *contract.edge_digest(edge).as_bytes()).collect()
    });
    suite.finish();
}

/// A contract without contradictions, as every bundle is read with all checks.
fn contract(draw: &mut Draw) -> Contract {
    let versions: Vec<String> =
        (0..=draw.below(4)).map(|number| format!("{number}{}", draw.text(1))).collect();
    let last = versions.len() - 1;
    let edges: Vec<Edge> = versions.windows(2).map(|pair| edge(draw, &pair[0], &pair[1])).collect();
    let named = edges.iter().flat_map(Edge::sql).map(|sql| sql.script.clone());
    let scripts = named.map(|name| (name, draw.bytes(40))).collect();
    Contract {
        contract: draw.text(2),
        contract_version: draw.text(2),
        format: draw.text(1),
        description: None,
        files: Vec::new(),
        operator: None,
        current: versions[last].clone(),
        min: versions[draw.index(versions.len())].clone(),
        detect: versions.iter().map(|version| detector(draw, version)).collect(),
        versions,
        bookkeeping: None,
        parameters: BTreeMap::new(),
        schemas: BTreeMap::new(),
        edges,
        definitions: None,
        normalize: Vec::new(),
        normalize_lossy: Vec::new(),
        invariants: Vec::new(),
        refs: Vec::new(),
        self_hash: Vec::new(),
        identity: BTreeMap::new(),
        signature: None,
        scripts,
    }
}

/// What a store's detector compares with.
enum Scalar {
    #[expect(dead_code, reason = "names a kind of value for the draw")]
    Integer,
    #[expect(dead_code, reason = "names a kind of value for the draw")]
    Text,
}

fn detector(draw: &mut Draw, version: &str) -> Detector {
    let equals = variant!(draw, Scalar {
        Integer => Value::from(i64::from_be_bytes(draw.array())),
        Text => Value::text(draw.text(2)),
    });
    let shape = draw.maybe(|draw| Shape {
        table: Some(draw.text(2)),
        has: draw.list(3, |draw| draw.text(2)),
        lacks: draw.list(3, |draw| draw.text(2)),
    });
    let (path, equals) = (Some(draw.text(3)), Some(equals));
    let when = When { path, equals, kind: None, absent: false, shape, all: Vec::new() };
    Detector { version: version.to_owned(), when }
}

fn edge(draw: &mut Draw, from: &str, to: &str) -> Edge {
    let drops_nothing = draw.truth();
    let lossy = if drops_nothing { Vec::new() } else { draw.list(3, |draw| draw.text(2)) };
    Edge {
        from: from.to_owned(),
        to: to.to_owned(),
        steps: draw.list(3, |draw| Step::Sql(Sql::of(draw.text(3)))),
        description: None,
        proof: EdgeProof {
            adds_defaulted: draw.list(3, |draw| draw.text(2)),
            drops_nothing,
            invariant: None,
        },
        lossy,
        inverse: None,
    }
}
