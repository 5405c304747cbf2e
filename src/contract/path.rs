//! Finding the way from one version to another along a contract's edges.

use std::collections::{BTreeMap, VecDeque};

use super::model::{ANYTHING, Contract, Edge, EdgeProof};

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
    /// The way would begin at a version that is not read any more.
    #[error("version {from} is below {min}, the oldest that can be read")]
    BelowMinimum {
        /// Version now.
        from: String,
        /// The oldest version that can be read.
        min: String,
    },
    /// The way would lead from or to a version that is newer than the current one.
    #[error("version {version} is above {current}, the current one")]
    AboveCurrent {
        /// The version.
        version: String,
        /// The contract's current version.
        current: String,
    },
    /// The way would lead down; edges lead up only.
    #[error("version {to} is older than {from}; go back with a rollback")]
    Downwards {
        /// Version now.
        from: String,
        /// Version asked for.
        to: String,
    },
    /// The way down leads over edges that nothing takes back.
    #[error(
        "version {to} cannot be reached from {from} by scripts that go down: {} none; go back with a rollback",
        lacking(edges)
    )]
    NoWayBack {
        /// Version now.
        from: String,
        /// Version asked for.
        to: String,
        /// The edges that have no inverse, from the newest, each with its scripts.
        edges: Vec<String>,
    },
    /// No chain of edges.
    #[error("no chain of edges leads from version {from} to {to}; {}", ends(from, reached))]
    Missing {
        /// Version now.
        from: String,
        /// Version asked for.
        to: String,
        /// Where the chains that begin at `from` end without having come to `to`.
        reached: Vec<String>,
    },
}

/// Most ends of chains that a message names.
const ENDS_SHOWN: usize = 8;

fn lacking(edges: &[String]) -> String {
    let more = if edges.len() > ENDS_SHOWN { ", \u{2026}" } else { "" };
    let shown: Vec<&str> = edges.iter().take(ENDS_SHOWN).map(String::as_str).collect();
    let has = if edges.len() == 1 { "has" } else { "have" };
    format!("{}{more} {has}", shown.join(", "))
}

fn ends(from: &str, reached: &[String]) -> String {
    if reached.is_empty() {
        return format!("no edge leads on from {from}");
    }
    let more = if reached.len() > ENDS_SHOWN { ", \u{2026}" } else { "" };
    let shown: Vec<&str> = reached.iter().take(ENDS_SHOWN).map(String::as_str).collect();
    format!("those that begin there end at {}{more}", shown.join(", "))
}

/// A contract's versions and edges, prepared for any number of searches.
#[derive(Debug, Clone)]
pub struct Paths<'a> {
    contract: &'a Contract,
    positions: BTreeMap<&'a str, usize>,
    /// For each version, the edges that lead on from it, each with where it leads to, in the order declared.
    outgoing: Vec<Vec<(usize, &'a Edge)>>,
}

impl<'a> Paths<'a> {
    /// Prepares the searches. Edges between versions that the contract does not have lead nowhere.
    pub fn of(contract: &'a Contract) -> Self {
        let mut positions = BTreeMap::new();
        for (position, version) in contract.versions.iter().enumerate() {
            positions.entry(version.as_str()).or_insert(position);
        }
        let mut outgoing = vec![Vec::new(); contract.versions.len()];
        for edge in &contract.edges {
            let known = |version: &str| positions.get(version).copied();
            if let (Some(from), Some(to)) = (known(&edge.from), known(&edge.to))
                && let Some(edges) = outgoing.get_mut(from)
            {
                edges.push((to, edge));
            }
        }
        Self { contract, positions, outgoing }
    }

