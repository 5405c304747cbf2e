//! The line that stands for one event in a flat export (SPEC §11.1): the columns of a line, and a
//! column for every field that the body of any kind can have. For programs that guess the type of a
//! column from the first lines they see; what proves something is the line of [`crate::line`].
//! Knows no file and no other line.

#[cfg(test)]
mod fields;

use crate::cbor::Value;
use crate::column::{Column, Holds};
use crate::event::{EVENT_BYTES_MAX, EventError};
use crate::hash::hex;
use crate::head::SignedHead;
use crate::json;
use crate::line::{COLUMNS, LINE_BYTES_MAX, Line, LineError};
use crate::row::Row;

/// The name of this form of line.
pub const FLAT_SCHEMA: &str = "glyph-ledger/flat/1";

/// The name of the first line of a flat export, which is no event.
pub const TYPES_SCHEMA: &str = "glyph-ledger/flat-types/1";

/// Longest line of a flat export, in bytes: a line, and once more the texts of the body, where a
/// control character takes six bytes or, in verdicts, seven; the rest are names and nulls.
pub const FLAT_LINE_BYTES_MAX: usize = LINE_BYTES_MAX + 7 * EVENT_BYTES_MAX + 4_096;

/// The last column: whether the columns of the body say all that it says.
const COMPLETE: Column = Column { name: "body_complete", holds: Holds::Boolean, nullable: false };

/// A column for one field of a body.
struct BodyColumn {
    column: Column,
    /// The keys that lead to the field.
    path: &'static [&'static str],
}

macro_rules! body_columns {
    ($($holds:ident $($key:ident)+,)*) => {
        &[$(BodyColumn {
            column: Column {
                name: concat!("body", $("_", stringify!($key)),+),
                holds: Holds::$holds,
                nullable: true,
            },
            path: &[$(stringify!($key)),+],
        }),*]
    };
}

/// Every field of every kind's body, ordered by path. Fields of the same path share a column.
const BODY_COLUMNS: &[BodyColumn] = body_columns! {
    Text accepted_loss,
    Integer audit bytes,
    Text audit content,
    Text audit database page_root,
    Text audit database rows,
    Text audit database schema,
    Integer audit document bytes,
    Text audit document content,
    Integer audit document mode,
    Text audit line,
    Integer audit log bytes,
    Text audit log content,
    Text audit log tail,
    Text audit object,
    Text bundle,
    Integer bytes,
    Text cause,
    Text certificate,
    Text changes,
    Integer clock_ms,
    Text code,
    Text continues ledger,
    Text continues root,
    Integer continues size,
    Text contract,
    Text contract_version,
    Integer count,
    Text digest,
    Text edge,
    Text edges,
    Text environment,
    Text fingerprint,
    Text from,
    Integer images,
    Integer keep,
    Text key,
    Text loss,
    Text loss_list,
    Integer lost,
    Text message,
    Text nonce,
    Text object,
    Integer objects,
    Boolean open,
    Text operator,
    Text origin,
    Boolean pass,
    Integer places,
    Text plan,
    Text policy,
    Text possession,
    Text proof,
    Text public_key,
    Text purpose,
    Boolean reads_inputs,
    Text reason,
    Text recovery,
    Text renamed,
    Text result database page_root,
    Text result document content,
    Text roles,
    Integer route,
    Text run,
    Text seed,
    Integer size,
    Text source database page_root,
    Text source database rows,
    Text source database schema,
    Integer source document bytes,
    Text source document content,
    Integer source document mode,
    Integer source log bytes,
    Text source log content,
    Text source log tail,
    Text state database page_root,
    Text state database rows,
    Text state database schema,
    Integer state document bytes,
    Text state document content,
    Integer state document mode,
    Integer state log bytes,
    Text state log content,
    Text state log tail,
    Integer step,
    Integer suspect_since,
    Text target database page_root,
    Text target database rows,
    Text target database schema,
    Integer target document bytes,
    Text target document content,
    Integer target document mode,
    Integer target log bytes,
    Text target log content,
    Text target log tail,
    Text to,
    Integer to_size,
    Text verdicts,
    Text version,
};

/// The columns of every line of a flat export, in order.
pub fn flat_columns() -> impl Iterator<Item = Column> {
    let body = BODY_COLUMNS.iter().map(|column| column.column);
    COLUMNS.into_iter().chain(body).chain([COMPLETE])
}

/// The first line of a flat export, without a newline: an empty text, 0 or false in every column, so
/// that whoever guesses types from the first lines finds one in each. Its schema is
/// [`TYPES_SCHEMA`] and its kind is the empty text, which is no event's.
#[must_use]
pub fn types_line() -> String {
    let mut row = Row::default();
    for Column { name, holds, .. } in flat_columns() {
        match holds {
            _ if name == "schema" => row.plain(name, TYPES_SCHEMA),
            Holds::Text => row.plain(name, ""),
            Holds::Integer => row.number(name, 0),
            Holds::Boolean => row.boolean(name, false),
        }
    }
    row.finish()
}

