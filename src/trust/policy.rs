//! Policies: which witnesses must have seen a head for it to count (c2sp.org/tlog-policy). Knows the form of such files, and the cosignatures
//! under a head; knows no network and no ledger.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use ledger_format::cosignature::{CosignatureError, LogKey, VerifierKeyError, WitnessKey};
use ledger_format::head::SignedHead;

/// Longest file taken for a policy, in bytes: hundreds of witnesses.
pub const POLICY_BYTES_MAX: u64 = 64 * 1024;

/// The name of the quorum that needs nobody.
const NONE: &str = "none";

/// Which witnesses must have seen a head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    logs: Vec<LogKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: String,
}

/// A witness of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// What the policy calls it.
    pub name: String,
    /// Its key.
    pub key: WitnessKey,
    /// Where it answers.
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: String,
    needed: usize,
    members: Vec<String>,
}

/// What a policy makes of a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    /// Whether the policy is met.
    pub met: bool,
    /// Whether one of the logs that it names signed; true where it names none.
    pub by_log: bool,
    /// Each witness by name, and when it says that it saw the head, in seconds since the Unix epoch.
    pub seen: Vec<(String, Result<u64, CosignatureError>)>,
}

/// A file that is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// It is too long, or not text.
    #[error("{path} is no policy: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// A line that has no place in a policy.
    #[error("line {line}: {reason}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// Why not.
        reason: String,
    },
    /// No line says what is needed.
    #[error("no line says which quorum is needed")]
    NoQuorum,
}

impl Policy {
    /// The policy in the file `path`.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let io = |source| PolicyError::Io { path: path.to_owned(), source };
        let file = |reason| PolicyError::File { path: path.to_owned(), reason };
        if fs::metadata(path).map_err(io)?.len() > POLICY_BYTES_MAX {
            return Err(file("it is too long"));
        }
        let bytes = fs::read(path).map_err(io)?;
        Self::parse(std::str::from_utf8(&bytes).map_err(|_| file("it is not text"))?)
    }

    /// Reads a policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut policy = Self::default();
        let mut quorum = None;
        for (number, line) in (1..).zip(text.split('\n')) {
            let wrong = |reason: String| PolicyError::Line { line: number, reason };
            let items: Vec<&str> =
                line.split([' ', '\t']).filter(|item| !item.is_empty()).collect();
            match items.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["log", key, rest @ ..] if rest.len() <= 1 => {
                    policy.add_log(key).map_err(wrong)?;
                }
                ["witness", name, key, rest @ ..] if rest.len() <= 1 => {
                    policy.add_witness(name, key, rest.first().copied()).map_err(wrong)?;
                }
                ["group", name, needed, members @ ..] => {
                    policy.add_group(name, needed, members).map_err(wrong)?;
                }
                ["quorum", name] => {
                    if quorum.is_some() {
                        return Err(wrong("the quorum is said twice".to_owned()));
                    }
                    if *name != NONE && !policy.has(name) {
                        return Err(wrong(format!(
                            "{name} is no witness or group of a line before"
                        )));
                    }
                    quorum = Some((*name).to_owned());
                }
                _ => return Err(wrong("expected log, witness, group or quorum".to_owned())),
            }
        }
        Ok(Self { quorum: quorum.ok_or(PolicyError::NoQuorum)?, ..policy })
    }

    /// The witnesses, in the order of their lines.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// What it makes of a head, where no cosignature of a later time than `latest` is believed, in seconds since the Unix epoch. That the
    /// ledger's own key signed the head is not its business.
    pub fn judge(&self, head: &SignedHead, latest: u64) -> Endorsement {
        let note = head.note();
        let by_log = self.logs.is_empty() || self.logs.iter().any(|log| log.signed(note));
        self.weigh(by_log, |witness| witness.key.seen(note, latest))
    }

    /// What it makes of a ledger of which no head is known that anybody saw.
    pub fn judge_nothing(&self) -> Endorsement {
        let absent =
            |witness: &Witness| CosignatureError::Absent { name: witness.key.name().to_owned() };
        self.weigh(self.logs.is_empty(), |witness| Err(absent(witness)))
    }

    fn weigh(
        &self,
        by_log: bool,
        seen: impl Fn(&Witness) -> Result<u64, CosignatureError>,
    ) -> Endorsement {
        let seen: Vec<_> =
            self.witnesses.iter().map(|witness| (witness.name.clone(), seen(witness))).collect();
        let mut holding: BTreeSet<&str> =
            seen.iter().filter(|(_, seen)| seen.is_ok()).map(|(name, _)| name.as_str()).collect();
        // A group names only what stands before it.
        for Group { name, needed, members } in &self.groups {
            if members.iter().filter(|member| holding.contains(member.as_str())).count() >= *needed
            {
                holding.insert(name);
            }
        }
        let quorum = self.quorum == NONE || holding.contains(self.quorum.as_str());
        Endorsement { met: by_log && quorum, by_log, seen }
    }

    fn add_log(&mut self, key: &str) -> Result<(), String> {
        let key = LogKey::parse(key).map_err(|error: VerifierKeyError| error.to_string())?;
        if self.logs.iter().any(|log| log.key() == key.key()) {
            return Err("a log of that key stands above".to_owned());
        }
        self.logs.push(key);
        Ok(())
    }

    fn add_witness(&mut self, name: &str, key: &str, url: Option<&str>) -> Result<(), String> {
        self.must_be_free(name)?;
        let key = WitnessKey::parse(key).map_err(|error| error.to_string())?;
        if self.witnesses.iter().any(|witness| witness.key.key() == key.key()) {
            return Err("a witness of that key stands above".to_owned());
        }
        let (name, url) = (name.to_owned(), url.map(str::to_owned));
        self.witnesses.push(Witness { name, key, url });
        Ok(())
    }

    fn add_group(&mut self, name: &str, needed: &str, members: &[&str]) -> Result<(), String> {
        self.must_be_free(name)?;
        if let Some(unknown) = members.iter().find(|member| !self.has(member)) {
            return Err(format!("{unknown} is no witness or group of a line before"));
        }
        let distinct: BTreeSet<&&str> = members.iter().collect();
        if distinct.len() != members.len() {
            return Err("a member is named twice".to_owned());
        }
        let count = members.len();
        let needed = match needed {
            "all" => Some(count),
            "any" => Some(1),
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse().ok(),
            _ => None,
        };
        let needed = needed.filter(|needed| (1..=count).contains(needed));
        let needed = needed.ok_or(format!("expected all, any or a number from 1 to {count}"))?;
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.groups.push(Group { name: name.to_owned(), needed, members });
        Ok(())
    }

    fn must_be_free(&self, name: &str) -> Result<(), String> {
        if name == NONE || self.has(name) {
            return Err(format!("the name {name} is taken"));
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.witnesses.iter().any(|witness| witness.name == name)
            || self.groups.iter().any(|group| group.name == name)
    }
}