    /// The shortest chain of edges from one version to another; among equally short ones, the one whose edges are
    /// declared first. Empty when the versions are the same.
    pub fn resolve(&self, from: &str, to: &str) -> Result<Vec<&'a Edge>, PathError> {
        let (start, goal) = (self.position(from)?, self.position(to)?);
        self.within(start, goal, from, to)?;
        let reached_by = self.search(start, Some(goal));
        let mut path = Vec::new();
        let mut here = goal;
        while here != start {
            let Some(Some((before, edge))) = reached_by.get(here) else {
                let reached = self.ends(start, &reached_by);
                return Err(PathError::Missing {
                    from: from.to_owned(),
                    to: to.to_owned(),
                    reached,
                });
            };
            path.push(*edge);
            here = *before;
        }
        path.reverse();
        Ok(path)
    }

    /// Which versions some chain of edges leads to from `version`, itself among them, by position.
    pub fn reachable(&self, version: &str) -> Vec<bool> {
        let Some(&start) = self.positions.get(version) else {
            return vec![false; self.outgoing.len()];
        };
        let reached_by = self.search(start, None);
        reached_by.iter().enumerate().map(|(here, by)| here == start || by.is_some()).collect()
    }

    /// Position of a version, from the oldest.
    pub(super) fn position(&self, version: &str) -> Result<usize, PathError> {
        self.positions.get(version).copied().ok_or_else(|| PathError::UnknownVersion {
            version: version.to_owned(),
            known: self.contract.versions.clone(),
        })
    }

    fn within(&self, start: usize, goal: usize, from: &str, to: &str) -> Result<(), PathError> {
        let (min, current) = (&self.contract.min, &self.contract.current);
        if start < self.position(min)? {
            return Err(PathError::BelowMinimum { from: from.to_owned(), min: min.clone() });
        }
        let newest = self.position(current)?;
        if let Some((_, version)) = [(start, from), (goal, to)].iter().find(|(at, _)| *at > newest)
        {
            let (version, current) = ((*version).to_owned(), current.clone());
            return Err(PathError::AboveCurrent { version, current });
        }
        if goal < start {
            return Err(PathError::Downwards { from: from.to_owned(), to: to.to_owned() });
        }
        Ok(())
    }

    /// For each version, the one before it on the first shortest chain from `start`, and the edge between them.
    fn search(&self, start: usize, goal: Option<usize>) -> Vec<Option<(usize, &'a Edge)>> {
        let mut reached_by = vec![None; self.outgoing.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(here) = queue.pop_front() {
            if Some(here) == goal {
                break;
            }
            for (to, edge) in self.outgoing.get(here).into_iter().flatten() {
                if let Some(by @ None) = reached_by.get_mut(*to)
                    && *to != start
                {
                    *by = Some((here, *edge));
                    queue.push_back(*to);
                }
            }
        }
        reached_by
    }

    /// Versions other than `start` that were reached and that no edge leads on from.
    fn ends(&self, start: usize, reached_by: &[Option<(usize, &Edge)>]) -> Vec<String> {
        let reached =
            reached_by.iter().zip(&self.outgoing).zip(&self.contract.versions).enumerate();
        let ends =
            reached.filter(|(here, ((by, on), _))| *here != start && by.is_some() && on.is_empty());
        ends.map(|(_, (_, version))| version.clone()).collect()
    }
}

/// The shortest chain of edges from one version to another, for who asks once; see [`Paths::resolve`].
pub fn resolve<'a>(
    contract: &'a Contract,
    from: &str,
    to: &str,
) -> Result<Vec<&'a Edge>, PathError> {
    Paths::of(contract).resolve(from, to)
}

