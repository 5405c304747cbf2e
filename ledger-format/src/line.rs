//! The line that stands for one event in a JSONL export (SPEC §11): fixed columns in a fixed order,
//! all of them implied by the event's bytes and, where a batch ends, by the head that closes it. A
//! line alone therefore proves its id and its columns. Knows no file and no other line.

use serde_json::Value as Json;

use crate::body::Body;
use crate::cbor::Value;
use crate::column::Column;
use crate::event::{EVENT_BYTES_MAX, Event, EventError, FORMAT};
use crate::flat::{FLAT_SCHEMA, TYPES_SCHEMA};
use crate::hash::{EventId, KeyId, hex, unhex};
use crate::head::{HeadError, SignedHead};
use crate::json;
use crate::note::NOTE_BYTES_MAX;
use crate::proved::PROVED_SCHEMA;
use crate::row::Row;

/// The name of this form of line.
pub const LINE_SCHEMA: &str = "glyph-ledger/event/1";

/// Longest line, in bytes. A control character in an object's name stands in three columns and
/// takes 15 bytes there, more than anything else an event's byte can become; a note's byte takes at
/// most two; the rest are columns of fixed width.
pub const LINE_BYTES_MAX: usize = 15 * EVENT_BYTES_MAX + 2 * NOTE_BYTES_MAX + 1_024;

/// The columns of every line, in order.
pub const COLUMNS: [Column; 16] = [
    Column::text("schema"),
    Column::integer("seq"),
    Column::text("id"),
    Column::integer("at"),
    Column::text("time"),
    Column::text("kind"),
    Column::text("actor"),
    Column::text("prev"),
    Column::text("ledger"),
    Column::integer("format"),
    Column::text("run").or_null(),
    Column::text("object").or_null(),
    Column::text("body"),
    Column::text("bytes"),
    Column::integer("size").or_null(),
    Column::text("head").or_null(),
];

/// What a line says, once it has been found to say only what its bytes imply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The event's id.
    pub id: EventId,
    /// The event.
    pub event: Event,
    /// The event's canonical bytes.
    pub bytes: Vec<u8>,
    /// The head over all events up to this one, where a batch ends here. It names this event's
    /// ledger, number and actor; its root and signature are not checked yet.
    pub head: Option<SignedHead>,
}

/// A text that is not the line of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Longer than lines of its form are.
    #[error("a line has at most {most} bytes, found {actual}")]
    TooLong {
        /// Longest allowed.
        most: usize,
        /// Bytes found.
        actual: usize,
    },
    /// Not a JSON object.
    #[error("not a JSON object: {0}")]
    Json(String),
    /// A column missing or of a type it never has.
    #[error("column {column:?} is not {expected}")]
    Type {
        /// The column.
        column: &'static str,
        /// What it always is.
        expected: &'static str,
    },
    /// The bytes are not an event.
    #[error("column \"bytes\": {0}")]
    Event(#[from] EventError),
    /// The head is not a tree head.
    #[error("column \"head\": {0}")]
    Head(#[from] HeadError),
    /// The head closes another batch than one that ends with this event.
    #[error("column \"head\" names {field} {actual}, the event {expected}")]
    OtherHead {
        /// What differs.
        field: &'static str,
        /// What the event implies.
        expected: String,
        /// What the head says.
        actual: String,
    },
    /// A column says something else than the bytes imply.
    #[error("column {column:?} is {actual}, the event's bytes imply {expected}")]
    Column {
        /// The first column that differs.
        column: String,
        /// What the bytes imply, as JSON.
        expected: String,
        /// What the line says, as JSON; "absent" where it says nothing.
        actual: String,
    },
    /// A column that lines do not have.
    #[error("column {column:?} is not part of a line")]
    Unknown {
        /// The column.
        column: String,
    },
    /// A line of a flat export.
    #[error("this is a flat export, which is for queries only: verify one made without --flat")]
    Flat,
    /// A line of a filtered export among those of another.
    #[error("this is a line of a filtered export, which others do not stand beside")]
    Proved,
    /// The key beside a head is not the one that the head names.
    #[error("column \"signer\" is the key {key}, column \"head\" names {named}")]
    OtherSigner {
        /// Whom the head names.
        named: KeyId,
        /// Id of the key in the line.
        key: KeyId,
    },
    /// The nodes do not lead from the event to the head's root.
    #[error(
        "column \"inclusion\" does not lead from event {id} at {index} to the root of the head over {size} events"
    )]
    NotIncluded {
        /// The event.
        id: EventId,
        /// Its seq.
        index: u64,
        /// The size of the head's tree.
        size: u64,
    },
    /// A field of a body that a flat line has no column for.
    #[error("the body's field {path:?} has no column in a flat line")]
    NoColumn {
        /// The keys that lead to it.
        path: String,
    },
    /// Every column is right, but the text is not the one form of the line.
    #[error(
        "right in every column, but not in the one form: order, spacing, escapes or duplicates"
    )]
    Form,
}

