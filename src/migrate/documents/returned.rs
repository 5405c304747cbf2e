//! Where the steps that lead back from a result do not give what was there before: for those who ask why.

use super::evaluation::Read;
use super::prepared::Prepared;
use crate::document::Pointer;
use crate::transform::{Identity, apply, difference};

impl Prepared {
    /// Places of the older document that the way back gives otherwise, or why it cannot be taken, edge by edge up to the
    /// first that is not returned from.
    pub(in crate::migrate) fn not_returned(&self, read: &Read) -> Vec<(Pointer, String)> {
        let Ok(route) = self.route(&read.version, &self.contract().current) else {
            return Vec::new();
        };
        let mut value = read.document.value.clone();
        for (place, digest) in route.places.iter().zip(&route.edges) {
            let Some(edge) = self.edge(*place) else { continue };
            let before = value.clone();
            if apply(&edge.steps, &self.programs, &mut value).is_err() {
                break;
            }
            let Some(back) = route.back(*digest) else { continue };
            let mut returned = value.clone();
            let name = edge.name();
            if let Err(error) = apply(back, &self.programs, &mut returned) {
                let told = format!("the way back of {name} refuses it: {error}");
                return vec![(error.path.clone(), told)];
            }
            if returned != before {
                let differ = difference(&before, &returned, &Identity::new());
                let told = format!("the way back of {name} does not give it back");
                let mut places: Vec<_> =
                    differ.into_iter().map(|effect| (effect.path, told.clone())).collect();
                if places.is_empty() {
                    places.push((Pointer::default(), told));
                }
                return places;
            }
        }
        Vec::new()
    }
}
