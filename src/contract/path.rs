//! Finding the way from one version to another along a contract's edges.

use std::collections::{BTreeMap, VecDeque};

use super::model::{Contract, Edge};

/// There is no way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A version the contract does not have.
    #[error("version {version:?} is not one of {}", known.join(", "))]
    UnknownVersion {
        /// The version asked for.
        version: String,
        /// Every version of the contract.
        known: Vec<String>,
    },
    /// The way would lead down; edges lead up only.
    #[error("version {to} is older than {from}; go back with a rollback")]
    Downwards {
        /// Version now.
        from: String,
        /// Version asked for.
        to: String,
    },
    /// No chain of edges.
    #[error("no chain of edges leads from version {from} to {to}")]
    Missing {
        /// Version now.
        from: String,
        /// Version asked for.
        to: String,
    },
}

/// The shortest chain of edges from one version to another; among equally short ones, the one whose
/// edges are declared first. Empty when the versions are the same.
pub fn resolve<'a>(
    contract: &'a Contract,
    from: &str,
    to: &str,
) -> Result<Vec<&'a Edge>, PathError> {
    let position = |version: &str| {
        contract.position(version).ok_or_else(|| PathError::UnknownVersion {
            version: version.to_owned(),
            known: contract.versions.clone(),
        })
    };
    let (start, goal) = (position(from)?, position(to)?);
    if goal < start {
        return Err(PathError::Downwards { from: from.to_owned(), to: to.to_owned() });
    }
    let mut outgoing: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
    for edge in &contract.edges {
        outgoing.entry(&edge.from).or_default().push(edge);
    }
    let mut reached_by: BTreeMap<&str, Option<&Edge>> = [(from, None)].into();
    let mut queue = VecDeque::from([from]);
    while let Some(version) = queue.pop_front() {
        if version == to {
            break;
        }
        for edge in outgoing.get(version).into_iter().flatten() {
            if !reached_by.contains_key(edge.to.as_str()) {
                reached_by.insert(&edge.to, Some(edge));
                queue.push_back(&edge.to);
            }
        }
    }
    if !reached_by.contains_key(to) {
        return Err(PathError::Missing { from: from.to_owned(), to: to.to_owned() });
    }
    let mut path = Vec::new();
    let mut version = to;
    while let Some(Some(edge)) = reached_by.get(version) {
        path.push(*edge);
        version = &edge.from;
    }
    path.reverse();
    Ok(path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::load::load_bytes;
    use super::*;

    fn contract(versions: &[&str], edges: &[(&str, &str)]) -> Contract {
        let proof = json!({"addsDefaulted": [], "dropsNothing": true});
        let edge = |(from, to): &(&str, &str)| json!({"from": from, "to": to, "steps": [], "proof": proof});
        let detector =
            |version: &&str| json!({"version": version, "when": {"path": "/v", "equals": version}});
        let text = json!({
            "contract": "c", "contract_version": "1.0.0", "format": "json",
            "versions": versions, "current": versions.last(), "min": versions[0],
            "detect": versions.iter().map(detector).collect::<Vec<_>>(),
            "edges": edges.iter().map(edge).collect::<Vec<_>>(),
        });
        load_bytes("c", text.to_string().as_bytes(), BTreeMap::new()).unwrap()
    }

    fn walk(contract: &Contract, from: &str, to: &str) -> Result<Vec<String>, PathError> {
        Ok(resolve(contract, from, to)?.iter().map(|edge| edge.to.clone()).collect())
    }

    #[test]
    fn the_shortest_path_wins_and_the_first_declared_breaks_ties() {
        let c = contract(
            &["1", "2", "3", "4"],
            &[("1", "2"), ("2", "3"), ("3", "4"), ("1", "3"), ("2", "4")],
        );
        assert_eq!(walk(&c, "1", "3"), Ok(vec!["3".into()]));
        assert_eq!(walk(&c, "1", "4"), Ok(vec!["2".into(), "4".into()]));
        assert_eq!(walk(&c, "2", "2"), Ok(vec![]));
    }

    #[test]
    fn what_cannot_be_reached_is_refused_by_name() {
        let c = contract(&["1", "2", "3"], &[("1", "2")]);
        assert!(matches!(walk(&c, "1", "3"), Err(PathError::Missing { .. })));
        assert!(matches!(walk(&c, "2", "1"), Err(PathError::Downwards { .. })));
        assert!(matches!(walk(&c, "1", "9"), Err(PathError::UnknownVersion { .. })));
    }

    #[test]
    fn a_ladder_of_twenty_thousand_edges_is_walked() {
        let versions: Vec<String> = (0..=20_000).map(|n| n.to_string()).collect();
        let names: Vec<&str> = versions.iter().map(String::as_str).collect();
        let edges: Vec<(&str, &str)> = names.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let c = contract(&names, &edges);
        assert_eq!(resolve(&c, "0", "20000").unwrap().len(), 20_000);
    }
}