impl Endorsement {
    /// What is missing, in words.
    pub fn missing(&self) -> String {
        let log = (!self.by_log).then(|| "no log of the policy signed it".to_owned());
        let of = |(name, seen): &(String, Result<u64, CosignatureError>)| match seen {
            Ok(_) => None,
            Err(error) => Some(format!("{name}: {error}")),
        };
        let told: Vec<String> = log.into_iter().chain(self.seen.iter().filter_map(of)).collect();
        told.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    fn vkey(number: u8) -> String {
        let key = SigningKey::from_bytes(&[number; 32]).verifying_key();
        WitnessKey::new(&format!("witness.example/{number}"), key).unwrap().to_string()
    }

    fn three() -> String {
        let line = |number: u8| format!("witness W{number} {}\n", vkey(number));
        (1..4).map(line).collect()
    }

    fn refused(lines: &str) -> (usize, String) {
        match Policy::parse(lines) {
            Err(PolicyError::Line { line, reason }) => (line, reason),
            other => panic!("{lines}: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_policy_is_refused_by_its_line() {
        let three = three();
        let good =
            format!("# comment\n\n{three} \tgroup  G\t2 W1 W2 W3\ngroup H any G W1\nquorum H\n");
        let policy = Policy::parse(&good).unwrap();
        assert_eq!((policy.witnesses().len(), policy.groups.len()), (3, 2));
        assert!(matches!(Policy::parse(&three), Err(PolicyError::NoQuorum)));
        assert!(matches!(Policy::parse(""), Err(PolicyError::NoQuorum)));
        for bad in [
            "quorum W9",
            "quorum W1\nquorum W1",
            "group G 0 W1",
            "group G 3 W1 W2",
            "group G x W1",
            "group G +1 W1",
            "group G any",
            "group G any W9",
            "group G 2 W1 W1",
            "group G any G",
            "group none any W1",
            "group W1 any W2",
            "group G any W1\ngroup G any W2",
            &format!("witness W4 {}", vkey(1)),
            &format!("witness W1 {}", vkey(4)),
            &format!("witness none {}", vkey(4)),
            &format!("witness W4 {} https://a https://b", vkey(4)),
            "witness W4 example.com+00000000+AAAA",
            &format!("log {}", vkey(4)),
            "log",
            "other W1",
            "quorum",
        ] {
            let (line, reason) = refused(&format!("{three}{bad}\n"));
            assert!(line >= 4, "{bad}: {line} {reason}");
        }
    }
}
