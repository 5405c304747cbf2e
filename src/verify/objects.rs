//! Whether everything that events refer to is there and hashes to its name; for databases, every
//! node and page beneath. What was pruned may be missing, and only that. Knows names, no storage.

use std::collections::{BTreeMap, HashSet};

use ledger_format::body::Body;
use ledger_format::hash::{CommitHash, ContentHash};

use projections::ImageNeeds;

use super::{Fault, ObjectCount};
use crate::objects::{Objects, ObjectsError};
use crate::target::sqlite::{ImageError, image};

/// The checks so far. Remembers each distinct name it has met, 32 bytes each, as the index of any
/// object store does.
pub(super) struct ObjectCheck<'a> {
    objects: &'a dyn Objects,
    met: HashSet<ContentHash>,
    bad: u64,
    /// With the event that first refers to what is wrong.
    faults: Vec<(u64, Fault)>,
    /// Images are looked at when it is known which were pruned.
    images: ImageNeeds,
}

impl<'a> ObjectCheck<'a> {
    pub(super) fn new(objects: &'a dyn Objects) -> Self {
        Self {
            objects,
            met: HashSet::new(),
            bad: 0,
            faults: Vec::new(),
            images: ImageNeeds::default(),
        }
    }

    /// Checks what event `seq` refers to, each object once.
    pub(super) fn check(&mut self, seq: u64, body: &Body) {
        self.images.take(seq, body);
        let roots = body.page_roots();
        for name in body.contents() {
            let is_root = roots.iter().any(|root| root.as_bytes() == name.as_bytes());
            if !is_root && self.met.insert(name) {
                drop(self.check_object(seq, name));
            }
        }
    }

    /// The checks' result.
    pub(super) fn finish(mut self) -> (ObjectCount, Vec<Fault>) {
        let images = std::mem::take(&mut self.images).finish();
        let by_event = |images: BTreeMap<CommitHash, u64>| {
            let mut images: Vec<_> = images.into_iter().map(|(root, seq)| (seq, root)).collect();
            images.sort_unstable();
            images
        };
        for (seq, root) in by_event(images.needed) {
            if self.met.insert(ContentHash::from_bytes(*root.as_bytes())) {
                self.check_image(seq, &root);
            }
        }
        let pruned = by_event(images.pruned);
        let pruned = pruned.iter().filter(|(seq, root)| self.is_pruned(*seq, root)).count() as u64;
        let met = self.met.len() as u64;
        let count = ObjectCount { good: met.saturating_sub(self.bad), bad: self.bad, pruned };
        self.faults.sort_by_key(|(seq, _)| *seq);
        (count, self.faults.into_iter().map(|(_, fault)| fault).collect())
    }

    /// Whether of an image that may be gone anything is. What is there must be whole all the same.
    fn is_pruned(&mut self, seq: u64, root: &CommitHash) -> bool {
        let tree = match image::load(root, self.objects) {
            Ok(tree) => tree,
            Err(ImageError::Objects(ObjectsError::Missing { .. })) => return true,
            Err(error) => {
                self.accuse(seq, image_fault(seq, root, error));
                return false;
            }
        };
        let mut gone = false;
        for page in tree.pages() {
            if !self.objects.contains(page) {
                gone = true;
            } else if self.met.insert(*page) {
                drop(self.check_object(seq, *page));
            }
        }
        gone
    }

    fn check_image(&mut self, seq: u64, root: &CommitHash) {
        let tree = match image::load(root, self.objects) {
            Ok(tree) => tree,
            Err(error) => return self.accuse(seq, image_fault(seq, root, error)),
        };
        for page in tree.pages() {
            if !self.met.insert(*page) {
                continue;
            }
            let Some(bytes) = self.check_object(seq, *page) else { continue };
            let expected = tree.page_size().bytes() as usize;
            if bytes.len() != expected {
                let reason = format!("a page of {} bytes, expected {expected}", bytes.len());
                self.accuse(seq, Fault::ObjectDamaged { name: *page, seq, reason });
            }
        }
    }

    fn check_object(&mut self, seq: u64, name: ContentHash) -> Option<Vec<u8>> {
        match self.objects.get(&name) {
            Ok(bytes) => {
                let actual = ContentHash::of(&bytes);
                if actual == name {
                    return Some(bytes);
                }
                self.accuse(seq, object_fault(seq, name, &ObjectsError::Corrupt { name, actual }));
            }
            Err(error) => self.accuse(seq, object_fault(seq, name, &error)),
        }
        None
    }

    fn accuse(&mut self, seq: u64, fault: Fault) {
        self.bad += 1;
        self.faults.push((seq, fault));
    }
}

fn object_fault(seq: u64, name: ContentHash, error: &ObjectsError) -> Fault {
    match error {
        ObjectsError::Missing { name } => Fault::ObjectMissing { name: *name, seq },
        ObjectsError::Corrupt { name, .. } => {
            Fault::ObjectDamaged { name: *name, seq, reason: error.to_string() }
        }
        error => Fault::ObjectDamaged { name, seq, reason: error.to_string() },
    }
}

fn image_fault(seq: u64, root: &CommitHash, error: ImageError) -> Fault {
    let name = ContentHash::from_bytes(*root.as_bytes());
    match error {
        ImageError::Objects(error) => object_fault(seq, name, &error),
        ImageError::Malformed { name, reason } => {
            Fault::ObjectDamaged { name, seq, reason: reason.to_owned() }
        }
        error => Fault::ObjectDamaged { name, seq, reason: error.to_string() },
    }
}
