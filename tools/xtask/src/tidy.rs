//! The rules of this house that no compiler checks, each in a file of its own under `tidy/`.
//!
//! A rule is a pure function from a [`Tree`] to [`Finding`]s, so that each is tested on a small tree in memory: once on
//! a good one, once on a bad one. Only [`tree`] reads the disk; nothing here writes.

mod conformance;
mod decisions;
mod documents;
mod forgotten;
mod isolation;
mod layers;
mod modules;
mod programs;
mod requirements;
mod rust;
mod tags;
mod text;
mod tree;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use tree::Tree;

/// Checks the tree at `root`, prints every finding, and fails if there is one.
pub(crate) fn run(root: &Path) -> ExitCode {
    if check_and_print(root) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Like [`run`], with the verdict as a value: true means nothing was found.
pub(crate) fn check_and_print(root: &Path) -> bool {
    let tree = match Tree::read(root) {
        Ok(tree) => tree,
        Err(error) => {
            println!("tidy: {error}");
            return false;
        }
    };
    let findings = check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} findings", tree.files().len(), findings.len());
    findings.is_empty()
}

/// Every rule there is. A rule not named here is a rule nobody keeps.
const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    layers::check,
    isolation::check,
    forgotten::check,
    modules::check,
    requirements::check,
    text::check,
    documents::check,
    tags::check,
    decisions::check,
    programs::check,
    conformance::check,
];

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree.unreadable().to_vec();
    findings.extend(RULES.iter().flat_map(|rule| rule(tree)));
    findings.sort();
    findings
}

/// One broken rule at one place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Finding {
    /// Relative to the workspace root, with `/`.
    path: String,
    /// From 1; 1 also stands for the file as a whole.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// How the tests of the rules state what they expect: the places, and a word of each message.
#[cfg(test)]
#[track_caller]
fn assert_found(findings: &[Finding], expected: &[(&str, usize, &str)]) {
    let same = findings.len() == expected.len()
        && findings.iter().zip(expected).all(|(found, (path, line, word))| {
            found.path == *path && found.line == *line && found.message.contains(word)
        });
    assert!(same, "expected {expected:#?}\nfound {findings:#?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_of_all_rules_come_in_the_order_of_files_and_lines() {
        let tree = Tree::of(&[
            ("src/utils.rs", "//! Doc.\nfn f() {} \n"),
            ("Cargo.toml", "[package]\n"),
            ("src/lib.rs", "//! Doc.\nmod utils;\nfn a() { todo!() }\n"),
        ]);
        let findings = check(&tree);
        assert!(findings.is_sorted());
        for path in ["README.md", "src/lib.rs", "src/utils.rs", "docs/requirements.md"] {
            assert!(findings.iter().any(|finding| finding.path == path), "{path} in {findings:#?}");
        }
    }

    #[test]
    fn a_finding_reads_as_file_line_message() {
        assert_eq!(Finding::new("src/lib.rs", 7, "broken").to_string(), "src/lib.rs:7: broken");
    }
}
