//! The images that a ledger keeps of databases: which states can be put back, what each takes, and whether all of it is
//! there. Reads events and objects; restores nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ledger_format::body::{Body, ObjectState, StagedContent};
use ledger_format::hash::{CommitHash, ContentHash, EventId};
use projections::{Entry, State};
use serde::Serialize;

use super::ReplayError;
use crate::ledger::Ledger;
use crate::objects::{Objects, ObjectsError};
use crate::target::sqlite::{ImageError, image};

/// Damaged objects of one image that are named; the rest is counted.
const NAMED_MAX: usize = 20;

/// A state of a database that can be put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// The database.
    pub object: String,
    /// Its page root.
    pub root: CommitHash,
    /// Where in the ledger the database came to be so, in order.
    pub cursors: Vec<Since>,
}

/// From where on a database was as an image has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Since {
    /// The event: a cursor.
    pub seq: u64,
    /// The run whose result it is; none of what was found so.
    pub run: Option<EventId>,
    /// The version then.
    pub version: String,
}

/// All images of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Images {
    /// Those that a cursor names, in the order in which they came to be.
    pub images: Vec<Image>,
    /// Page roots of what single steps of runs came to, and no cursor names.
    pub of_steps: BTreeSet<CommitHash>,
    /// Number of page roots that were pruned: they are among neither.
    pub pruned: u64,
}

/// What an image takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Pages of the database.
    pub pages: u32,
    /// Bytes of one.
    pub page_size: u32,
    /// Bytes of the database.
    pub bytes: u64,
    /// Bytes that no other image has.
    pub only: u64,
}

/// What all images take together, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Of each image, in their order.
    pub images: Vec<Size>,
    /// Everything kept once.
    pub kept: u64,
    /// Of that, what only results of single steps need.
    pub only_steps: u64,
}

/// What was found of one image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Checked {
    /// Pages read and compared with their names, those that were read for another image too.
    pub pages: u64,
    /// Objects that are missing or damaged.
    pub damaged: u64,
    /// The first of them.
    pub first: Vec<Damage>,
}

/// An object that is missing or damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Its name.
    pub name: ContentHash,
    /// What is wrong with it.
    pub told: String,
}

impl Images {
    /// The images of the first `size` events of `ledger`.
    pub fn of(ledger: &Ledger, size: u64) -> Result<Self, ReplayError> {
        let mut found = Found::default();
        let mut state = State::new(ledger.id());
        ledger.each_event(0..size, |recorded| {
            let (seq, body) = (recorded.event.seq, &recorded.event.body);
            let entry = Entry { event: &recorded.event, id: recorded.id };
            state.apply(entry).map_err(|rule| {
                let (seq, kind) = (state.size(), body.kind());
                ReplayError::Illegal { seq, kind, rule }
            })?;
            found.take(seq, body, &state);
            Ok::<_, ReplayError>(())
        })?;
        let Found { mut images, steps, .. } = found;
        let named: BTreeSet<CommitHash> = images.images.iter().map(|image| image.root).collect();
        images.of_steps = steps.difference(&named).copied().collect();
        if !ledger.state().runs().pruned.is_empty() {
            let pruned = ledger.image_needs()?.finish().pruned;
            images.images.retain(|image| !pruned.contains_key(&image.root));
            images.of_steps.retain(|root| !pruned.contains_key(root));
            images.pruned = pruned.len() as u64;
        }
        Ok(images)
    }

    /// What each of them takes. Reads trees, and no page.
    pub fn sizes(&self, objects: &dyn Objects) -> Result<Sizes, ImageError> {
        let mut owners: HashMap<ContentHash, (Owner, u64)> = HashMap::new();
        let mut sizes = Sizes::default();
        let listed = self.images.iter().map(|image| &image.root).enumerate();
        for (at, root) in listed {
            let tree = image::load(root, objects)?;
            take_parts(&mut owners, Owner::Image(at), image::parts(&tree));
            let (pages, page_size) = (tree.page_count(), tree.page_size().bytes());
            let bytes = u64::from(pages) * u64::from(page_size);
            sizes.images.push(Size { pages, page_size, bytes, only: 0 });
        }
        for root in &self.of_steps {
            take_parts(&mut owners, Owner::Steps, image::parts(&image::load(root, objects)?));
        }
        for (owner, bytes) in owners.values() {
            sizes.kept += bytes;
            match owner {
                Owner::Image(at) => {
                    if let Some(size) = sizes.images.get_mut(*at) {
                        size.only += bytes;
                    }
                }
                Owner::Steps => sizes.only_steps += bytes,
                Owner::Several => {}
            }
        }
        Ok(sizes)
    }
}

