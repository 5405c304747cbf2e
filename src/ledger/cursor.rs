//! Cursors: the small language for positions in a ledger.

use std::fmt;
use std::str::FromStr;

use super::{FoldError, Ledger};

/// A position: how many events from the beginning count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// `N`: up to and with event N.
    Seq(u64),
    /// `id:HEX`: up to and with the event of that id, given by at least eight digits.
    Id(String),
    /// `@`: the newest head; `@~N`: N events before it.
    Back(u64),
    /// `run:HEX`: after that run; `run:HEX^`: before it.
    Run {
        /// At least eight digits of the run's id.
        id: String,
        /// Whether it is the place before the run.
        before: bool,
    },
    /// `@-N`: before the last N runs that changed something: published ones, and given up ones that had put something into its
    /// place.
    RunsBack(u64),
    /// A time (RFC 3339 with zone), in milliseconds since the Unix epoch: the last event not later.
    Time(u64),
}

/// Fewest digits that name an event or run.
const PREFIX_DIGITS_MIN: usize = 8;

/// A text that is no cursor, or a cursor that names nothing here.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// Not a cursor.
    #[error(
        "{text:?} is no cursor; cursors are N, id:HEX, @, @~N, @-N, run:HEX, run:HEX^ (HEX: eight digits at least, 0 to 9 and a to f) and a time with zone"
    )]
    Form {
        /// The text.
        text: String,
    },
    /// Nothing of that name is in the ledger.
    #[error("{what} is not in this ledger of {size} events")]
    Unknown {
        /// What was looked for.
        what: String,
        /// Number of events.
        size: u64,
    },
    /// There was no run yet.
    #[error("there was no run yet")]
    NoRun,
    /// A run was to be named, and the cursor lies within one that is not committed there.
    #[error(
        "{cursor} lies within run {run}, before it was committed: name the run itself, run:{run}"
    )]
    Within {
        /// The cursor.
        cursor: String,
        /// The run, shortened.
        run: String,
    },
    /// The digits fit more than one.
    #[error("{what} fits more than one; give more digits")]
    Ambiguous {
        /// What was looked for.
        what: String,
    },
    /// The events could not be read.
    #[error(transparent)]
    Fold(#[from] FoldError),
}

/// As it is typed.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "{seq}"),
            Self::Id(digits) => write!(f, "id:{digits}"),
            Self::Back(0) => f.write_str("@"),
            Self::Back(back) => write!(f, "@~{back}"),
            Self::Run { id, before: false } => write!(f, "run:{id}"),
            Self::Run { id, before: true } => write!(f, "run:{id}^"),
            Self::RunsBack(back) => write!(f, "@-{back}"),
            Self::Time(ms) => {
                let time = i64::try_from(*ms).ok();
                let time = time.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
                write!(f, "{:.3}", time.unwrap_or(jiff::Timestamp::MAX))
            }
        }
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let form = || CursorError::Form { text: text.to_owned() };
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten().ok_or_else(form)
        };
        let prefix = |digits: &str| {
            let hex = digits.len() >= PREFIX_DIGITS_MIN
                && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if hex { Ok(digits.to_owned()) } else { Err(form()) }
        };
        if text == "@" {
            return Ok(Self::Back(0));
        }
        if let Some(count) = text.strip_prefix("@~") {
            return number(count).map(Self::Back);
        }
        if let Some(count) = text.strip_prefix("@-") {
            return number(count).map(Self::RunsBack);
        }
        if let Some(digits) = text.strip_prefix("id:") {
            return prefix(digits).map(Self::Id);
        }
        if let Some(rest) = text.strip_prefix("run:") {
            let (digits, before) = rest.strip_suffix('^').map_or((rest, false), |id| (id, true));
            return prefix(digits).map(|id| Self::Run { id, before });
        }
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return u64::try_from(time.as_millisecond()).map(Self::Time).map_err(|_| form());
        }
        number(text).map(Self::Seq)
    }
}

