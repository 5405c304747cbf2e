//! The evidence report: one page that needs nothing beside it, with the signed bytes of a ledger in it and scripts that verify
//! them in the reader's own browser. What the page shows, its scripts compute from these bytes: nothing that is written here
//! says what happened. Knows how the parts are put together; knows no event but for the objects that it names.

use std::collections::BTreeSet;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger_format::body::Body;
use ledger_format::event::Event;
use ledger_format::hash::{ContentHash, LedgerId};

use crate::ledger::FoldError;
use crate::log::{Batch, ReadError};
use crate::objects::{Objects, ObjectsError};

/// Most events of a report. A browser holds them all at once, some 10 KiB of memory each.
pub const REPORT_EVENTS_MAX: u64 = 100_000;

/// Longest list of losses, and largest contract, that a report brings along, in bytes.
const OBJECT_BYTES_MAX: usize = 256 * 1024;

/// How much a report brings along of them in all, in bytes.
const OBJECTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The page, with names in braces where something goes in.
const PAGE: &str = include_str!("report/page.html");

const STYLE: &str = include_str!("report/page.css");

const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("report/bytes.js"),
    include_str!("report/cbor.js"),
    include_str!("report/crypto.js"),
    include_str!("report/verify.js"),
    include_str!("report/facts.js"),
    include_str!("report/draw.js"),
    include_str!("report/page.js"),
    include_str!("report/events.js"),
    include_str!("report/expect.js"),
    include_str!("report/main.js"),
);

/// A report that was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reported {
    /// Number of events in it.
    pub events: u64,
    /// Number of lists of losses and contracts in it.
    pub objects: u64,
    /// Number of those that it only names, since they are too large.
    pub left_out: u64,
    /// Those that it only names, since they are not kept.
    pub missing: Vec<ContentHash>,
}

