//! jq programs, without the functions that would make their results depend on anything but their input: no clock, no
//! environment, no other input, no output beside the result, no end of the process.
//! Bytes come and go as jq's byte strings.

use std::fmt;

use jaq_core::load::parse::Def;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::native::{bome, run as native, v};
use jaq_core::{Compiler, Ctx, Native, Vars, compile, data, load, unwrap_valr};
use jaq_json::{Num, Rc, Val};

use super::parameters::Parameters;
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

/// What every program sees beside its input: an object of the values given from outside.
const PARAMETERS: &str = "$parameters";

/// What every program can use beside the functions of jq.
const DEFINITIONS: &str = r#"def parameter($name):
    if $parameters | has($name) then $parameters[$name]
    else error("the parameter \($name) is not given") end;"#;

/// The name of the parameter that a program asked for in vain, by the message of its error.
pub fn missing_parameter(message: &str) -> Option<&str> {
    let (_, after) = message.split_once("\"the parameter ")?;
    Some(after.split_once(" is not given\"")?.0)
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
        Self::with_definitions(text, "")
    }

    /// Compiles a program that uses functions of `definitions`.
    pub fn with_definitions(text: &str, definitions: &str) -> Result<Self, JqError> {
        let allowed = |name: &str| !REFUSED.contains(&name);
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let defs = defs.filter(|def| allowed(def.name)).map(for_as_long);
        let own = definitions_of(DEFINITIONS)?.into_iter().chain(definitions_of(definitions)?);
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let own_funs = [native(("upcase", v(0), |cv| bome(upcase(cv.1))))];
        let arena = Arena::default();
        let modules = Loader::new(defs.chain(own))
            .load(&arena, File { code: text, path: () })
            .map_err(|errors| JqError::Program(load_errors(&errors)))?;
        let filter = Compiler::default()
            .with_funs(funs.filter(|fun| allowed(fun.0)).chain(own_funs))
            .with_global_vars([PARAMETERS])
            .compile(modules)
            .map_err(|errors| JqError::Program(compile_errors(&errors)))?;
        Ok(Self { filter })
    }

    /// The one result of the program for `input`, without parameters.
    pub fn run(&self, input: &Value) -> Result<Value, JqError> {
        self.run_with(input, &Parameters::default())
    }

    /// The one result of the program for `input`.
    pub fn run_with(&self, input: &Value, parameters: &Parameters) -> Result<Value, JqError> {
        self.result(to_jq(input), to_jq(&parameters.to_value()))
    }

    /// The one result of the program; nothing if it is `input` itself, of which no part was made anew.
    pub(super) fn change(&self, input: &Val, parameters: Val) -> Result<Option<Value>, JqError> {
        let result = self.one(input.clone(), parameters)?;
        if is_same(input, &result) { Ok(None) } else { from_jq(&result, DEPTH_MAX).map(Some) }
    }

    pub(super) fn result(&self, input: Val, parameters: Val) -> Result<Value, JqError> {
        from_jq(&self.one(input, parameters)?, DEPTH_MAX)
    }

    fn one(&self, input: Val, parameters: Val) -> Result<Val, JqError> {
        let context = Ctx::<Data>::new(&self.filter.lut, Vars::new([parameters]));
        let mut results = self.filter.id.run((context, input)).map(unwrap_valr);
        let result = results.next().ok_or(JqError::Nothing)?;
        let result = result.map_err(|error| JqError::Failed(error.to_string()))?;
        match results.next() {
            None => Ok(result),
            Some(Ok(_)) => Err(JqError::Several),
            Some(Err(error)) => Err(JqError::Failed(error.to_string())),
        }
    }
}

/// Whether two values are one list or one object, in the same memory.
fn is_same(one: &Val, other: &Val) -> bool {
    match (one, other) {
        (Val::Arr(one), Val::Arr(other)) => Rc::ptr_eq(one, other),
        (Val::Obj(one), Val::Obj(other)) => Rc::ptr_eq(one, other),
        _ => false,
    }
}

/// A definition of jq's own, beside others that live less long.
const fn for_as_long<'a>(definition: Def<&'static str>) -> Def<&'a str> {
    definition
}

/// A text in capital letters, of every script (jq's own `ascii_upcase` leaves all letters beyond ASCII).
fn upcase(value: Val) -> Result<Val, jaq_core::Error<Val>> {
    match value {
        Val::TStr(bytes) => Ok(text(&String::from_utf8_lossy(&bytes).to_uppercase())),
        other => Err(jaq_core::Error::typ(other, "string")),
    }
}

fn text(text: &str) -> Val {
    Val::utf8_str(text.to_owned())
}

fn definitions_of(text: &str) -> Result<Vec<Def<&str>>, JqError> {
    load::parse(text, |parser| parser.defs())
        .ok_or_else(|| JqError::Program("its definitions are none".to_owned()))
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

pub(super) fn to_jq(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(truth) => Val::Bool(*truth),
        Value::Number(number) => Val::Num(to_num(number)),
        Value::Text(value) => text(value),
        Value::Bytes(bytes) => Val::byte_str(bytes.to_vec()),
        Value::List(values) => Val::Arr(values.iter().map(to_jq).collect::<Vec<_>>().into()),
        Value::Map(map) => {
            Val::obj(map.iter().map(|(key, value)| (text(key), to_jq(value))).collect())
        }
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
    fn parameters_are_seen_and_absent_ones_are_null() {
        let given: Parameters = [("a".to_owned(), Value::text("x"))].into_iter().collect();
        let program = Program::compile("[., $parameters.a, $parameters.b]").unwrap();
        let list = |a| Value::from(vec![1.into(), a, Value::Null]);
        assert_eq!(program.run_with(&1.into(), &given).unwrap(), list(Value::text("x")));
        assert_eq!(program.run(&1.into()).unwrap(), list(Value::Null));
    }

    #[test]
    fn bytes_are_byte_strings() {
        let bytes = Value::Bytes([0, 0xff].into());
        let run = |program: &str| Program::compile(program).unwrap().run(&bytes).unwrap();
        assert_eq!(run("."), bytes);
        assert_eq!(run("[tobytes, length]"), Value::from(vec![bytes.clone(), 2.into()]));
        let text = Program::compile("tobytes").unwrap().run(&Value::text("a")).unwrap();
        assert_eq!(text, Value::Bytes([b'a'].into()));
    }
}
