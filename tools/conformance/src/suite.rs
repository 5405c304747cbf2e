//! A suite: the cases of some types, hashed, and the verdict on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::draw::Draw;
use crate::record::{Entry, Record};

/// Cases of each type. Enough that every variant and border comes up many times, few enough for a fraction of a second.
pub const CASES: u64 = 1_000;

/// Names the entries that the committed file is to take over.
const UPDATE_VARIABLE: &str = "CONFORMANCE_UPDATE";

/// Hashes of the cases drawn so far, and the file they are compared with.
#[derive(Debug)]
pub struct Suite {
    file: PathBuf,
    computed: Record,
    picked: BTreeMap<&'static str, (usize, BTreeSet<usize>)>,
}

impl Suite {
    /// A suite whose hashes stand in `conformance.toml` in `folder`, and which is the only one to name that folder.
    #[must_use]
    pub fn in_folder(folder: impl AsRef<Path>) -> Self {
        let file = folder.as_ref().join("conformance.toml");
        Self { file, computed: Record::default(), picked: BTreeMap::new() }
    }

    /// [`CASES`] cases of a type that is written and read: each is encoded, decoded, compared, encoded again and compared
    /// again.
    ///
    /// # Panics
    /// When a case does not come back as it was; the message names it.
    pub fn both_ways<T: PartialEq + Debug, E: Debug>(
        &mut self,
        name: &str,
        make: impl Fn(&mut Draw) -> T,
        encode: impl Fn(&T) -> Vec<u8>,
        decode: impl Fn(&[u8]) -> Result<T, E>,
    ) {
        self.one_way(name, |draw| {
            let value = make(draw);
            let bytes = encode(&value);
            let again = decode(&bytes);
            assert!(
                again.as_ref().is_ok_and(|again| *again == value),
                "{name}: {value:?} came back as {again:?}"
            );
            assert!(
                again.is_ok_and(|again| encode(&again) == bytes),
                "{name}: {value:?} is encoded in two ways"
            );
            bytes
        });
    }

    /// [`CASES`] cases of what is only written or hashed.
    ///
    /// # Panics
    /// When the name was given before.
    pub fn one_way(&mut self, name: &str, make: impl Fn(&mut Draw) -> Vec<u8>) {
        let mut hasher = Sha256::new();
        for case in 0..CASES {
            let mut draw = Draw::new(name, case);
            let bytes = make(&mut draw);
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(&bytes);
            for (kind, count, seen) in draw.picked() {
                self.picked.entry(kind).or_insert_with(|| (count, BTreeSet::new())).1.extend(seen);
            }
        }
        let mut hash = String::new();
        for byte in hasher.finalize() {
            // Writing to a String does not fail.
            let _written = write!(hash, "{byte:02x}");
        }
        let before = self.computed.0.insert(name.to_owned(), Entry { cases: CASES, hash });
        assert!(before.is_none(), "two types are called {name:?}");
    }

    /// Compares everything with the committed file.
    ///
    /// # Panics
    /// When a hash differs, an entry is missing or too many, or a variant was never drawn. Also after an update, which is
    /// never a passed test.
    pub fn finish(self) {
        let update = std::env::var(UPDATE_VARIABLE).ok();
        let in_ci = std::env::var_os("CI").is_some();
        let verdict = self.verdict(update.as_deref(), in_ci);
        assert!(verdict.is_ok(), "{}: {}", self.file.display(), verdict.err().unwrap_or_default());
    }

    fn verdict(&self, update: Option<&str>, in_ci: bool) -> Result<(), String> {
        let unseen: Vec<&str> = self
            .picked
            .iter()
            .filter(|(_, (count, seen))| seen.len() < *count)
            .map(|(kind, _)| *kind)
            .collect();
        if !unseen.is_empty() {
            return Err(format!("not every variant of {unseen:?} was drawn"));
        }
        let committed = match fs::read_to_string(&self.file) {
            Ok(text) => Record::parse(&text).ok_or("not in the form that this test writes")?,
            Err(_) => Record::default(),
        };
        let names: BTreeSet<&String> = committed.0.keys().chain(self.computed.0.keys()).collect();
        let differing: Vec<&str> = names
            .into_iter()
            .filter(|name| committed.0.get(*name) != self.computed.0.get(*name))
            .map(String::as_str)
            .collect();
        match update {
            Some(_) if in_ci => {
                Err(format!("{UPDATE_VARIABLE} is set in CI, which takes no hash over"))
            }
            Some(named) => self.take_over(committed.clone(), named, &differing),
            None if differing.is_empty() => Ok(()),
            None => Err(format!(
                "{differing:?} are not what is committed, missing there or surplus. An encoding changed. If that was \
                 meant: {UPDATE_VARIABLE}='{}'",
                differing.join(", ")
            )),
        }
    }