/// A report that was not finished.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// More events than a browser would show.
    #[error("a report has at most {REPORT_EVENTS_MAX} events, and the ledger has more")]
    TooManyEvents,
    /// The events.
    #[error(transparent)]
    Events(#[from] FoldError),
    /// Stored content.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The output.
    #[error("writing the report: {0}")]
    Write(#[source] io::Error),
}

/// Writes the report on a ledger, all batches of which are `batches`, to `out`. The same ledger gives the same bytes.
pub fn report(
    ledger: LedgerId,
    batches: impl Iterator<Item = Result<Batch, ReadError>>,
    objects: &dyn Objects,
    out: &mut impl Write,
) -> Result<Reported, ReportError> {
    let mut reported = Reported::default();
    let mut batches = Some(batches);
    for part in parts() {
        match part {
            Part::Text(text) => write(out, text)?,
            Part::Name("policy") => write(out, &policy())?,
            Part::Name("ledger") => write(out, &ledger.short())?,
            Part::Name("style") => write(out, STYLE)?,
            Part::Name("script") => write(out, SCRIPT)?,
            Part::Name("tool") => write(out, concat!("glyph-ledger ", env!("CARGO_PKG_VERSION")))?,
            Part::Name("evidence") => {
                let batches = batches.take().into_iter().flatten();
                reported = evidence(batches, objects, out)?;
            }
            Part::Name(_) => {}
        }
    }
    out.flush().map_err(ReportError::Write)?;
    Ok(reported)
}

/// The page in pieces: what stands there, and names of what goes in between.
enum Part {
    Text(&'static str),
    Name(&'static str),
}

fn parts() -> impl Iterator<Item = Part> {
    PAGE.split('{').enumerate().flat_map(|(number, piece)| match piece.split_once('}') {
        Some((name, text)) if number > 0 => vec![Part::Name(name), Part::Text(text)],
        _ => vec![Part::Text(piece)],
    })
}

/// What the browser is told to allow: the one script and the one style of the page by their hashes, and nothing else.
fn policy() -> String {
    let source = |text: &str| {
        format!("'sha256-{}'", BASE64.encode(ContentHash::of(text.as_bytes()).as_bytes()))
    };
    format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        source(SCRIPT),
        source(STYLE)
    )
}

/// One line an event, a head, an object: a letter and base64, so that nothing of it is markup.
fn evidence(
    batches: impl Iterator<Item = Result<Batch, ReadError>>,
    objects: &dyn Objects,
    out: &mut impl Write,
) -> Result<Reported, ReportError> {
    write(out, "glyph-ledger/report/1\n")?;
    let mut reported = Reported::default();
    let mut named = BTreeSet::new();
    for batch in batches {
        let batch = batch.map_err(FoldError::Read)?;
        for (seq, bytes) in (batch.first_seq..).zip(&batch.events) {
            let event = Event::decode(bytes).map_err(|error| FoldError::Event { seq, error })?;
            named.extend(shown(&event.body));
            line(out, 'e', &BASE64.encode(bytes))?;
        }
        reported.events += batch.events.len() as u64;
        if reported.events > REPORT_EVENTS_MAX {
            return Err(ReportError::TooManyEvents);
        }
        line(out, 'h', &BASE64.encode(batch.head.encode()))?;
    }
    bring(named, objects, &mut reported, out)?;
    Ok(reported)
}

/// The objects that events name, as long as there is room for them.
fn bring(
    named: BTreeSet<ContentHash>,
    objects: &dyn Objects,
    reported: &mut Reported,
    out: &mut impl Write,
) -> Result<(), ReportError> {
    let mut room = OBJECTS_BYTES_MAX;
    for name in named {
        match objects.get(&name) {
            Ok(bytes) if bytes.len() <= OBJECT_BYTES_MAX.min(room) => {
                room -= bytes.len();
                reported.objects += 1;
                line(out, 'o', &BASE64.encode(&bytes))?;
            }
            Ok(_) => {
                reported.left_out += 1;
                line(out, 't', &name.to_string())?;
            }
            Err(ObjectsError::Missing { .. }) => {
                reported.missing.push(name);
                line(out, 't', &name.to_string())?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The object of which the page tells more than the event does.
const fn shown(body: &Body) -> Option<ContentHash> {
    match body {
        Body::ObjectMigrated(body) => body.loss_list,
        Body::ContractFrozen(body) => Some(body.bundle),
        _ => None,
    }
}

fn line(out: &mut impl Write, letter: char, text: &str) -> Result<(), ReportError> {
    writeln!(out, "{letter} {text}").map_err(ReportError::Write)
}

fn write(out: &mut impl Write, text: &str) -> Result<(), ReportError> {
    out.write_all(text.as_bytes()).map_err(ReportError::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_each_of_its_parts_once_and_no_other() {
        let names: Vec<&str> = parts()
            .filter_map(|part| match part {
                Part::Name(name) => Some(name),
                Part::Text(_) => None,
            })
            .collect();
        let known = ["policy", "ledger", "style", "ledger", "tool", "evidence", "script"];
        assert_eq!(names, known);
    }

    #[test]
    fn nothing_in_script_or_style_ends_its_element_or_makes_markup_of_text() {
        for (text, element) in [(SCRIPT, "script"), (STYLE, "style")] {
            let text = text.to_lowercase();
            assert!(!text.contains(&format!("</{element}")) && !text.contains("<!--"), "{element}");
            assert!(!text.contains('\r'), "a browser would hash other bytes");
        }
        for door in
            ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "DOMParser"]
        {
            assert!(!SCRIPT.contains(door), "{door}");
        }
        assert!(!PAGE.contains("unsafe-") && !policy().contains("unsafe-"));
    }

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        let namespace = "http://www.w3.org/2000/svg";
        for text in [PAGE, STYLE, &SCRIPT.replace(namespace, "")] {
            for way in ["http:", "https:", "url(//", "src=", "@import", "fetch(", "XMLHttp"] {
                assert!(!text.contains(way), "{way}");
            }
        }
    }
}