pub(super) fn resolve(ledger: &Ledger, cursor: &Cursor) -> Result<u64, CursorError> {
    let size = ledger.state.size();
    let unknown = |what: String| CursorError::Unknown { what, size };
    match cursor {
        Cursor::Seq(seq) if *seq < size => Ok(seq + 1),
        Cursor::Seq(seq) => Err(unknown(format!("event {seq}"))),
        Cursor::Back(back) => {
            size.checked_sub(*back).ok_or_else(|| unknown(format!("the place {back} events back")))
        }
        Cursor::Id(prefix) => {
            let found = find(ledger, |recorded| recorded.id.to_string().starts_with(prefix))?;
            match found.as_slice() {
                [] => Err(unknown(format!("event {prefix}"))),
                [seq] => Ok(seq + 1),
                _ => Err(CursorError::Ambiguous { what: format!("event {prefix}") }),
            }
        }
        Cursor::Time(time) => {
            let later = find(ledger, |recorded| recorded.event.at > *time)?;
            Ok(later.first().copied().unwrap_or(size))
        }
        Cursor::Run { id, before } => {
            let runs = ledger.state.runs();
            let open = runs.open.iter().map(|run| (run.run, run.started_seq, size));
            let finished =
                runs.finished.iter().map(|run| (run.run, run.started_seq, run.ended_seq + 1));
            let fits: Vec<_> =
                finished.chain(open).filter(|(run, ..)| run.to_string().starts_with(id)).collect();
            match fits.as_slice() {
                [] => Err(unknown(format!("run {id}"))),
                [(_, started, _)] if *before => Ok(*started),
                // What an abandoned run left is looked at in the same batch.
                [(_, _, after)] => batch_end(ledger, *after),
                _ => Err(CursorError::Ambiguous { what: format!("run {id}") }),
            }
        }
        Cursor::RunsBack(0) => Ok(size),
        Cursor::RunsBack(back) => {
            let run = ledger.run_with_effect(back - 1)?;
            run.map(|run| run.started_seq)
                .ok_or_else(|| unknown(format!("the place {back} committed runs back")))
        }
    }
}

/// The end of the batch that event `size - 1` lies in.
fn batch_end(ledger: &Ledger, size: u64) -> Result<u64, CursorError> {
    let batch = ledger.batches(size.saturating_sub(1)..size).next();
    let batch = batch.transpose().map_err(FoldError::Read)?;
    Ok(batch.map_or(size, |batch| batch.head.head().size))
}

/// Places of the events that `fits` holds for.
fn find(ledger: &Ledger, fits: impl Fn(&super::Recorded) -> bool) -> Result<Vec<u64>, FoldError> {
    let mut found = Vec::new();
    for recorded in ledger.events(0..ledger.state.size()) {
        let recorded = recorded?;
        if fits(&recorded) {
            found.push(recorded.event.seq);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_parses_and_nothing_else() {
        for (text, cursor) in [
            ("7", Cursor::Seq(7)),
            ("@", Cursor::Back(0)),
            ("@~3", Cursor::Back(3)),
            ("@-2", Cursor::RunsBack(2)),
            ("id:0123abcd", Cursor::Id("0123abcd".into())),
            ("run:0123abcd", Cursor::Run { id: "0123abcd".into(), before: false }),
            ("run:0123abcd^", Cursor::Run { id: "0123abcd".into(), before: true }),
            ("1970-01-01T00:00:01Z", Cursor::Time(1000)),
            ("1970-01-01T01:00:01+01:00", Cursor::Time(1000)),
        ] {
            assert_eq!(text.parse::<Cursor>().unwrap(), cursor, "{text}");
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor, "{text}");
        }
        for bad in ["", "-1", "+1", "@~", "@x", "id:012", "id:0123ABCD", "run:", "1970-01-01", "é"]
        {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