/// The line, without a newline, of the event stored as `bytes`, and of the head that closes its batch
/// where it is the batch's last.
pub fn flat_line(bytes: &[u8], head: Option<&SignedHead>) -> Result<String, LineError> {
    let line = Line::implied(bytes, head)?;
    let body = line.event.body.to_value().map_err(EventError::from)?;
    let mut cells = [const { None }; BODY_COLUMNS.len()];
    place(&body, &mut Vec::new(), &mut cells)?;
    let mut row = Row::with_capacity(6_144);
    line.write(FLAT_SCHEMA, &body, &mut row)?;
    let mut complete = true;
    for (BodyColumn { column, path }, cell) in BODY_COLUMNS.iter().zip(cells) {
        match cell {
            Some(value) => complete &= write(column, path, value, &mut row)?,
            None => row.null(column.name),
        }
    }
    row.boolean(COMPLETE.name, complete);
    Ok(row.finish())
}

/// Puts `value`, to which `path` leads, and all that is in it into the cells of their columns.
fn place<'body>(
    value: &'body Value,
    path: &mut Vec<&'body str>,
    cells: &mut [Option<&'body Value>; BODY_COLUMNS.len()],
) -> Result<(), LineError> {
    let at = BODY_COLUMNS.binary_search_by(|column| column.path.cmp(path.as_slice()));
    match (at.ok().and_then(|at| cells.get_mut(at)), value) {
        (Some(cell), value) => *cell = Some(value),
        (None, Value::Map(fields)) => {
            for (key, field) in fields.iter() {
                path.push(key);
                place(field, path, cells)?;
                path.pop();
            }
        }
        (None, _) => return Err(no_column(path)),
    }
    Ok(())
}

/// Writes `value` and says whether the column holds it: an integer beyond [`json::NUMBER_MAX`] is
/// only in the columns `body` and `bytes`.
fn write(column: &Column, path: &[&str], value: &Value, row: &mut Row) -> Result<bool, LineError> {
    let name = column.name;
    match (column.holds, value) {
        (Holds::Text, Value::Text(text)) => row.escaped(name, Some(text))?,
        (Holds::Text, Value::Bytes(bytes)) => row.plain(name, &hex(bytes)),
        (Holds::Text, Value::Map(_) | Value::Array(_)) => {
            row.escaped(name, Some(&json::to_text(value)))?;
        }
        (Holds::Boolean, Value::Bool(truth)) => row.boolean(name, *truth),
        (Holds::Integer, Value::Integer(number)) => match u64::try_from(number.get()) {
            Ok(number) if i128::from(number) <= json::NUMBER_MAX => row.number(name, number),
            _ => {
                row.null(name);
                return Ok(false);
            }
        },
        _ => return Err(no_column(path)),
    }
    Ok(true)
}

