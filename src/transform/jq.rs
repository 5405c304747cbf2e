//! jq programs, without the functions that would make their results depend on anything but their input: no clock, no
//! environment, no other input, no output beside the result, no end of the process.
//! Bytes come and go as jq's byte strings.

use std::collections::BTreeMap;
use std::fmt;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Native, Vars, compile, data, load, unwrap_valr};
use jaq_json::{Num, Val};

use super::step::{Jq, Step};
use crate::document::json::DEPTH_MAX;
use crate::document::{Map, Number, Value};

type Data = data::JustLut<Val>;

/// Functions that see or do something outside of the program.
const REFUSED: &[&str] = &[
    "debug",
    "debug_empty",
    "env",
    "halt",
    "halt_error",
    "input",
    "inputs",
    "localtime",
    "now",
    "stderr",
    "stderr_empty",
    "strflocaltime",
];

/// The jq programs that steps name, compiled once for all documents.
#[derive(Debug, Default)]
pub struct Programs {
    /// Under their text.
    inline: BTreeMap<String, Program>,
    /// Under the names of their files.
    files: BTreeMap<String, Program>,
}

impl Programs {
    /// Compiles every program in `steps`, which name no files.
    pub fn of(steps: &[Step]) -> Result<Self, JqError> {
        Self::with_files(steps, &BTreeMap::new())
    }

    /// Compiles every program in `steps`, of which some stand in `files`.
    pub fn with_files(steps: &[Step], files: &BTreeMap<String, Vec<u8>>) -> Result<Self, JqError> {
        let mut programs = Self::default();
        programs.take(steps, files)?;
        Ok(programs)
    }

    /// The result of the program of `jq` for `input`.
    pub(super) fn run_step(&self, jq: &Jq, input: &Value) -> Result<Value, JqError> {
        match (&jq.program, &jq.file) {
            (Some(text), None) => self.run(text, input),
            (None, Some(file)) => {
                let missing = || JqError::Program(format!("{file} was not compiled"));
                self.files.get(file).ok_or_else(missing)?.run(input)
            }
            _ => Err(JqError::Unclear),
        }
    }

    /// The result of the program `text` for `input`.
    pub(super) fn run(&self, text: &str, input: &Value) -> Result<Value, JqError> {
        let missing = || JqError::Program("it was not compiled".to_owned());
        self.inline.get(text).ok_or_else(missing)?.run(input)
    }

