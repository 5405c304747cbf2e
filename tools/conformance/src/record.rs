//! The committed file: for each name how many cases there were and what they hash to. The form is a small part of TOML, and
//! only the one text that [`Record::text`] writes is read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

const ABOUT: &str = "\
# What every encoded type hashes to over seeded cases (tools/conformance). A test recomputes each of these; a hash that
# changes is a changed format. Written by the test itself, for the names it is told:
#   CONFORMANCE_UPDATE='first name, second name' cargo test conformance
";

/// Cases and hash of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) cases: u64,
    pub(crate) hash: String,
}

/// All names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record(pub(crate) BTreeMap<String, Entry>);

impl Record {
    pub(crate) fn text(&self) -> String {
        let mut text = ABOUT.to_owned();
        for (name, Entry { cases, hash }) in &self.0 {
            // Writing to a String does not fail.
            let _written = write!(text, "\n[\"{name}\"]\nn = {cases}\nhash = \"{hash}\"\n");
        }
        text
    }

    /// `None` for anything but the one form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut record = Self::default();
        for block in
            text.strip_prefix(ABOUT)?.split_terminator("\n\n").filter(|block| !block.is_empty())
        {
            let mut lines = block.trim_matches('\n').lines();
            let name = lines.next()?.strip_prefix("[\"")?.strip_suffix("\"]")?;
            let cases = lines.next()?.strip_prefix("n = ")?.parse().ok()?;
            let hash = lines.next()?.strip_prefix("hash = \"")?.strip_suffix('"')?;
            record.0.insert(name.to_owned(), Entry { cases, hash: hash.to_owned() });
        }
        (record.text() == text).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let entry = |cases, hash: &str| Entry { cases, hash: hash.into() };
        Record([("a".into(), entry(1, "00")), ("b/<c>".into(), entry(2, "ff"))].into())
    }

    #[test]
    fn a_record_reads_back_and_no_other_form_of_it_does() {
        let text = record().text();
        assert_eq!(Record::parse(&text), Some(record()));
        assert_eq!(Record::parse(&Record::default().text()), Some(Record::default()));
        for bad in [
            text.replace("n = 1", "n = 01"),
            text.replace("n = 1\n", ""),
            format!("{text}\n"),
            format!("{text}\n[\"a\"]\nn = 1\nhash = \"00\"\n"),
            text.replace("# What", "# Which"),
            String::new(),
        ] {
            assert_eq!(Record::parse(&bad), None, "{bad}");
        }
    }
}