/// The way from one version of a database to another in either direction: up by edges, down by what takes those back that
/// lead up the same way.
pub fn way(contract: &Contract, from: &str, to: &str) -> Result<Vec<Edge>, PathError> {
    let paths = Paths::of(contract);
    if paths.position(to)? >= paths.position(from)? {
        return Ok(paths.resolve(from, to)?.into_iter().cloned().collect());
    }
    let up = paths.resolve(to, from)?;
    let down: Vec<Edge> = up.iter().rev().filter_map(|edge| back(edge)).collect();
    if down.len() == up.len() {
        return Ok(down);
    }
    let lacking = up.iter().rev().filter(|edge| edge.inverse.is_none());
    let edges = lacking.map(|edge| {
        let scripts: Vec<&str> = edge.sql().map(|sql| sql.script.as_str()).collect();
        format!("{} ({})", edge.name(), scripts.join(", "))
    });
    Err(PathError::NoWayBack { from: from.to_owned(), to: to.to_owned(), edges: edges.collect() })
}

/// The edge that takes `edge` back by the steps that it names (SPEC §8.1). It promises nothing: what it loses is measured.
fn back(edge: &Edge) -> Option<Edge> {
    Some(Edge {
        from: edge.to.clone(),
        to: edge.from.clone(),
        description: edge.description.clone(),
        steps: edge.inverse.clone()?,
        proof: EdgeProof { adds_defaulted: Vec::new(), drops_nothing: false, invariant: None },
        lossy: vec![ANYTHING.to_owned()],
        inverse: None,
    })
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
        let mut c = contract(&["1", "2", "3"], &[("1", "2")]);
        let missing = walk(&c, "1", "3").unwrap_err();
        let reached = vec!["2".to_owned()];
        assert_eq!(missing, PathError::Missing { from: "1".into(), to: "3".into(), reached });
        assert!(missing.to_string().ends_with("those that begin there end at 2"), "{missing}");
        assert!(matches!(walk(&c, "2", "1"), Err(PathError::Downwards { .. })));
        assert!(matches!(walk(&c, "1", "9"), Err(PathError::UnknownVersion { .. })));
        (c.min, c.current) = ("2".into(), "2".into());
        assert!(matches!(walk(&c, "1", "2"), Err(PathError::BelowMinimum { .. })));
        assert!(matches!(walk(&c, "2", "3"), Err(PathError::AboveCurrent { .. })));
    }

    #[test]
    fn edges_that_lead_down_or_in_circles_end_the_search_all_the_same() {
        let mut c = contract(&["1", "2", "3"], &[("1", "2"), ("2", "3")]);
        for (edge, (from, to)) in c.edges.iter_mut().zip([("1", "2"), ("2", "1")]) {
            (edge.from, edge.to) = (from.to_owned(), to.to_owned());
        }
        assert!(matches!(walk(&c, "1", "3"), Err(PathError::Missing { .. })));
    }

    #[test]
    fn the_way_down_is_the_way_up_taken_back_and_names_what_cannot_be() {
        let mut c =
            contract(&["1", "2", "3", "4"], &[("1", "2"), ("2", "3"), ("3", "4"), ("2", "4")]);
        for edge in &mut c.edges {
            edge.inverse = Some(Vec::new());
        }
        let walk = |c: &Contract, from: &str, to: &str| {
            let way = way(c, from, to)?;
            Ok(way.iter().map(|edge| format!("{}>{}", edge.from, edge.to)).collect::<Vec<_>>())
        };
        assert_eq!(walk(&c, "4", "1"), Ok(vec!["4>2".to_owned(), "2>1".to_owned()]));
        assert_eq!(walk(&c, "1", "3"), Ok(vec!["1>2".to_owned(), "2>3".to_owned()]));
        assert_eq!(walk(&c, "2", "2"), Ok(Vec::new()));
        c.edges[0].inverse = None;
        assert_eq!(walk(&c, "4", "2").unwrap().len(), 1);
        let refused: PathError = walk(&c, "4", "1").unwrap_err();
        assert!(refused.to_string().contains("1 \u{2192} 2 () has none"), "{refused}");
        assert!(matches!(walk(&c, "9", "1"), Err(PathError::UnknownVersion { .. })));
        c.min = "2".into();
        assert!(matches!(walk(&c, "4", "1"), Err(PathError::BelowMinimum { .. })));
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
