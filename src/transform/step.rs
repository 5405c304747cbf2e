//! What a step may be. Data only: what it does to a document stands in [`super::steps`].

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::document::{Pointer, Value};
use crate::glyphser::Formula;

/// One step of an edge or of a normalisation: a map with one key, the name of the operation.
///
/// Places are JSON Pointers (RFC 6901) from the root of the document, or inside `each` from the element at hand. What a
/// place does not hold is an error unless the step says `optional: true`; what must be absent and is there, always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A script of SQL statements, run in one transaction.
    Sql(Sql),
    /// Gives a key another name; it keeps its position.
    Rename(Rename),
    /// Takes a value to another place, which must be free; its new key goes last.
    Move(Transfer),
    /// Puts a copy of a value at another place, which must be free.
    Copy(Transfer),
    /// Puts a value where there is none; where there is one, nothing happens.
    Add(Put),
    /// Puts a value, whatever stood there.
    Set(Put),
    /// Puts those keys of an object that are not there yet into it.
    Merge(Put),
    /// Takes a value away.
    Remove(Place),
    /// Writes a scalar as another kind of scalar.
    Convert(Convert),
    /// Replaces a scalar by the one that a table has for it.
    MapValues(MapValues),
    /// Moves keys of an object into a new object in it.
    Nest(Group),
    /// Moves keys of an object in an object out into the outer one, and removes the inner one, which must then be empty.
    Hoist(Group),
    /// Puts a value into a new object, under a key.
    Wrap(Wrap),
    /// Puts the only value of an object in the object's place.
    Unwrap(Wrap),
    /// Takes the steps on each element of a list, or each value of an object.
    Each(Each),
    /// Takes the steps if a condition holds.
    When(When),
    /// Refuses the document unless what stands at a place, if anything does, is of a kind.
    Require(Require),
    /// Sees to it that a value of a kind stands at a place: puts one where there is none, and refuses the document where
    /// there is one of another kind.
    Ensure(Ensure),
    /// Puts the one result of a jq program in the place of its input.
    Jq(Jq),
    /// Computes a hash by another formula, after comparing what stands there with the present one.
    Rehash(Rehash),
    /// Puts the one result of an external program in the place of its input.
    Program(External),
}

/// A script of SQL statements. Written as its file's name, if it has nothing else to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    /// The script: a file beside the contract.
    pub script: String,
    /// A second script that belongs to the first and runs after it in the same transaction: the row by which somebody
    /// else's tool keeps account of the first. Where the first has transactions of its own, this one follows in one more.
    pub record: Option<String>,
    /// Whether the script is run without a transaction around it, as the tool that it was written for does.
    pub no_transaction: bool,
    /// What becomes of foreign keys meanwhile, unless the script's own first `PRAGMA foreign_keys` says otherwise.
    pub foreign_keys: ForeignKeyMode,
}

/// What becomes of foreign keys while a script of SQL runs. Whichever it is, no run ends with more rows that break one
/// than it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignKeyMode {
    /// SQLite enforces them, and does what they say about rows that go; after the step no more rows may break one.
    #[default]
    On,
    /// SQLite leaves them alone; after the step no more rows may break one.
    Off,
    /// SQLite leaves them alone, and what breaks one is looked for after the last step only: a later step may mend it.
    AtEnd,
}

impl ForeignKeyMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::On, Self::Off, Self::AtEnd];

    /// Its name in a contract and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::AtEnd => "at-end",
        }
    }

    /// The one of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

impl Sql {
    /// A script that has nothing else to say.
    pub fn of(script: impl Into<String>) -> Self {
        let (record, foreign_keys) = (None, ForeignKeyMode::default());
        Self { script: script.into(), record, no_transaction: false, foreign_keys }
    }
}

/// A key and its new name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// Where it stands.
    pub path: Pointer,
    /// Its new name in the same object.
    pub to: String,
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// Two places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Where the value stands.
    pub from: Pointer,
    /// Where it goes.
    pub to: Pointer,
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// A place and what to put there. Exactly one of `value`, `jq` and `groups` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    /// The place.
    pub path: Pointer,
    /// The value.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// A jq program that makes the value of the document.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub jq: Option<String>,
    /// The places that the program sees of the document (`*` in a place: each element, each value); all of it, if this is
    /// not given.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<Pointer>>,
    /// What the elements of a list come to, put together.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
    /// Why, as the list of changes says it. Of `merge`, `{key}` in it is the key that was put.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A list, and how its elements are put together: a list of objects, one for each name, in the order in which names appear.
