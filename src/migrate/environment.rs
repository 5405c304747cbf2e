//! What a run ran under: recorded with it, left out of its claim, and required to be the same where somebody asks for it.

use ledger_format::body::{Body, RunStarted};
use ledger_format::cbor::{self, EVENT_DEPTH_MAX};
use ledger_format::hash::{ContentHash, EventId};
use serde::{Deserialize, Serialize};

use super::error::MigrateError;
use crate::ledger::Ledger;
use crate::objects::Objects;

/// Program, libraries, compiler and platform (SPEC §8.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The program and its version.
    pub tool: String,
    /// Version of SQLite.
    pub sqlite: String,
    /// Processor and operating system.
    pub platform: String,
    /// The lock file that the program was built from: every library by name, version and digest.
    pub lockfile: ContentHash,
    /// The compiler that built it.
    pub toolchain: String,
}

impl Environment {
    /// That of this program.
    pub fn here() -> Self {
        Self {
            tool: concat!("glyph-ledger/", env!("CARGO_PKG_VERSION")).to_owned(),
            sqlite: rusqlite::version().to_owned(),
            platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            lockfile: ContentHash::of(include_bytes!("../../Cargo.lock")),
            toolchain: env!("GLYPH_LEDGER_TOOLCHAIN").to_owned(),
        }
    }

    /// That of the newest run of `ledger`, with the run; `None` if there was no run yet.
    pub fn of_last_run(
        ledger: &Ledger,
        objects: &dyn Objects,
    ) -> Result<Option<(EventId, Self)>, MigrateError> {
        let runs = ledger.state().runs();
        let open = runs.open.as_ref().map(|open| open.started_seq);
        let Some(seq) = open.or(runs.finished.last().map(|run| run.started_seq)) else {
            return Ok(None);
        };
        let recorded = ledger.event(seq)?;
        let Body::RunStarted(started) = &recorded.event.body else { return Ok(None) };
        Ok(Some((recorded.id, Self::of_run(recorded.id, started, objects)?)))
    }

    /// That of one run.
    pub(super) fn of_run(
        run: EventId,
        started: &RunStarted,
        objects: &dyn Objects,
    ) -> Result<Self, MigrateError> {
        let bytes = objects.get(&started.environment)?;
        cbor::from_bytes(&bytes, EVENT_DEPTH_MAX).map_err(|error| MigrateError::NoEnvironment {
            reason: format!("that of run {} cannot be read: {error}", run.short()),
        })
    }

    /// Refuses unless this program's environment is exactly this one, which `by` recorded.
    pub fn must_be_here(&self, by: &str) -> Result<(), MigrateError> {
        let differences = self.differences(&Self::here());
        if differences.is_empty() {
            return Ok(());
        }
        Err(MigrateError::OtherEnvironment { by: by.to_owned(), differences })
    }

    /// What differs, each as what it was and what it is.
    fn differences(&self, now: &Self) -> Vec<String> {
        let (lockfile, lockfile_now) = (self.lockfile.to_string(), now.lockfile.to_string());
        let fields: [(&str, &str, &str); 5] = [
            ("tool", &self.tool, &now.tool),
            ("sqlite", &self.sqlite, &now.sqlite),
            ("platform", &self.platform, &now.platform),
            ("lockfile", &lockfile, &lockfile_now),
            ("toolchain", &self.toolchain, &now.toolchain),
        ];
        let differing = fields.into_iter().filter(|(_, was, is)| was != is);
        differing.map(|(name, was, is)| format!("{name} was {was:?} and is {is:?}")).collect()
    }

    /// As a run keeps it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        // Texts and a hash, all of which can be encoded.
        cbor::to_value(self).map(|value| value.encode()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m17_the_same_environment_is_here_and_what_is_kept_is_read_again() {
        let here = Environment::here();
        here.must_be_here("the plan").unwrap();
        let read: Environment = cbor::from_bytes(&here.bytes(), EVENT_DEPTH_MAX).unwrap();
        assert_eq!(read, here);
        assert!(here.toolchain.starts_with("rustc "), "{}", here.toolchain);
    }

    #[test]
    fn m17_each_field_that_differs_is_named_with_both_sides() {
        let here = Environment::here();
        let other = |change: &dyn Fn(&mut Environment)| {
            let mut other = here.clone();
            change(&mut other);
            other
        };
        let changed = [
            ("tool", other(&|one| one.tool.push('x'))),
            ("sqlite", other(&|one| one.sqlite.push('x'))),
            ("platform", other(&|one| one.platform.push('x'))),
            ("lockfile", other(&|one| one.lockfile = ContentHash::of(b"x"))),
            ("toolchain", other(&|one| one.toolchain.push('x'))),
        ];
        for (name, other) in changed {
            let error = other.must_be_here("the plan").unwrap_err();
            let MigrateError::OtherEnvironment { differences, .. } = error else {
                panic!("{name}: {error}")
            };
            assert_eq!(differences.len(), 1, "{name}");
            assert!(differences[0].starts_with(&format!("{name} was ")), "{differences:?}");
        }
    }
}
