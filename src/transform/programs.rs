//! What steps need beside the document that they cannot be looked into: compiled jq programs and the values given to them,
//! the files of external ones, and how to tell what they changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::difference::Identity;
use super::external::{self, ExternalError};
use super::jq::{JqError, Program, to_jq};
use super::parameters::Parameters;
use super::reads::seen;
use super::step::{Ensure, External, Jq, Put, Step};
use crate::document::{Pointer, Value};

/// The programs that steps name, made ready once for all documents. Clones share what was compiled.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    jq: Arc<Compiled>,
    /// What every jq program sees as `$parameters`.
    parameters: Parameters,
    /// The files that external programs may name; `None` where no external program may run.
    files: Option<Arc<BTreeMap<String, Vec<u8>>>>,
    identity: Identity,
}

impl Programs {
    /// Compiles every jq program in `steps`, which name no files. External programs are refused when their turn comes.
    pub fn of(steps: &[Step]) -> Result<Self, JqError> {
        Self::with_files(steps, &BTreeMap::new())
    }

    /// Compiles every jq program in `steps`, of which some stand in `files`.
    pub fn with_files(steps: &[Step], files: &BTreeMap<String, Vec<u8>>) -> Result<Self, JqError> {
        Self::with_definitions(steps, files, "")
    }

    /// Compiles every jq program in `steps`, of which some stand in `files`, and which use functions of `definitions`.
    pub fn with_definitions(
        steps: &[Step],
        files: &BTreeMap<String, Vec<u8>>,
        definitions: &str,
    ) -> Result<Self, JqError> {
        let mut jq = Compiled { definitions: definitions.to_owned(), ..Compiled::default() };
        jq.take(steps, files)?;
        Ok(Self { jq: Arc::new(jq), ..Self::default() })
    }

    /// The same programs, to see these parameters.
    #[must_use]
    pub fn with_parameters(self, parameters: Parameters) -> Self {
        Self { parameters, ..self }
    }

    /// Lets external programs run: as the user who runs this, with that user's rights. `files` are what they may name.
    #[must_use]
    pub fn allow_external(self, files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { files: Some(Arc::new(files)), ..self }
    }

    /// How elements of lists are told apart in what a jq program or an external one has changed.
    #[must_use]
    pub fn with_identity(self, identity: Identity) -> Self {
        Self { identity, ..self }
    }

    pub(super) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The result of the program of `jq` for `input`; nothing if that is its input, untouched.
    pub(super) fn run_step(&self, jq: &Jq, input: &Value) -> Result<Option<Value>, JqError> {
        let (program, name) = match (&jq.program, &jq.file) {
            (Some(text), None) => (self.jq.inline.get(text), "it"),
            (None, Some(file)) => (self.jq.files.get(file), file.as_str()),
            _ => return Err(JqError::Unclear),
        };
        let missing = || JqError::Program(format!("{name} was not compiled"));
        program.ok_or_else(missing)?.change(&to_jq(input), to_jq(&self.parameters.to_value()))
    }

    /// The result of the jq program `text` for what it reads of `input`.
    pub(super) fn run_jq(
        &self,
        text: &str,
        reads: Option<&[Pointer]>,
        input: &Value,
    ) -> Result<Value, JqError> {
        let missing = || JqError::Program("it was not compiled".to_owned());
        let program = self.jq.inline.get(text).ok_or_else(missing)?;
        program.result(seen(input, reads), to_jq(&self.parameters.to_value()))
    }

    /// The result of the external program `step` for `input`.
    pub(super) fn run_external(
        &self,
        step: &External,
        input: &Value,
    ) -> Result<Value, ExternalError> {
        external::run(step, self.files.as_ref().ok_or(ExternalError::NotAllowed)?, input)
    }
}

/// Compiled jq programs.
#[derive(Debug, Default)]
struct Compiled {
    /// Under their text.
    inline: BTreeMap<String, Program>,
    /// Under the names of their files.
    files: BTreeMap<String, Program>,
    /// Functions that all of them can use.
    definitions: String,
}

impl Compiled {
    fn take(&mut self, steps: &[Step], files: &BTreeMap<String, Vec<u8>>) -> Result<(), JqError> {
        for step in steps {
            match step {
                Step::Add(Put { jq, groups, .. })
                | Step::Set(Put { jq, groups, .. })
                | Step::Merge(Put { jq, groups, .. })
                | Step::Ensure(Ensure { jq, groups, .. }) => {
                    let of_groups = groups.as_ref().and_then(|groups| groups.jq.as_ref());
                    jq.iter().chain(of_groups).try_for_each(|text| self.compile(text))?;
                }
                Step::Jq(jq) => match (&jq.program, &jq.file) {
                    (Some(text), None) => self.compile(text)?,
                    (None, Some(file)) => self.compile_file(file, files)?,
                    _ => return Err(JqError::Unclear),
                },
                _ => {}
            }
            self.take(step.body(), files)?;
        }
        Ok(())
    }

    fn compile(&mut self, text: &str) -> Result<(), JqError> {
        if !self.inline.contains_key(text) {
            let program = Program::with_definitions(text, &self.definitions)?;
            self.inline.insert(text.to_owned(), program);
        }
        Ok(())
    }

    fn compile_file(
        &mut self,
        name: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), JqError> {
        if !self.files.contains_key(name) {
            let wrong = |why: &str| JqError::Program(format!("{name} {why}"));
            let bytes = files.get(name).ok_or_else(|| wrong("is not there"))?;
            let text = std::str::from_utf8(bytes).map_err(|_| wrong("is not UTF-8"))?;
            let program = Program::with_definitions(text, &self.definitions)?;
            self.files.insert(name.to_owned(), program);
        }
        Ok(())
    }
}