    /// Writes the named entries. Refuses a name that does not differ, because whoever gave it expected something else.
    /// One suite may be told names of another.
    fn take_over(
        &self,
        mut committed: Record,
        named: &str,
        differing: &[&str],
    ) -> Result<(), String> {
        let named: Vec<&str> =
            named.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let known =
            |name: &str| committed.0.contains_key(name) || self.computed.0.contains_key(name);
        let ours: Vec<&str> = named.into_iter().filter(|name| known(name)).collect();
        if let Some(same) = ours.iter().find(|name| !differing.contains(name)) {
            return Err(format!("{same:?} is what is committed: there is nothing to take over"));
        }
        if ours.is_empty() {
            return if differing.is_empty() {
                Ok(())
            } else {
                Err(format!("{differing:?} differ and were not named"))
            };
        }
        for name in &ours {
            match self.computed.0.get(*name) {
                Some(entry) => drop(committed.0.insert((*name).to_owned(), entry.clone())),
                None => drop(committed.0.remove(*name)),
            }
        }
        fs::write(&self.file, committed.text()).map_err(|error| error.to_string())?;
        Err(format!(
            "took over {ours:?}; look at the diff, say in CHANGELOG.md what changed, and run again"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Kind {
        Plain,
        Wide { number: u16 },
    }

    fn suite(folder: &Path, change: u8) -> Suite {
        let mut suite = Suite::in_folder(folder);
        suite.one_way("kind", |draw| {
            let kind = crate::variant!(draw, Kind {
                Plain => Kind::Plain,
                Wide => Kind::Wide { number: u16::from(draw.byte()) },
            });
            match kind {
                Kind::Plain => vec![change],
                Kind::Wide { number } => number.to_be_bytes().to_vec(),
            }
        });
        suite.both_ways(
            "bytes",
            |draw| draw.bytes(9),
            Clone::clone,
            |bytes| Ok::<_, ()>(bytes.to_vec()),
        );
        suite
    }

    fn refused(suite: &Suite, update: Option<&str>) -> String {
        suite.verdict(update, false).unwrap_err()
    }

    #[test]
    fn a_changed_byte_a_missing_and_a_surplus_entry_fail_until_they_are_taken_over_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("conformance.toml");
        let first = suite(folder.path(), 1);
        assert!(refused(&first, None).contains("[\"bytes\", \"kind\"]"));
        assert!(refused(&first, Some("kind, bytes")).contains("took over"));
        assert_eq!(first.verdict(None, false), Ok(()));

        let changed = suite(folder.path(), 2);
        assert!(refused(&changed, None).contains("[\"kind\"]"));
        assert!(refused(&changed, Some("bytes")).contains("nothing to take over"));
        assert!(refused(&changed, Some("other")).contains("were not named"));
        assert!(changed.verdict(Some("kind"), true).unwrap_err().contains("CI"));
        assert_eq!(first.verdict(None, false), Ok(()), "nothing of that was written");

        let mut more = suite(folder.path(), 1);
        more.one_way("more", |draw| draw.bytes(1));
        assert!(refused(&more, None).contains("[\"more\"]"));
        assert!(refused(&more, Some("more")).contains("took over"));
        assert!(refused(&first, None).contains("[\"more\"]"));
        assert!(refused(&first, Some("more")).contains("took over"));
        assert_eq!(first.verdict(None, false), Ok(()));

        fs::write(&file, fs::read_to_string(&file).unwrap().replace("n = 1000", "n = 999"))
            .unwrap();
        assert!(refused(&first, None).contains("\"bytes\", \"kind\""));
        fs::write(&file, "edited").unwrap();
        assert!(refused(&first, None).contains("form"));
    }

    #[test]
    fn a_variant_that_is_never_drawn_fails() {
        let folder = tempfile::tempdir().unwrap();
        let mut suite = Suite::in_folder(folder.path());
        suite.one_way("never", |draw| {
            let mut other = draw.clone();
            while other.pick("Side", &["left", "right"]) != "left" {}
            draw.pick("Side", &["left"; 2]).into()
        });
        suite.picked.insert("Side", (2, [0].into()));
        assert!(refused(&suite, Some("never")).contains("[\"Side\"]"));
    }

    #[test]
    #[should_panic(expected = "came back as")]
    fn what_does_not_come_back_fails() {
        let decode =
            |bytes: &[u8]| Ok::<_, ()>(bytes.iter().map(|byte| byte & 0x7f).collect::<Vec<_>>());
        Suite::in_folder("nowhere").both_ways("bent", |draw| draw.bytes(9), Clone::clone, decode);
    }
}
