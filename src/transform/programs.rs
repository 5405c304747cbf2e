//! What steps need beside the document that they cannot be looked into: compiled jq programs, the files of external ones, and
//! how to tell what they changed.

use std::collections::BTreeMap;

use super::difference::Identity;
use super::external::{self, ExternalError};
use super::jq::{JqError, Program};
use super::step::{External, Step};
use crate::document::Value;

/// The programs that steps name, made ready once for all documents.
#[derive(Debug, Default)]
pub struct Programs {
    jq: BTreeMap<String, Program>,
    /// The files that external programs may name; `None` where no external program may run.
    files: Option<BTreeMap<String, Vec<u8>>>,
    identity: Identity,
}

impl Programs {
    /// Compiles every jq program in `steps`. External programs are refused when their turn comes.
    pub fn of(steps: &[Step]) -> Result<Self, JqError> {
        let mut programs = Self::default();
        programs.take(steps)?;
        Ok(programs)
    }

    /// Lets external programs run: as the user who runs this, with that user's rights. `files` are what they may name.
    #[must_use]
    pub fn allow_external(self, files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { files: Some(files), ..self }
    }

    /// How elements of lists are told apart in what a jq program or an external one has changed.
    #[must_use]
    pub fn with_identity(self, identity: Identity) -> Self {
        Self { identity, ..self }
    }

    pub(super) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The result of the jq program `text` for `input`.
    pub(super) fn run_jq(&self, text: &str, input: &Value) -> Result<Value, JqError> {
        let missing = || JqError::Program("it was not compiled".to_owned());
        self.jq.get(text).ok_or_else(missing)?.run(input)
    }

    /// The result of the external program `step` for `input`.
    pub(super) fn run_external(
        &self,
        step: &External,
        input: &Value,
    ) -> Result<Value, ExternalError> {
        external::run(step, self.files.as_ref().ok_or(ExternalError::NotAllowed)?, input)
    }

    fn take(&mut self, steps: &[Step]) -> Result<(), JqError> {
        for step in steps {
            match step {
                Step::Add(put) | Step::Set(put) | Step::Merge(put) => {
                    put.jq.iter().try_for_each(|text| self.compile(text))?;
                }
                Step::Jq(jq) => self.compile(&jq.program)?,
                Step::Each(each) => self.take(&each.steps)?,
                Step::When(when) => self.take(&when.steps)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn compile(&mut self, text: &str) -> Result<(), JqError> {
        if !self.jq.contains_key(text) {
            self.jq.insert(text.to_owned(), Program::compile(text)?);
        }
        Ok(())
    }
}