fn no_column(path: &[&str]) -> LineError {
    LineError::NoColumn { path: path.join(".") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Map, Value as Json};

    use super::*;
    use crate::body::{
        Body, Cause, ObjectMigrated, ObjectObserved, ObjectState, RunStarted, Verdict, samples,
    };
    use crate::column::holds;
    use crate::event::Event;
    use crate::hash::{ContentHash, EventId, KeyId, LedgerId};

    fn event(body: Body) -> Vec<u8> {
        let (actor, ledger) = (KeyId::of(&[3; 32]), LedgerId::of(&[1; 32], &[2; 16]));
        let event = Event { at: 5, seq: 3, body, prev: EventId::of(b"before"), actor, ledger };
        event.encode().unwrap()
    }

    fn columns(body: Body) -> Map<String, Json> {
        serde_json::from_str(&flat_line(&event(body), None).unwrap()).unwrap()
    }

    /// The body put together again from its columns.
    fn body_of(columns: &Map<String, Json>) -> Json {
        let mut body = Json::Object(Map::new());
        for BodyColumn { column, path } in BODY_COLUMNS {
            let value = match &columns[column.name] {
                Json::Null => continue,
                Json::String(text)
                    if matches!(path, ["edges" | "renamed" | "roles" | "verdicts"]) =>
                {
                    serde_json::from_str(text).unwrap()
                }
                value => value.clone(),
            };
            let place = path.iter().fold(&mut body, |place, key| {
                place.as_object_mut().unwrap().entry(*key).or_insert_with(|| Map::new().into())
            });
            *place = value;
        }
        body
    }

    fn started() -> RunStarted {
        let body = samples::every_kind().into_iter().find_map(|body| match body {
            Body::RunStarted(started) => Some(started),
            _ => None,
        });
        body.unwrap()
    }

    #[test]
    fn every_field_that_a_body_can_have_has_its_column_and_no_column_is_without_a_field() {
        let columns: BTreeSet<_> = BODY_COLUMNS
            .iter()
            .map(|BodyColumn { column, path }| (path.join("."), format!("{:?}", column.holds)))
            .collect();
        assert_eq!(columns, fields::of_every_kind());
    }

    #[test]
    fn columns_are_ordered_by_path_and_each_has_a_name_of_its_own() {
        assert!(BODY_COLUMNS.is_sorted_by(|before, after| before.path < after.path));
        let names: BTreeSet<_> = flat_columns().map(|column| column.name).collect();
        assert_eq!(names.len(), flat_columns().count());
        for BodyColumn { column, path } in BODY_COLUMNS {
            assert_eq!(column.name, format!("body_{}", path.join("_")));
        }
    }

    #[test]
    fn every_line_has_every_column_and_the_first_has_no_null() {
        for body in samples::every_kind() {
            let line = columns(body);
            assert!(line.keys().eq(flat_columns().map(|column| column.name)));
            for (column, value) in flat_columns().zip(line.values()) {
                assert!(holds(column, value), "{}: {value}", column.name);
            }
        }
        let types: Map<String, Json> = serde_json::from_str(&types_line()).unwrap();
        assert!(types.keys().eq(flat_columns().map(|column| column.name)));
        for (column, value) in flat_columns().zip(types.values()) {
            assert!(holds(Column { nullable: false, ..column }, value), "{}: {value}", column.name);
        }
    }

    #[test]
    fn the_columns_of_a_line_stand_in_its_flat_line_and_the_body_can_be_had_back() {
        for body in samples::every_kind() {
            let flat = columns(body.clone());
            let line = Line::of(&event(body), None).unwrap();
            let line: Map<String, Json> = serde_json::from_str(&line).unwrap();
            for (name, value) in line.iter().filter(|(name, _)| *name != "schema") {
                assert_eq!(&flat[name], value, "{name}");
            }
            assert_eq!(
                (&flat["schema"], &flat["body_complete"]),
                (&FLAT_SCHEMA.into(), &true.into())
            );
            let body: Json = serde_json::from_str(line["body"].as_str().unwrap()).unwrap();
            assert_eq!(body_of(&flat), body);
        }
    }

    #[test]
    fn an_integer_that_no_column_holds_is_said_to_be_missing() {
        let columns_of = |clock_ms| columns(RunStarted { clock_ms, ..started() }.into());
        let most = columns_of((1 << 53) - 1);
        assert_eq!(most["body_clock_ms"], (1_u64 << 53) - 1);
        assert_eq!(most["body_complete"], true);
        for beyond in [1 << 53, u64::MAX] {
            let columns = columns_of(beyond);
            assert_eq!(
                (&columns["body_clock_ms"], &columns["body_complete"]),
                (&Json::Null, &false.into())
            );
            assert!(
                columns["body"].as_str().unwrap().contains(&format!("\"clock_ms\":\"{beyond}\""))
            );
        }
    }

    #[test]
    fn a_field_without_a_column_is_refused_and_never_left_out() {
        let refused =
            |body: Value| place(&body, &mut Vec::new(), &mut [const { None }; BODY_COLUMNS.len()]);
        let inner = crate::cbor::map([("news", 1_u64.into())]);
        let error = refused(crate::cbor::map([("state", inner)])).unwrap_err();
        assert_eq!(error, LineError::NoColumn { path: "state.news".into() });
        let column = Column { name: "body_lost", holds: Holds::Integer, nullable: true };
        let error = write(&column, &["lost"], &"one".into(), &mut Row::default()).unwrap_err();
        assert_eq!(error, LineError::NoColumn { path: "lost".into() });
    }

    #[test]
    fn a_flat_line_is_not_taken_for_a_line() {
        let flat = flat_line(&event(samples::every_kind().remove(0)), None).unwrap();
        for text in [types_line(), flat] {
            assert_eq!(Line::parse(&text), Err(LineError::Flat));
        }
    }

    #[test]
    fn the_longest_events_fit_the_longest_line() {
        let state = ObjectState::Document { content: ContentHash::of(b""), bytes: 0, mode: 0 };
        let observed = |object: String| ObjectObserved {
            object,
            cause: Cause::Baseline,
            state: state.clone(),
        };
        let migrated = samples::every_kind().into_iter().find_map(|body| match body {
            Body::ObjectMigrated(migrated) => Some(migrated),
            _ => None,
        });
        let migrated = migrated.unwrap();
        let judged = |name: String| {
            let verdicts = [(name, Verdict::NotApplicable)].into();
            ObjectMigrated { verdicts, ..migrated.clone() }
        };
        let room = |body: Body| EVENT_BYTES_MAX - event(body).len() - 2;
        for filling in ["\u{1}", "\"", "x", "é"] {
            let named = |room: usize| filling.repeat(room / filling.len());
            for body in [
                Body::from(observed(named(room(observed(String::new()).into())))),
                judged(named(room(judged(String::new()).into()))).into(),
            ] {
                let bytes = event(body);
                assert!(bytes.len() + 2 >= EVENT_BYTES_MAX, "{}", bytes.len());
                let text = flat_line(&bytes, None).unwrap();
                assert!(
                    text.len() + 2 * crate::note::NOTE_BYTES_MAX <= FLAT_LINE_BYTES_MAX,
                    "{}",
                    text.len()
                );
            }
        }
    }
}