    fn take(&mut self, steps: &[Step], files: &BTreeMap<String, Vec<u8>>) -> Result<(), JqError> {
        for step in steps {
            match step {
                Step::Add(put) | Step::Set(put) | Step::Merge(put) => {
                    put.jq.iter().try_for_each(|text| self.compile(text))?;
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
            self.inline.insert(text.to_owned(), Program::compile(text)?);
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
            self.files.insert(name.to_owned(), Program::compile(text)?);
        }
        Ok(())
    }
}

/// A compiled jq program.
pub struct Program {
    filter: compile::Filter<Native<Data>>,
}

/// A jq program that cannot be compiled, or has no one result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JqError {
    /// It is no jq, or names what there is not.
    #[error("not a jq program: {0}")]
    Program(String),
    /// A step that must name its program says it twice or not at all.
    #[error("the step must have either a program or a file with one")]
    Unclear,
    /// It failed.
    #[error("the jq program failed: {0}")]
    Failed(String),
    /// It gave no result.
    #[error("the jq program gave no result")]
    Nothing,
    /// It gave more than one.
    #[error("the jq program gave more than one result")]
    Several,
    /// Its result is no value of a document.
    #[error("the jq program gave {0}, which no document can hold")]
    Value(&'static str),
}

impl Program {
    /// Compiles a program.
    pub fn compile(text: &str) -> Result<Self, JqError> {
        let allowed = |name: &str| !REFUSED.contains(&name);
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(defs.filter(|def| allowed(def.name)))
            .load(&arena, File { code: text, path: () })
            .map_err(|errors| JqError::Program(load_errors(&errors)))?;
        let filter = Compiler::default()
            .with_funs(funs.filter(|fun| allowed(fun.0)))
            .compile(modules)
            .map_err(|errors| JqError::Program(compile_errors(&errors)))?;
        Ok(Self { filter })
    }

    /// The one result of the program for `input`.
    pub fn run(&self, input: &Value) -> Result<Value, JqError> {
        let context = Ctx::<Data>::new(&self.filter.lut, Vars::new([]));
        let mut results = self.filter.id.run((context, to_jq(input))).map(unwrap_valr);
        let result = results.next().ok_or(JqError::Nothing)?;
        let result = result.map_err(|error| JqError::Failed(error.to_string()))?;
        match results.next() {
            None => from_jq(&result, DEPTH_MAX),
            Some(Ok(_)) => Err(JqError::Several),
            Some(Err(error)) => Err(JqError::Failed(error.to_string())),
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Program")
    }
}

fn load_errors(errors: &load::Errors<&str, ()>) -> String {
    let mut words = Vec::new();
    for (_, error) in errors {
        match error {
            load::Error::Io(errors) => {
                words.extend(errors.iter().map(|(path, error)| format!("{path}: {error}")));
            }
            load::Error::Lex(errors) => {
                words.extend(
                    errors
                        .iter()
                        .map(|(expected, at)| format!("{} expected at {at:?}", expected.as_str())),
                );
            }
            load::Error::Parse(errors) => {
                words.extend(
                    errors
                        .iter()
                        .map(|(expected, at)| format!("{} expected at {at:?}", expected.as_str())),
                );
            }
        }
    }
    words.join("; ")
}

fn compile_errors(errors: &compile::Errors<&str, ()>) -> String {
    let named = errors.iter().flat_map(|(_, errors)| errors);
    let words = named.map(|(name, undefined)| {
        if REFUSED.contains(name) {
            format!("{name} would make the result depend on more than the document")
        } else {
            format!("there is no {} {name}", undefined.as_str())
        }
    });
    words.collect::<Vec<_>>().join("; ")
}

fn to_jq(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(truth) => Val::Bool(*truth),
        Value::Number(number) => Val::Num(to_num(number)),
        Value::Text(text) => Val::utf8_str(text.to_string()),
        Value::Bytes(bytes) => Val::byte_str(bytes.to_vec()),
        Value::List(values) => Val::Arr(values.iter().map(to_jq).collect::<Vec<_>>().into()),
        Value::Map(map) => Val::obj(
            map.iter().map(|(key, value)| (Val::utf8_str(key.to_string()), to_jq(value))).collect(),
        ),
    }
}

/// Integers as integers, unless their digits would be lost (`-0`); everything else by its digits.
fn to_num(number: &Number) -> Num {
    let digits = number.digits();
    Num::from_str_radix(digits, 10)
        .filter(|integer| integer.to_string() == digits)
        .unwrap_or_else(|| Num::Dec(digits.to_owned().into()))
}

/// Bytes are the language's own byte strings, one to one. `depth_left` is how many lists and objects may still nest.
fn from_jq(value: &Val, depth_left: usize) -> Result<Value, JqError> {
    match value {
        Val::Null => Ok(Value::Null),
        Val::Bool(truth) => Ok(Value::Bool(*truth)),
        Val::Num(number) => {
            let number = Number::parse(&number.to_string());
            number.map(Value::Number).ok_or(JqError::Value("a number without digits"))
        }
        Val::TStr(text) => Ok(Value::text(utf8(text)?)),
        Val::BStr(bytes) => Ok(Value::Bytes(bytes.to_vec().into())),
        Val::Arr(_) | Val::Obj(_) if depth_left == 0 => {
            Err(JqError::Value("a value nested too deep"))
        }
        Val::Arr(values) => {
            let values = values.iter().map(|value| from_jq(value, depth_left - 1));
            values.collect::<Result<_, _>>().map(Value::List)
        }
        Val::Obj(map) => {
            let mut object = Map::new();
            for (key, value) in map.iter() {
                let Val::TStr(key) = key else {
                    return Err(JqError::Value("a key that is no text"));
                };
                object.set(utf8(key)?, from_jq(value, depth_left - 1)?);
            }
            Ok(object.into())
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, JqError> {
    std::str::from_utf8(bytes).map_err(|_| JqError::Value("text that is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;
    use crate::document::json;

    fn run(program: &str, input: &str) -> Result<String, JqError> {
        let input = json::read(input.as_bytes()).unwrap().value;
        let result = Program::compile(program)?.run(&input)?;
        let plain = json::Style {
            indent: None,
            colon: "".into(),
            end: "".into(),
            ..json::Style::default()
        };
        Ok(json::write(&result, &plain).unwrap())
    }

    quickcheck! {
        fn a_value_passes_through_untouched(value: Value) -> bool {
            Program::compile(".").unwrap().run(&value) == Ok(value)
        }
    }

    #[test]
    fn programs_compute() {
        assert_eq!(run(".a + 1", r#"{"a":41}"#).unwrap(), "42");
        assert_eq!(
            run("{b: .a, a: .b}", r#"{"a":1.50,"b":12345678901234567890123}"#).unwrap(),
            r#"{"b":1.50,"a":12345678901234567890123}"#
        );
        assert_eq!(
            run(r#".s | ascii_downcase | gsub("[^a-z]+"; "-")"#, r#"{"s":"Ab Cd"}"#).unwrap(),
            "\"ab-cd\""
        );
    }

    #[test]
    fn what_sees_more_than_the_document_is_refused_by_name() {
        for name in [
            "now",
            "env",
            "input",
            "[inputs]",
            "halt",
            "debug",
            "stderr",
            "localtime",
            "halt_error(3)",
        ] {
            let error = run(name, "null").unwrap_err();
            assert!(matches!(&error, JqError::Program(_)), "{name}: {error}");
        }
        assert!(
            run("now", "null")
                .unwrap_err()
                .to_string()
                .contains("now would make the result depend on more")
        );
        assert!(run("$ENV", "null").is_err());
    }

    #[test]
    fn everything_but_one_good_result_is_an_error() {
        assert!(matches!(run(".a |", "null"), Err(JqError::Program(_))));
        assert!(
            matches!(run("nosuch", "null"), Err(JqError::Program(text)) if text.contains("nosuch"))
        );
        assert!(matches!(run(".a", "1"), Err(JqError::Failed(_))));
        assert_eq!(run("empty", "null"), Err(JqError::Nothing));
        assert_eq!(run("1, 2", "null"), Err(JqError::Several));
        assert_eq!(run("infinite", "null"), Err(JqError::Value("a number without digits")));
        assert_eq!(
            run("reduce range(600) as $i (0; [.])", "0"),
            Err(JqError::Value("a value nested too deep"))
        );
    }

    #[test]
    fn bytes_are_byte_strings() {
        let bytes = Value::Bytes([0, 0xff].into());
        let run = |program: &str| Program::compile(program).unwrap().run(&bytes).unwrap();
        assert_eq!(run("."), bytes);
        assert_eq!(run("[tobytes, length]"), Value::List(vec![bytes.clone(), 2.into()]));
        let text = Program::compile("tobytes").unwrap().run(&Value::text("a")).unwrap();
        assert_eq!(text, Value::Bytes([b'a'].into()));
    }
}
