//! The table: what was cut, how often, and what was lost. Counted, never typed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::error::{Error, at};
use crate::judge::Verdict;

const BEGIN: &str = "<!-- powercut: begin; written by the tool -->\n";
const END: &str = "<!-- powercut: end -->\n";

/// What is expected of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nothing acknowledged is lost.
    Promise,
    /// A promise is taken away on purpose, so something must be lost: else the rig shows nothing.
    Control,
}

/// Cuts of one kind, of the same work, on the same disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) what: &'static str,
    pub(crate) disk: &'static str,
}

/// What came of them.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    cuts: u64,
    acknowledged: u64,
    missing: u64,
    losing: u64,
    otherwise: u64,
}

/// All rows of one run.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeMap<Row, Tally>);

impl Report {
    pub(crate) fn add(&mut self, row: Row, verdict: &Verdict) {
        let lost = verdict.missing > 0;
        let tally = self.0.entry(row).or_default();
        tally.cuts += 1;
        tally.acknowledged += verdict.acknowledged;
        tally.missing += verdict.missing;
        tally.losing += u64::from(lost);
        tally.otherwise += u64::from(!lost && !verdict.faults.is_empty());
    }

    /// Whether every promise was kept, and every control lost something.
    pub(crate) fn is_good(&self) -> bool {
        let of = |kind| self.0.iter().filter(move |(row, _)| row.kind == kind);
        let loses =
            |disk| of(Kind::Control).any(|(row, tally)| row.disk == disk && tally.losing > 0);
        of(Kind::Promise).all(|(_, tally)| tally.losing == 0 && tally.otherwise == 0)
            && of(Kind::Control).all(|(row, _)| loses(row.disk))
    }

    /// The section for the document.
    pub(crate) fn markdown(&self, command: &str) -> String {
        let mut text = format!(
            "Printed by `{command}`; not edited by hand.\n\n\
             | what was cut | the disk | cuts | events acknowledged | of these lost | cuts that lost some | cuts with another fault |\n\
             |---|---|---|---|---|---|---|\n"
        );
        for (Row { kind, what, disk }, tally) in &self.0 {
            let what = match kind {
                Kind::Promise => (*what).to_owned(),
                Kind::Control => format!("*control:* {what}"),
            };
            let Tally { cuts, acknowledged, missing, losing, otherwise } = tally;
            // Writing to a String cannot fail.
            let _written = writeln!(
                text,
                "| {what} | {disk} | {cuts} | {acknowledged} | {missing} | {losing} | {otherwise} |"
            );
        }
        let (promised, controlled) = (self.sum(Kind::Promise), self.sum(Kind::Control));
        let _written = writeln!(
            text,
            "\n{} cuts: {} acknowledged events lost, {} cuts with any fault. \
             Controls, {} cuts: {} acknowledged events lost in {} cuts.",
            promised.cuts,
            promised.missing,
            promised.losing + promised.otherwise,
            controlled.cuts,
            controlled.missing,
            controlled.losing,
        );
        text
    }

    fn sum(&self, kind: Kind) -> Tally {
        let mut sum = Tally::default();
        for (_, tally) in self.0.iter().filter(|(row, _)| row.kind == kind) {
            sum.cuts += tally.cuts;
            sum.missing += tally.missing;
            sum.losing += tally.losing;
            sum.otherwise += tally.otherwise;
        }
        sum
    }
}

/// Puts `section` between the marks in the document at `path`.
pub(crate) fn write(path: &Path, section: &str) -> Result<(), Error> {
    let text = fs::read_to_string(path).map_err(at(path))?;
    let replaced = replaced(&text, section).ok_or_else(|| Error::Unexpected {
        what: "the marks of the section",
        expected: format!("{} and {}", BEGIN.trim(), END.trim()),
        actual: format!("{} without them", path.display()),
    })?;
    fs::write(path, replaced).map_err(at(path))
}

fn replaced(text: &str, section: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{section}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(missing: u64, faults: &[&str]) -> Verdict {
        let faults = faults.iter().map(ToString::to_string).collect();
        Verdict { acknowledged: 10, missing, faults }
    }

    const fn row(kind: Kind) -> Row {
        Row { kind, what: "append", disk: "d" }
    }

    #[test]
    fn a_loss_is_bad_in_a_promise_and_missed_in_a_control() {
        let is_good = |kind, verdicts: &[&Verdict]| {
            let mut report = Report::default();
            for verdict in verdicts {
                report.add(row(kind), verdict);
            }
            report.is_good()
        };
        let (held, lost, other) = (verdict(0, &[]), verdict(3, &["x"]), verdict(0, &["x"]));
        assert!(is_good(Kind::Promise, &[&held]));
        assert!(!is_good(Kind::Promise, &[&held, &lost]));
        assert!(!is_good(Kind::Promise, &[&held, &other]));
        assert!(!is_good(Kind::Control, &[&held, &other]));
        assert!(is_good(Kind::Control, &[&held, &lost]));
    }

    #[test]
    fn the_table_counts() {
        let mut report = Report::default();
        report.add(row(Kind::Control), &verdict(3, &["x"]));
        for promise in [verdict(0, &[]), verdict(2, &[]), verdict(0, &["y"])] {
            report.add(row(Kind::Promise), &promise);
        }
        let text = report.markdown("the command");
        let rows =
            "| append | d | 3 | 30 | 2 | 1 | 1 |\n| *control:* append | d | 1 | 10 | 3 | 1 | 0 |";
        assert!(text.contains(rows), "{text}");
        let sum = "3 cuts: 2 acknowledged events lost, 2 cuts with any fault. Controls, 1 cuts: 3";
        assert!(text.contains(sum), "{text}");
    }

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let text = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(replaced(&text, "new"), Some(format!("a\n{BEGIN}\nnew\n{END}b\n")));
        assert_eq!(replaced("a\n", "new"), None);
    }
}
