//! What has to be done before what, by what is declared.
//!
//! Three kinds of work depend on each other: a reference is rewritten when the new name of its target is known, a hash of
//! the object itself is computed when all that it covers is final, and so is a name. What `exclude` leaves out is not
//! covered; that is how a circle can be broken. Whether references of a kind to itself lead in a circle only the objects
//! can tell (`sequence`).

use super::places::{covers, overlap};
use super::{Kind, LinkError};
use crate::contract::{Pattern, Preimage, SelfHash};

/// One piece of work, by its place in what is declared of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Rewrites a reference.
    Relink(usize),
    /// Computes a hash of the object itself.
    Seal(usize),
    /// Computes a name.
    Name(usize),
}

/// What is to be done with each object of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    pub(super) tasks: Vec<Task>,
}

/// One piece of it.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) phase: Phase,
    /// Places in the list of what must be done before, with the same object.
    pub(super) needs: Vec<usize>,
}

/// The work of each kind, what the same object needs first; and the kinds in the order in which they can be done. A circle
/// through several kinds, or through one object, is refused.
pub(super) fn order(kinds: &[Kind]) -> Result<(Vec<Work>, Vec<usize>), LinkError> {
    let mut graph = Graph::of(kinds);
    let mut phases: Vec<Vec<Phase>> = kinds.iter().map(|_| Vec::new()).collect();
    let mut in_order: Vec<usize> = Vec::new();
    while let Some((kind, ready)) = graph.take_ready(kinds.len()) {
        if let Some(phases) = phases.get_mut(kind) {
            phases.extend(ready);
        }
        if !in_order.contains(&kind) {
            in_order.push(kind);
        }
    }
    if let Some(circle) = graph.circle(kinds) {
        return Err(LinkError::Cycle { circle });
    }
    let works = phases.iter().enumerate().map(|(kind, phases)| work(kinds, kind, phases));
    Ok((works.collect(), in_order))
}

fn work(kinds: &[Kind], kind: usize, phases: &[Phase]) -> Work {
    let node = |phase: &Phase| Node { kind, phase: *phase, needs: Vec::new(), done: false };
    let tasks = phases.iter().map(|phase| {
        let before = |(place, other): (usize, &Phase)| {
            needs_within(kinds, &node(phase), &node(other)).then_some(place)
        };
        let needs = phases.iter().enumerate().filter_map(before).collect();
        Task { phase: *phase, needs }
    });
    Work { tasks: tasks.collect() }
}

struct Graph {
    nodes: Vec<Node>,
}

struct Node {
    kind: usize,
    phase: Phase,
    /// Places in `nodes` of what must be done before.
    needs: Vec<usize>,
    done: bool,
}

impl Graph {
    fn of(kinds: &[Kind]) -> Self {
        let mut nodes = Vec::new();
        for (kind, declared) in kinds.iter().enumerate() {
            let relinks = (0..declared.targets.len()).map(Phase::Relink);
            let seals = (0..declared.declared.self_hash.len()).map(Phase::Seal);
            let names = (0..declared.namings.len()).map(Phase::Name);
            for phase in relinks.chain(seals).chain(names) {
                nodes.push(Node { kind, phase, needs: Vec::new(), done: false });
            }
        }
        let needs: Vec<Vec<usize>> = nodes
            .iter()
            .map(|node| {
                let needed =
                    nodes.iter().enumerate().filter(|(_, other)| needs(kinds, node, other));
                needed.map(|(place, _)| place).collect()
            })
            .collect();
        for (node, needs) in nodes.iter_mut().zip(needs) {
            node.needs = needs;
        }
        Self { nodes }
    }

    /// Takes the work of one kind that can be done now: of a kind of which everything can be done, if there is one, else
    /// of the first of which something can.
    fn take_ready(&mut self, kinds: usize) -> Option<(usize, Vec<Phase>)> {
        let mut best: Option<(usize, Vec<usize>)> = None;
        for kind in 0..kinds {
            let ready = self.ready_of(kind);
            let left = self.nodes.iter().filter(|node| node.kind == kind && !node.done).count();
            if !ready.is_empty() && (ready.len() == left || best.is_none()) {
                let whole = ready.len() == left;
                best = Some((kind, ready));
                if whole {
                    break;
                }
            }
        }
        let (kind, ready) = best?;
        let mut phases = Vec::new();
        for place in ready {
            if let Some(node) = self.nodes.get_mut(place) {
                node.done = true;
                phases.push(node.phase);
            }
        }
        Some((kind, phases))
    }

