//! What of a tree its migration leaves aside, so that whoever reads a plan does not take it for all there is.

use serde::{Deserialize, Serialize};

use super::plan::LISTED_MAX;
use crate::target::documents::Survey;

/// What of a tree was not looked into, and which documents have further names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aside {
    /// Folders that are skipped because programs keep them for themselves.
    pub skipped: Named,
    /// Folders that are links.
    pub links: Named,
    /// Documents whose files have other names too, which keep what they hold.
    pub hard_linked: Named,
}

/// Ids, as many as are listed, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The first of them, at most [`LISTED_MAX`].
    pub ids: Vec<String>,
    /// How many there are.
    pub total: u64,
}

impl Aside {
    /// What a walk through the tree left aside.
    pub fn of(survey: &Survey) -> Self {
        let mut aside = Self::default();
        survey.skipped.iter().for_each(|id| aside.skipped.push(id));
        survey.links.iter().for_each(|id| aside.links.push(id));
        aside
    }
}

impl Named {
    /// One more.
    pub fn push(&mut self, id: &str) {
        self.total += 1;
        if self.ids.len() < LISTED_MAX {
            self.ids.push(id.to_owned());
        }
    }
}