/// Places are meant from the element, but for `of`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// The list.
    pub of: Pointer,
    /// What must hold of an element for it to count.
    #[serde(
        rename = "where",
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub only: Option<Condition>,
    /// Where the name of an element's group stands: a text with more in it than white space.
    pub by: Pointer,
    /// The name of the group of elements that name none; they are in no group, if this is not given.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// What is asked of all elements of a group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Asked>,
    /// Lists of what stands at a place of each element of a group. They go last, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collect: Vec<Collected>,
    /// A jq program that makes the object of a group of its name and its answers; they are the object, if this is not given.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub jq: Option<String>,
}

/// A question about a group: true if the condition holds of every element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The key of the answer.
    pub name: String,
    /// The condition.
    #[serde(rename = "if")]
    pub condition: Condition,
    /// Of all elements of the list that count and have the same text here, the first one answers for the others.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub first_by: Option<Pointer>,
}

/// What stands at a place of each element of a group, in the order of the elements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collected {
    /// The key of the list.
    pub name: String,
    /// The place; elements without it add nothing.
    pub path: Pointer,
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The place.
    pub path: Pointer,
    /// Whether it may be empty.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// What must stand there for it to be taken away; anything else is refused.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
}

/// A scalar and the kind it is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convert {
    /// Where it stands.
    pub path: Pointer,
    /// What it becomes.
    pub to: Conversion,
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// A pair of kinds between which nothing is lost, one way and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conversion {
    /// A number becomes the text of its digits.
    NumberToText,
    /// A text that is a number becomes that number, digit for digit.
    TextToNumber,
    /// A boolean becomes 0 or 1.
    BooleanToInteger,
    /// 0 or 1 becomes a boolean.
    IntegerToBoolean,
}

/// A scalar and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapValues {
    /// Where it stands.
    pub path: Pointer,
    /// What becomes of which value. No value stands twice on the left.
    pub table: Vec<Mapping>,
    /// What happens to a value that is not in the table.
    #[serde(default)]
    pub otherwise: Otherwise,
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The value before.
    pub from: Value,
    /// The value after.
    pub to: Value,
}

/// What happens to a value that is not in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// The document is refused.
    #[default]
    Refuse,
    /// It stays.
    Keep,
}

/// Keys of an object that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The inner object.
    pub path: Pointer,
    /// The keys, in the order in which they are moved.
    pub keys: Vec<String>,
}

/// A value and the key around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrap {
    /// Where it stands.
    pub path: Pointer,
    /// The key.
    pub key: String,
}

/// Steps for each of several values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// The list or object.
    pub path: Pointer,
    /// What is done with each of its values.
    pub steps: Vec<Step>,
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// Steps under a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The condition.
    #[serde(rename = "if")]
    pub condition: Condition,
    /// What is done if it holds.
    pub steps: Vec<Step>,
}

/// What may be asked about a place. Everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The place.
    pub path: Pointer,
    /// This value stands there.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// None of these values stands there.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub not_in: Option<Vec<Value>>,
    /// A value of this kind stands there.
    #[serde(
        rename = "type",
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<Kind>,
    /// A text with more in it than white space stands there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub filled: bool,
    /// A text stands there that ends with one of these.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub ends_with: Option<Vec<String>>,
    /// No text stands there that ends with one of these.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub not_ends_with: Option<Vec<String>>,
    /// Nothing stands there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub absent: bool,
}

/// Kinds of values, under the names of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number that is written as an integer.
    Integer,
    /// Any number.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// An object.
    Object,
}

/// A kind that a value must have, if it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// The place.
    pub path: Pointer,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What the refusal says.
    pub message: String,
}

/// A kind of value that must stand at a place, and the value to put where nothing stands. Exactly one of `value`, `jq` and
/// `groups` is given.
///
/// In the place of a value of another kind it puts its own and goes on, so that everything that refuses the document is
/// found at once; the document stays refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ensure {
    /// The place.
    pub path: Pointer,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The value.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// A jq program that makes the value of the document.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub jq: Option<String>,
    /// The places that the program sees of the document, as in [`Put`].
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<Pointer>>,
    /// What the elements of a list come to, as in [`Put`].
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
    /// Whether nothing is put where nothing stands.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// Why, as the list of changes says it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the refusal says.
    pub message: String,
}