impl Line {
    /// The line, without a newline, of the event stored as `bytes`, and of the head that closes its
    /// batch where it is the batch's last.
    pub fn of(bytes: &[u8], head: Option<&SignedHead>) -> Result<String, LineError> {
        Self::implied(bytes, head)?.text()
    }

    /// What the line of the event stored as `bytes`, closed by `head` or not, has to say.
    pub(crate) fn implied(bytes: &[u8], head: Option<&SignedHead>) -> Result<Self, LineError> {
        Ok(Self {
            id: EventId::of(bytes),
            event: Event::decode(bytes)?,
            bytes: bytes.to_vec(),
            head: head.cloned(),
        })
    }

    /// Reads a line, without its newline. Accepts only the exact text that the event's bytes and the
    /// head imply and names the first column that differs.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        if text.len() > LINE_BYTES_MAX {
            let (most, actual) = (LINE_BYTES_MAX, text.len());
            return Err(LineError::TooLong { most, actual });
        }
        let found: Columns =
            serde_json::from_str(text).map_err(|error| LineError::Json(error.to_string()))?;
        let schema = found.get("schema").and_then(Json::as_str);
        if [FLAT_SCHEMA, TYPES_SCHEMA].map(Some).contains(&schema) {
            return Err(LineError::Flat);
        }
        if schema == Some(PROVED_SCHEMA) {
            return Err(LineError::Proved);
        }
        let bytes = found.get("bytes").and_then(Json::as_str).and_then(unhex);
        let bytes = bytes.ok_or(LineError::Type { column: "bytes", expected: "lower-case hex" })?;
        let head = match found.get("head") {
            Some(Json::Null) => None,
            Some(Json::String(note)) => Some(SignedHead::parse(note.as_bytes())?),
            _ => return Err(LineError::Type { column: "head", expected: "null or a note" }),
        };
        let event = Event::decode(&bytes)?;
        let line = Self { id: EventId::of(&bytes), event, bytes, head };
        let implied = line.text()?;
        if implied == text { Ok(line) } else { Err(difference(&found, &implied)) }
    }

    fn text(&self) -> Result<String, LineError> {
        let body = self.event.body.to_value().map_err(EventError::from)?;
        let mut row = Row::default();
        self.write(LINE_SCHEMA, &body, &mut row)?;
        Ok(row.finish())
    }

    /// Writes the columns of [`COLUMNS`]; `body_value` is the event's body.
    pub(crate) fn write(
        &self,
        schema: &str,
        body_value: &Value,
        row: &mut Row,
    ) -> Result<(), LineError> {
        self.check_head()?;
        self.write_event(schema, body_value, row)?;
        write_head(self.head.as_ref(), row)
    }

    /// Writes the columns that say nothing of a head.
    pub(crate) fn write_event(
        &self,
        schema: &str,
        body_value: &Value,
        row: &mut Row,
    ) -> Result<(), LineError> {
        let Event { at, seq, body, prev, actor, ledger } = &self.event;
        let run = if matches!(body, Body::RunStarted(_)) { Some(self.id) } else { body.run() };
        let body_text = json::to_text(body_value);
        row.plain("schema", schema);
        row.number("seq", *seq);
        row.plain("id", &hex(self.id.as_bytes()));
        row.number("at", *at);
        row.plain("time", &rfc_3339(*at));
        row.plain("kind", body.kind());
        row.plain("actor", &hex(actor.as_bytes()));
        row.plain("prev", &hex(prev.as_bytes()));
        row.plain("ledger", &hex(ledger.as_bytes()));
        row.number("format", FORMAT);
        match run {
            Some(run) => row.plain("run", &hex(run.as_bytes())),
            None => row.null("run"),
        }
        row.escaped("object", body.object())?;
        row.escaped("body", Some(&body_text))?;
        row.plain("bytes", &hex(&self.bytes));
        Ok(())
    }

    fn check_head(&self) -> Result<(), LineError> {
        let Some(head) = &self.head else { return Ok(()) };
        let same = |field, expected: String, actual: String| {
            if expected == actual {
                Ok(())
            } else {
                Err(LineError::OtherHead { field, expected, actual })
            }
        };
        let (stated, event) = (head.head(), &self.event);
        same("ledger", event.ledger.to_string(), stated.ledger.to_string())?;
        same("size", (event.seq + 1).to_string(), stated.size.to_string())?;
        same("actor", event.actor.to_string(), head.signer().to_string())
    }
}

