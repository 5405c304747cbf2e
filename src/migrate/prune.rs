//! Giving up images of databases: which go, what only they need, and the order in which that is made true. The history
//! says so first; then the objects go.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ledger_format::body::{Body, ObjectPruned, ObjectState};
use ledger_format::cbor::{self, Value};
use ledger_format::hash::{CommitHash, ContentHash, LedgerId};
use projections::NeededImages;

use super::error::MigrateError;
use crate::effects::Signer;
use crate::ledger::{FoldError, Ledger};
use crate::objects::{Objects as _, ObjectsError, PackObjects};
use crate::target::sqlite::{ImageError, image};

/// What would go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruning {
    /// What has to be typed for it to go: a hash of all the rest.
    pub id: CommitHash,
    /// The event from which on every state stays.
    pub keep: u64,
    /// Page roots that go, by the database that had them.
    pub images: BTreeMap<String, BTreeSet<CommitHash>>,
    /// Objects that go, with their bytes: also those that an earlier pruning was kept from taking.
    pub objects: BTreeMap<ContentHash, u64>,
}

impl Pruning {
    /// What goes when every state of every database stays that it had after `size` events, or later.
    pub fn of(ledger: &Ledger, packs: &PackObjects, size: u64) -> Result<Self, MigrateError> {
        must_be_at_rest(ledger)?;
        let keep = size.saturating_sub(1);
        let mut named = Named::default();
        let mut needs = projections::ImageNeeds::default();
        ledger.each_event(0..ledger.state().size(), |recorded| {
            needs.take(recorded.event.seq, &recorded.event.body);
            named.take(&recorded.event.body);
            Ok::<_, FoldError>(())
        })?;
        let before = needs.clone().finish();
        let earlier = &ledger.state().runs().pruned;
        let databases = ledger.state().store().objects.iter();
        let databases = databases.filter(|(_, held)| matches!(held, ObjectState::Database { .. }));
        for (object, _) in databases {
            let keep = keep.max(earlier.get(object).copied().unwrap_or_default());
            needs = needs.keeping(object, keep);
        }
        let after = needs.finish();
        let objects = named.only_of_pruned(&after, packs)?;
        let goes = |root: &CommitHash| {
            after.pruned.contains_key(root) && !before.pruned.contains_key(root)
        };
        let mut images: BTreeMap<String, BTreeSet<CommitHash>> = BTreeMap::new();
        for (object, roots) in named.roots {
            // Of a database that was pruned further than that nothing more goes.
            if earlier.get(&object).is_some_and(|earlier| *earlier > keep) {
                continue;
            }
            let roots: BTreeSet<_> = roots.into_iter().filter(goes).collect();
            if !roots.is_empty() {
                images.insert(object, roots);
            }
        }
        let id = id_of(ledger.id(), keep, &images, &objects);
        Ok(Self { id, keep, images, objects })
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && self.objects.is_empty()
    }

    /// Bytes of the objects that go.
    pub fn bytes(&self) -> u64 {
        self.objects.values().sum()
    }

    /// Says so in the history, and then takes the objects out of the packs. Killed in between, the next pruning to the same
    /// place finds what is left to take; killed while they are taken, the next opening of the packs goes on.
    pub fn carry_out(
        &self,
        ledger: &mut Ledger,
        packs: &mut PackObjects,
        reason: &str,
        signer: &dyn Signer,
    ) -> Result<(), MigrateError> {
        let events = self.events(reason);
        if !events.is_empty() {
            ledger.append(signer, events)?;
        }
        packs.prune(&self.objects.keys().copied().collect::<HashSet<_>>())?;
        Ok(())
    }

    /// One event a database; the bytes stand in the first.
    fn events(&self, reason: &str) -> Vec<Body> {
        let bytes = std::iter::once(self.bytes()).chain(std::iter::repeat(0));
        let pruned = self.images.iter().zip(bytes).map(|((object, roots), bytes)| {
            let (object, reason) = (object.clone(), reason.to_owned());
            ObjectPruned { object, keep: self.keep, reason, images: roots.len() as u64, bytes }
                .into()
        });
        pruned.collect()
    }
}

fn must_be_at_rest(ledger: &Ledger) -> Result<(), MigrateError> {
    if let Some(open) = &ledger.state().runs().open {
        return Err(MigrateError::Pending { run: open.run, phase: "under way" });
    }
    if !ledger.state().store().unsettled.is_empty() {
        return Err(MigrateError::Unsettled);
    }
    Ok(())
}

/// What events name.
#[derive(Default)]
struct Named {
    /// Page roots, by the database that had them.
    roots: BTreeMap<String, BTreeSet<CommitHash>>,
    /// Everything else.
    contents: HashSet<ContentHash>,
}

impl Named {
    fn take(&mut self, body: &Body) {
        let roots = body.page_roots();
        let is_root =
            |name: &ContentHash| roots.iter().any(|root| root.as_bytes() == name.as_bytes());
        self.contents.extend(body.contents().into_iter().filter(|name| !is_root(name)));
        if let (Some(object), false) = (body.object(), roots.is_empty()) {
            self.roots.entry(object.to_owned()).or_default().extend(roots);
        }
    }

    /// Objects of pruned images that no image needs and no event names as anything else. Of a pruned image whose tree is gone
    /// nothing is left that could be found; one whose tree is damaged is left as it is.
    fn only_of_pruned(
        &self,
        images: &NeededImages,
        packs: &PackObjects,
    ) -> Result<BTreeMap<ContentHash, u64>, MigrateError> {
        let mut candidates: HashMap<ContentHash, u64> = HashMap::new();
        for root in images.pruned.keys() {
            match image::load(root, packs) {
                Ok(tree) => {
                    candidates.extend(image::parts(&tree).filter(|(name, _)| packs.contains(name)));
                }
                Err(
                    ImageError::Malformed { .. }
                    | ImageError::NoPages { .. }
                    | ImageError::Objects(
                        ObjectsError::Missing { .. } | ObjectsError::Corrupt { .. },
                    ),
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // A needed image that cannot be read could need any of them.
        for root in images.needed.keys() {
            for (name, _) in image::parts(&image::load(root, packs)?) {
                candidates.remove(&name);
            }
        }
        candidates.retain(|name, _| !self.contents.contains(name));
        Ok(candidates.into_iter().collect())
    }
}

/// `CommitHash("image_prune", …)` over what goes (SPEC §8.2).
pub(super) fn id_of(
    ledger: LedgerId,
    keep: u64,
    images: &BTreeMap<String, BTreeSet<CommitHash>>,
    objects: &BTreeMap<ContentHash, u64>,
) -> CommitHash {
    let roots = images.iter().map(|(object, roots)| {
        let roots = roots.iter().map(|root| (*root).into()).collect();
        (object.clone(), Value::Array(roots))
    });
    let objects = objects.keys().map(|name| (*name).into()).collect();
    let preimage = cbor::map([
        ("ledger", ledger.into()),
        ("keep", keep.into()),
        ("images", Value::Map(roots.collect())),
        ("objects", Value::Array(objects)),
    ]);
    CommitHash::of("image_prune", &preimage)
}