/// A jq program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jq {
    /// What it reads and replaces.
    #[serde(default)]
    pub path: Pointer,
    /// The program. It gives exactly one result.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// A file beside the contract that holds the program, in the place of `program`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A hash over a part of the document, and how it is computed before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehash {
    /// Where the hash stands: 64 lower-case hexadecimal digits, or 32 bytes. It keeps that form.
    pub at: Pointer,
    /// What is hashed.
    pub over: Pointer,
    /// How what stands there must have been computed; anything else is refused.
    pub from: Formula,
    /// How it is computed from now on. The same formula again only compares.
    pub to: Formula,
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

impl Step {
    /// The SQL it runs.
    pub const fn sql(&self) -> Option<&Sql> {
        if let Self::Sql(sql) = self { Some(sql) } else { None }
    }

    /// The steps inside it.
    pub fn body(&self) -> &[Self] {
        match self {
            Self::Each(each) => &each.steps,
            Self::When(when) => &when.steps,
            _ => &[],
        }
    }

    /// Whether it, or a step inside it, runs an external program.
    pub fn runs_program(&self) -> bool {
        matches!(self, Self::Program(_)) || self.body().iter().any(Self::runs_program)
    }

    /// Every file that it and the steps inside it name.
    pub fn files(&self) -> Vec<&str> {
        let (own, second) = match self {
            Self::Sql(sql) => (Some(sql.script.as_str()), sql.record.as_deref()),
            Self::Jq(jq) => (jq.file.as_deref(), None),
            _ => (None, None),
        };
        let external = match self {
            Self::Program(external) => external.files.as_slice(),
            _ => &[],
        };
        let own = own.into_iter().chain(second).chain(external.iter().map(String::as_str));
        own.chain(self.body().iter().flat_map(Self::files)).collect()
    }
}

impl Serialize for Sql {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let says_of_keys = self.foreign_keys != ForeignKeyMode::default();
        let said = [self.record.is_some(), self.no_transaction, says_of_keys];
        let fields = said.into_iter().filter(|said| *said).count();
        if fields == 0 {
            return to.serialize_str(&self.script);
        }
        let mut map = to.serialize_struct("Sql", 1 + fields)?;
        map.serialize_field("script", &self.script)?;
        if let Some(record) = &self.record {
            map.serialize_field("record", record)?;
        }
        if self.no_transaction {
            map.serialize_field("no_transaction", &true)?;
        }
        if says_of_keys {
            map.serialize_field("foreign_keys", &self.foreign_keys)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Sql {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SqlVisitor)
    }
}

/// Reads an SQL step in either of its two forms.
struct SqlVisitor;

/// The longer form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SqlFields {
    script: String,
    #[serde(default, deserialize_with = "given")]
    record: Option<String>,
    #[serde(default)]
    no_transaction: bool,
    #[serde(default)]
    foreign_keys: ForeignKeyMode,
}

impl<'de> Visitor<'de> for SqlVisitor {
    type Value = Sql;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a script, or a map of `script` and what else is said of it")
    }

    fn visit_str<E: de::Error>(self, script: &str) -> Result<Sql, E> {
        Ok(Sql::of(script))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sql, A::Error> {
        let SqlFields { script, record, no_transaction, foreign_keys } =
            SqlFields::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Sql { script, record, no_transaction, foreign_keys })
    }
}

/// An external program. It runs only where whoever runs the steps allows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// What it reads and replaces.
    #[serde(default)]
    pub path: Pointer,
    /// The program, which is one of `files` or an absolute path, and its arguments.
    pub argv: Vec<String>,
    /// Names of the files, kept with the contract, that lie in the folder in which it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The SHA-256 of the program, as lower-case hexadecimal digits: for an absolute path, and only for that.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Milliseconds after which it is killed.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

/// Time for a program that the contract gives none: most need far less, and nobody wants to wait longer.
const fn timeout_ms() -> u64 {
    10_000
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}

/// What is given where something may be left out: a value may be null, and anything else that is written with no value is
/// refused.
pub(crate) fn given<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(from).map(Some)
}