/// Writes the columns that say what a head says, or nothing.
pub(crate) fn write_head(head: Option<&SignedHead>, row: &mut Row) -> Result<(), LineError> {
    match head {
        Some(head) => row.number("size", head.head().size),
        None => row.null("size"),
    }
    let note = head.map(SignedHead::encode);
    // A parsed or signed note is UTF-8, so nothing is replaced.
    row.escaped("head", note.as_deref().map(String::from_utf8_lossy).as_deref())
}

pub(crate) type Columns = serde_json::Map<String, Json>;

/// Why `found` is not the line `implied`.
pub(crate) fn difference(found: &Columns, implied: &str) -> LineError {
    let implied: Columns = match serde_json::from_str(implied) {
        Ok(implied) => implied,
        Err(error) => return LineError::Json(error.to_string()),
    };
    for (column, expected) in &implied {
        let actual = found.get(column);
        if actual != Some(expected) {
            return LineError::Column {
                column: column.clone(),
                expected: expected.to_string(),
                actual: actual.map_or_else(|| "absent".to_owned(), Json::to_string),
            };
        }
    }
    match found.keys().find(|column| !implied.contains_key(*column)) {
        Some(column) => LineError::Unknown { column: column.clone() },
        None => LineError::Form,
    }
}

/// `at_ms` milliseconds after the Unix epoch as RFC 3339 in UTC, with milliseconds. The calendar is
/// the proleptic Gregorian one, counted in eras of 400 years that begin on 1 March, so that the leap
/// day is a year's last.
fn rfc_3339(at_ms: u64) -> String {
    const DAY_MS: u64 = 86_400_000;
    const ERA_DAYS: u64 = 146_097;
    const EPOCH_DAY: u64 = 719_468; // 1970-01-01, counted from 0000-03-01
    let day = at_ms / DAY_MS + EPOCH_DAY;
    let day_of_era = day % ERA_DAYS;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = day / ERA_DAYS * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (at_ms / 3_600_000 % 24, at_ms / 60_000 % 60);
    let (second, milli) = (at_ms / 1_000 % 60, at_ms % 1_000);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use quickcheck::quickcheck;

    use super::*;
    use crate::body::{Cause, ObjectObserved, ObjectState, samples};
    use crate::column::holds;
    use crate::event::AT_MS_MAX;
    use crate::hash::{ContentHash, LedgerId, NodeHash};
    use crate::head::TreeHead;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn event(seq: u64, body: Body) -> Event {
        Event {
            at: 1_700_000_000_123,
            seq,
            body,
            prev: EventId::of(b"before"),
            actor: KeyId::of(key().verifying_key().as_bytes()),
            ledger: LedgerId::of(&[1; 32], &[2; 16]),
        }
    }

    fn head(event: &Event) -> SignedHead {
        let root = NodeHash::empty_root();
        let head = TreeHead { ledger: event.ledger, size: event.seq + 1, root };
        SignedHead::sign(head, &key().verifying_key(), |text| key().sign(text))
    }

    fn observed(object: &str) -> Body {
        let state = ObjectState::Document { content: ContentHash::of(b""), bytes: 0, mode: 0 };
        ObjectObserved { object: object.into(), cause: Cause::Baseline, state }.into()
    }

    #[test]
    fn lines_of_every_kind_go_both_ways_with_and_without_a_head() {
        for (seq, body) in (0..).zip(samples::every_kind()) {
            let event = event(seq, body);
            let bytes = event.encode().unwrap();
            for head in [None, Some(head(&event))] {
                let text = Line::of(&bytes, head.as_ref()).unwrap();
                let line = Line::parse(&text).unwrap();
                assert_eq!((line.id, &line.event), (EventId::of(&bytes), &event));
                assert_eq!((line.bytes, line.head), (bytes.clone(), head));
            }
        }
    }

    #[test]
    fn the_columns_are_these_in_this_order_on_every_line() {
        for (seq, body) in (0..).zip(samples::every_kind()) {
            let event = event(seq, body);
            let text = Line::of(&event.encode().unwrap(), None).unwrap();
            let columns: Columns = serde_json::from_str(&text).unwrap();
            assert!(columns.keys().eq(COLUMNS.iter().map(|column| column.name)));
            for (column, value) in COLUMNS.iter().zip(columns.values()) {
                assert!(holds(*column, value), "{}: {value}", column.name);
            }
        }
    }

    #[test]
    fn a_run_is_named_by_its_own_first_event_and_by_those_after_it() {
        let run = |body: &Body| {
            let bytes = event(3, body.clone()).encode().unwrap();
            let columns: Columns = serde_json::from_str(&Line::of(&bytes, None).unwrap()).unwrap();
            (columns["run"].clone(), Json::from(EventId::of(&bytes).to_string()))
        };
        for body in samples::every_kind() {
            let (found, own_id) = run(&body);
            match body {
                Body::RunStarted(_) => assert_eq!(found, own_id),
                body => assert_eq!(found, Json::from(body.run().map(|run| run.to_string()))),
            }
        }
    }

    #[test]
    fn every_column_that_says_something_else_is_named() {
        let event = event(3, observed("a"));
        let text = Line::of(&event.encode().unwrap(), Some(&head(&event))).unwrap();
        let columns: Columns = serde_json::from_str(&text).unwrap();
        for column in columns.keys().filter(|name| !["bytes", "head"].contains(&name.as_str())) {
            for other in [Json::Null, Json::from(77), Json::from("x"), Json::from(vec![1])] {
                if other == columns[column] {
                    continue;
                }
                let mut bent = columns.clone();
                bent.insert(column.clone(), other);
                let error = Line::parse(&Json::Object(bent).to_string()).unwrap_err();
                assert!(
                    matches!(&error, LineError::Column { column: named, .. } if named == column),
                    "{column}: {error}"
                );
            }
            let mut bent = columns.clone();
            bent.shift_remove(column);
            let error = Line::parse(&Json::Object(bent).to_string()).unwrap_err();
            assert!(matches!(error, LineError::Column { column: named, .. } if named == *column));
        }
    }

    #[test]
    fn another_form_of_the_same_columns_is_refused() {
        let text = Line::of(&event(3, observed("a")).encode().unwrap(), None).unwrap();
        for (bent, expected) in [
            (text.replacen(',', ", ", 1), LineError::Form),
            (format!("{text}\n"), LineError::Form),
            (text.replacen("\"seq\":3", "\"seq\":4,\"seq\":3", 1), LineError::Form),
            (text.replacen("observed", "observe\\u0064", 1), LineError::Form),
            (
                text.replacen("\"seq\":3", "\"seq\":3,\"sec\":3", 1),
                LineError::Unknown { column: "sec".into() },
            ),
            (
                text.replacen("\"head\":null", "\"head\":1", 1),
                LineError::Type { column: "head", expected: "null or a note" },
            ),
            (
                text.replacen("\"bytes\":\"a8", "\"bytes\":\"A8", 1),
                LineError::Type { column: "bytes", expected: "lower-case hex" },
            ),
            (
                " ".repeat(LINE_BYTES_MAX + 1),
                LineError::TooLong { most: LINE_BYTES_MAX, actual: LINE_BYTES_MAX + 1 },
            ),
        ] {
            assert_eq!(Line::parse(&bent), Err(expected), "{bent}");
        }
        assert!(matches!(Line::parse("[]"), Err(LineError::Json(_))));
        assert!(matches!(Line::parse(&text[1..]), Err(LineError::Json(_))));
    }

    #[test]
    fn a_head_of_another_batch_ledger_or_actor_is_refused() {
        let this = event(3, observed("a"));
        let bytes = this.encode().unwrap();
        let other_key = KeyId::of(&[9; 32]);
        for (other, field) in [
            (Event { seq: 4, ..this.clone() }, "size"),
            (Event { ledger: LedgerId::of(&[9; 32], &[2; 16]), ..this.clone() }, "ledger"),
        ] {
            let refused = Line::of(&bytes, Some(&head(&other))).unwrap_err();
            assert!(matches!(refused, LineError::OtherHead { field: f, .. } if f == field));
        }
        let bytes = Event { actor: other_key, ..this.clone() }.encode().unwrap();
        let refused = Line::of(&bytes, Some(&head(&this))).unwrap_err();
        assert!(matches!(refused, LineError::OtherHead { field: "actor", .. }));
    }

    #[test]
    fn no_single_changed_byte_of_a_line_is_accepted_as_the_same_line() {
        let event = event(3, observed("ä\u{1}\""));
        let text = Line::of(&event.encode().unwrap(), Some(&head(&event))).unwrap();
        let line = Line::parse(&text).unwrap();
        for at in 0..text.len() {
            for flip in [0x01, 0x02, 0x20, 0x80] {
                let mut bent = text.clone().into_bytes();
                bent[at] ^= flip;
                let Ok(bent) = String::from_utf8(bent) else { continue };
                // Only root and signature of the head are for others to check.
                let Ok(accepted) = Line::parse(&bent) else { continue };
                assert_eq!(Line { head: None, ..accepted }, Line { head: None, ..line.clone() });
                assert!(at > text.find("\"head\"").unwrap(), "byte {at}");
            }
        }
    }

    #[test]
    fn the_longest_events_fit_the_longest_line() {
        let event = event(crate::event::SEQ_MAX, observed(""));
        let room = EVENT_BYTES_MAX - event.encode().unwrap().len() - 2;
        for filling in ["\u{1}", "\"", "x", "é"] {
            let object = filling.repeat(room / filling.len());
            let event = Event { body: observed(&object), ..event.clone() };
            let bytes = event.encode().unwrap();
            assert!(bytes.len() + 1 >= EVENT_BYTES_MAX);
            let text = Line::of(&bytes, Some(&head(&event))).unwrap();
            assert!(text.len() <= LINE_BYTES_MAX, "{}", text.len());
            assert!(Line::parse(&text).is_ok());
        }
    }

    quickcheck! {
        fn any_object_name_goes_both_ways(object: String, seq: u32) -> bool {
            let event = event(seq.into(), observed(&object));
            let Ok(text) = Line::of(&event.encode().unwrap(), Some(&head(&event))) else {
                return event.encode().unwrap().len() > EVENT_BYTES_MAX;
            };
            !text.contains('\n') && Line::parse(&text).is_ok_and(|line| line.event == event)
        }
    }

    #[test]
    fn times_have_their_known_answers() {
        for (at_ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (AT_MS_MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc_3339(at_ms), expected);
        }
    }

    /// Walks the calendar a day at a time, by the rule everybody knows.
    #[test]
    fn the_calendar_is_right_on_every_day_of_a_thousand_years() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..365_243_u64 {
            let expected = format!("{year:04}-{month:02}-{day:02}T00:00:00.000Z");
            assert_eq!(rfc_3339(days * 86_400_000), expected);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
        assert_eq!((year, month, day), (2970, 1, 1));
    }
}
