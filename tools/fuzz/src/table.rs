//! docs/FUZZING.md: what the rounds of fuzzing came to, from what libFuzzer printed.

use crate::TARGETS;

/// What a round is told by, in this order, separated by tabs.
pub const FIELDS: [&str; 6] = ["target", "executions", "features", "corpus", "seconds", "findings"];

/// One target's round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round(Vec<String>);

impl Round {
    /// Reads a round from its line; `None` where it is none, or of no target.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        let numbers = fields.iter().skip(1).all(|field| field.parse::<u64>().is_ok());
        let known =
            TARGETS.iter().any(|target| fields.first().is_some_and(|name| name == target.name));
        (numbers && known && fields.len() == FIELDS.len()).then_some(Self(fields))
    }

    fn target(&self) -> &str {
        &self.0[0]
    }
}

/// The document over the newest round of each target. Targets without one are listed as such.
#[must_use]
pub fn document(rounds: &[Round]) -> String {
    let mut text = ABOUT.to_owned();
    for target in TARGETS {
        let newest = rounds.iter().rev().find(|round| round.target() == target.name);
        let cells = newest.map_or_else(
            || vec!["not run".to_owned(); FIELDS.len() - 1],
            |round| round.0[1..].iter().map(|cell| thousands(cell)).collect(),
        );
        let row =
            [format!("| `{}` | {}", target.name, target.about), cells.join(" | ")].join(" | ");
        text.push_str(&row);
        text.push_str(" |\n");
    }
    text
}

fn thousands(number: &str) -> String {
    let digits = number.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = digits.map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    groups.join(",")
}

const ABOUT: &str = "\
# Fuzzing

Every reader of bytes that somebody else may have written is given inputs that are bent on purpose. For each there is one
function in `tools/fuzz/src` that says what must hold for any bytes: no panic, an answer within seconds, memory in proportion
to the input, what is accepted is what would be written, and what the table says besides.

- `cargo test -p fuzz` runs each over its seeds and up to 5,000 seeded mutations, on every machine, in seconds.
- `tools/fuzz/run [TARGET] [--runs N]` runs libFuzzer, which finds inputs by the code that they reach: 1,000,000 executions
  for each target by default, from the seeds, with a fixed seed of its own. At most 1 GiB of memory and 20 seconds for
  one input. It installs cargo-fuzz if that is missing; the stable toolchain is enough.
- `tools/fuzz/run --write` also writes this page. The numbers are of the newest round of each target on the machine that
  wrote it, with fewer executions where `--seconds` ended it; features are what libFuzzer counts as different behaviour, corpus the inputs it kept.

Not fuzzed: the store engine's own files and SQLite databases, which are read by the engine and by SQLite.
Command lines and environment variables are read by clap and by name.

| target | what must hold | executions | features | corpus | seconds | findings |
|---|---|--:|--:|--:|--:|--:|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_round_of_a_target_stands_in_its_row() {
        let rounds: Vec<_> = ["cbor\t10\t2\t3\t4\t0", "cbor\t1000000\t2500\t3\t4\t0"]
            .iter()
            .map(|line| Round::parse(line).unwrap())
            .collect();
        let text = document(&rounds);
        assert!(text.contains("| 1,000,000 | 2,500 | 3 | 4 | 0 |\n"), "{text}");
        assert!(!text.contains("| 10 |"));
        assert_eq!(text.matches("not run").count(), (TARGETS.len() - 1) * 5);
        for bad in ["other\t1\t2\t3\t4\t0", "cbor\t1\t2\t3\t4", "cbor\t1\t2\t3\t4\tx", ""] {
            assert_eq!(Round::parse(bad), None, "{bad}");
        }
    }
}