/// Who needs an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// One image that a cursor names.
    Image(usize),
    /// Results of single steps.
    Steps,
    /// More than one image that a cursor names.
    Several,
}

fn take_parts(
    owners: &mut HashMap<ContentHash, (Owner, u64)>,
    owner: Owner,
    parts: impl Iterator<Item = (ContentHash, u64)>,
) {
    for (name, bytes) in parts {
        let (held, _) = owners.entry(name).or_insert((owner, bytes));
        // What a step shares with an image is that image's.
        if *held != owner && owner != Owner::Steps {
            *held = Owner::Several;
        }
    }
}

/// Images, as the events name them.
#[derive(Default)]
struct Found {
    images: Images,
    steps: BTreeSet<CommitHash>,
    /// What each database was last, and at which version.
    last: BTreeMap<String, (CommitHash, String)>,
}

impl Found {
    fn take(&mut self, seq: u64, body: &Body, state: &State) {
        match body {
            Body::ObjectStaged(staged) => {
                if let StagedContent::Database { page_root } = staged.result {
                    self.steps.insert(page_root);
                }
            }
            Body::RunCommitted(committed) => self.look(seq, Some(committed.run), state),
            Body::StoreAdopted(_)
            | Body::ObjectObserved(_)
            | Body::DriftAccepted(_)
            | Body::RunAbandoned(_) => {
                self.look(seq, None, state);
            }
            _ => {}
        }
    }

    fn look(&mut self, seq: u64, run: Option<EventId>, state: &State) {
        let store = state.store();
        if store.contract.is_none() {
            return;
        }
        for (object, held) in &store.objects {
            let ObjectState::Database { page_root, .. } = held else { continue };
            let now = (*page_root, store.version.clone());
            if self.last.get(object) == Some(&now) {
                continue;
            }
            let since = Since { seq, run, version: store.version.clone() };
            self.last.insert(object.clone(), now);
            let same = |image: &&mut Image| image.object == *object && image.root == *page_root;
            match self.images.images.iter_mut().find(same) {
                Some(image) => image.cursors.push(since),
                None => self.images.images.push(Image {
                    object: object.clone(),
                    root: *page_root,
                    cursors: vec![since],
                }),
            }
        }
    }
}

/// Reads images page by page. A page that several have is read once.
#[derive(Default)]
pub struct Verification {
    /// Pages that were read and found right, with the size they must have.
    right: HashSet<(ContentHash, u32)>,
}

impl Verification {
    /// Reads the image `root` and compares every object of it with its name.
    pub fn check(
        &mut self,
        root: &CommitHash,
        objects: &dyn Objects,
    ) -> Result<Checked, ImageError> {
        let mut checked = Checked::default();
        let tree = match image::load(root, objects) {
            Ok(tree) => tree,
            Err(error) => {
                checked.damage(error)?;
                return Ok(checked);
            }
        };
        let page_size = tree.page_size().bytes();
        let mut wrong = BTreeSet::new();
        for name in tree.pages() {
            checked.pages += 1;
            if self.right.contains(&(*name, page_size)) || wrong.contains(name) {
                continue;
            }
            match image::check_page(&tree, name, objects) {
                Ok(()) => {
                    self.right.insert((*name, page_size));
                }
                Err(error) => {
                    wrong.insert(*name);
                    checked.damage(error)?;
                }
            }
        }
        Ok(checked)
    }
}

impl Checked {
    /// Takes note of an object that is missing or damaged. That it cannot be told is an error.
    fn damage(&mut self, error: ImageError) -> Result<(), ImageError> {
        let name = match &error {
            ImageError::Malformed { name, .. }
            | ImageError::Objects(
                ObjectsError::Missing { name } | ObjectsError::Corrupt { name, .. },
            ) => *name,
            _ => return Err(error),
        };
        self.damaged += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(Damage { name, told: error.to_string() });
        }
        Ok(())
    }
}