    /// Everything of `kind` that can be done without work on another kind, in order.
    fn ready_of(&self, kind: usize) -> Vec<usize> {
        let mut ready: Vec<usize> = Vec::new();
        loop {
            let next = self.nodes.iter().enumerate().find(|(place, node)| {
                let is_done = |need: &usize| {
                    ready.contains(need) || self.nodes.get(*need).is_none_or(|node| node.done)
                };
                node.kind == kind
                    && !node.done
                    && !ready.contains(place)
                    && node.needs.iter().all(is_done)
            });
            match next {
                Some((place, _)) => ready.push(place),
                None => return ready,
            }
        }
    }

    /// A circle among what is not done.
    fn circle(&self, kinds: &[Kind]) -> Option<Vec<String>> {
        let mut way = vec![self.nodes.iter().position(|node| !node.done)?];
        loop {
            let here = self.nodes.get(*way.last()?)?;
            let open = |need: &&usize| self.nodes.get(**need).is_some_and(|node| !node.done);
            let next = *here.needs.iter().find(open)?;
            if let Some(start) = way.iter().position(|place| *place == next) {
                way.push(next);
                let circle = way.get(start..)?.iter();
                return Some(circle.filter_map(|place| self.title(kinds, *place)).collect());
            }
            way.push(next);
        }
    }

    fn title(&self, kinds: &[Kind], place: usize) -> Option<String> {
        let node = self.nodes.get(place)?;
        let kind = kinds.get(node.kind)?;
        kind.title(node.phase, &kind.declared.kind)
    }
}

impl Kind {
    /// A piece of work in words, on what is called `name`.
    pub(super) fn title(&self, phase: Phase, name: &str) -> Option<String> {
        Some(match phase {
            Phase::Relink(one) => format!("{name} {}", self.declared.refs.get(one)?.at),
            Phase::Seal(one) => format!("{name} {}", self.declared.self_hash.get(one)?.at),
            Phase::Name(one) => format!("the {} of {name}", self.namings.get(one)?.preimage),
        })
    }
}

/// Whether `node` can only be done after `other`, whatever the objects are.
fn needs(kinds: &[Kind], node: &Node, other: &Node) -> bool {
    let Some(kind) = kinds.get(node.kind) else { return false };
    if let Phase::Relink(one) = node.phase {
        let Some(target) = kind.targets.get(one) else { return false };
        let is_named = other.kind == target.kind && other.phase == Phase::Name(target.naming);
        // An object of the same kind is another one, as a rule.
        return is_named && other.kind != node.kind;
    }
    needs_within(kinds, node, other)
}

/// Whether `node` can only be done after `other` of the same object.
fn needs_within(kinds: &[Kind], node: &Node, other: &Node) -> bool {
    let Some(kind) = kinds.get(node.kind) else { return false };
    let place = match other.phase {
        _ if other.kind != node.kind => None,
        Phase::Relink(one) => kind.declared.refs.get(one).map(|reference| &reference.at),
        Phase::Seal(one) => kind.declared.self_hash.get(one).map(|own| &own.at),
        Phase::Name(_) => None,
    };
    let Some(place) = place else { return false };
    let left_out = |omitted: &[Pattern]| omitted.iter().any(|omitted| covers(omitted, place));
    match node.phase {
        Phase::Seal(one) => {
            let covered = |own: &SelfHash| overlap(&own.of, place) && !left_out(&own.exclude);
            node.phase != other.phase && kind.declared.self_hash.get(one).is_some_and(covered)
        }
        Phase::Name(one) => kind.namings.get(one).is_some_and(|naming| match &naming.preimage {
            Preimage::Stated(stated) => overlap(stated, place),
            _ => !left_out(&naming.exclude),
        }),
        Phase::Relink(_) => false,
    }
}
