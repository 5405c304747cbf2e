//! In which order the objects of a set are linked again: each after those that it names.
//!
//! What one object needs of itself is declared (`rounds`); which others it needs, its references say. So a chain of objects of
//! one kind has an order, and only objects that need each other have none.

use super::rounds::Phase;
use super::{Census, Kind, LinkError, Linked, Links, ObjectIndex};
use std::collections::BTreeMap;

/// One piece of work on one object: the object's place in the set, and what is to be done.
pub(super) type Step = (usize, Phase);

/// Objects that need each other.
pub(super) struct Circle {
    /// Their places in the set.
    pub(super) objects: Vec<usize>,
    pub(super) error: Box<LinkError>,
}

/// All work on `objects`, what others need first.
pub(super) fn sequence(
    links: &Links,
    objects: &[Linked<'_>],
    census: &Census,
) -> Result<Vec<Step>, Circle> {
    let mut walk = Walk::of(links, objects, census);
    for start in 0..walk.nodes.len() {
        walk.from(start)?;
    }
    Ok(walk.done)
}

struct Walk<'a, 'o> {
    links: &'a Links,
    objects: &'a [Linked<'o>],
    census: &'a Census,
    places: BTreeMap<ObjectIndex, usize>,
    nodes: Vec<Node>,
    /// For each object, where its nodes begin.
    first: Vec<usize>,
    done: Vec<Step>,
}

#[derive(Clone, Copy)]
struct Node {
    object: usize,
    /// The place of the task in the work of the object's kind.
    task: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

impl<'a, 'o> Walk<'a, 'o> {
    fn of(links: &'a Links, objects: &'a [Linked<'o>], census: &'a Census) -> Self {
        let (mut nodes, mut first) = (Vec::new(), Vec::new());
        for (object, linked) in objects.iter().enumerate() {
            first.push(nodes.len());
            let tasks = kind_of(links, linked).map_or(0, |kind| kind.work.tasks.len());
            nodes.extend((0..tasks).map(|task| Node { object, task, state: State::New }));
        }
        let places = objects.iter().enumerate().map(|(place, linked)| (linked.object, place));
        let places = places.collect();
        Self { links, objects, census, places, nodes, first, done: Vec::new() }
    }

    /// Does `start` and all that it needs, deepest first, without recursion: a chain may be long.
    fn from(&mut self, start: usize) -> Result<(), Circle> {
        let mut way: Vec<(usize, std::vec::IntoIter<usize>)> = Vec::new();
        let mut next = Some(start);
        loop {
            if let Some(node) = next.take() {
                match self.nodes.get(node).map(|node| node.state) {
                    Some(State::New) => {
                        self.mark(node, State::Open);
                        way.push((node, self.needs(node).into_iter()));
                    }
                    Some(State::Open) => return Err(self.circle(&way, node)),
                    Some(State::Done) | None => {}
                }
            }
            let Some((_, needs)) = way.last_mut() else { return Ok(()) };
            next = needs.next();
            if next.is_none()
                && let Some((node, _)) = way.pop()
            {
                self.mark(node, State::Done);
                self.done.extend(self.step(node));
            }
        }
    }

    fn mark(&mut self, node: usize, state: State) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.state = state;
        }
    }

    fn step(&self, node: usize) -> Option<Step> {
        let node = self.nodes.get(node)?;
        let kind = kind_of(self.links, self.objects.get(node.object)?)?;
        Some((node.object, kind.work.tasks.get(node.task)?.phase))
    }

    /// The nodes that must be done before `node`.
    fn needs(&self, node: usize) -> Vec<usize> {
        let needs = || {
            let node = self.nodes.get(node)?;
            let linked = self.objects.get(node.object)?;
            let kind = kind_of(self.links, linked)?;
            let task = kind.work.tasks.get(node.task)?;
            let first = self.first.get(node.object)?;
            let mut needs: Vec<usize> = task.needs.iter().map(|place| first + place).collect();
            if let Phase::Relink(one) = task.phase {
                needs.extend(self.named(kind, one, linked));
            }
            Some(needs)
        };
        needs().unwrap_or_default()
    }

    /// The nodes that give the objects which a reference names their new names. A place that holds no hash refuses its
    /// object later.
    fn named(&self, kind: &Kind, one: usize, linked: &Linked<'_>) -> Vec<usize> {
        let found = kind.found_in(one, linked.subject, linked.value).unwrap_or_default();
        let mut nodes = Vec::new();
        for found in found {
            for target in self.census.named(found.target, &found.hash, false) {
                nodes.extend(self.naming(target, Phase::Name(found.target.naming)));
            }
        }
        nodes
    }

    fn naming(&self, target: ObjectIndex, phase: Phase) -> Option<usize> {
        let place = *self.places.get(&target)?;
        let kind = kind_of(self.links, self.objects.get(place)?)?;
        let task = kind.work.tasks.iter().position(|task| task.phase == phase)?;
        Some(self.first.get(place)? + task)
    }

    fn circle(&self, way: &[(usize, std::vec::IntoIter<usize>)], again: usize) -> Circle {
        let within = way.iter().skip_while(|(node, _)| *node != again).map(|(node, _)| *node);
        let nodes: Vec<usize> = within.chain([again]).collect();
        let circle = nodes.iter().filter_map(|node| self.title(*node)).collect();
        let mut objects: Vec<usize> =
            nodes.iter().filter_map(|node| Some(self.nodes.get(*node)?.object)).collect();
        objects.sort_unstable();
        objects.dedup();
        Circle { objects, error: Box::new(LinkError::Cycle { circle }) }
    }

    fn title(&self, node: usize) -> Option<String> {
        let (object, phase) = self.step(node)?;
        let linked = self.objects.get(object)?;
        kind_of(self.links, linked)?.title(phase, linked.subject.id)
    }
}

fn kind_of<'a>(links: &'a Links, linked: &Linked<'_>) -> Option<&'a Kind> {
    links.kind(linked.subject.kind).ok().map(|(_, kind)| kind)
}
