//! The documents a reader may count on exist and say something.

use super::{Finding, Tree};

const REQUIRED: &[&str] = &[
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "docs/ARCHITECTURE.md",
    "docs/DURABILITY.md",
    "docs/GLOSSARY.md",
    "docs/SHORTCOMINGS.md",
    "docs/THREAT-MODEL.md",
    "ledger-format/SPEC.md",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in REQUIRED {
        match tree.get(path) {
            None => findings.push(Finding::new(path, 1, "is missing")),
            Some(file) if file.text.trim().is_empty() => {
                findings.push(Finding::new(path, 1, "is empty"));
            }
            Some(_) => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    #[test]
    fn a_missing_document_is_named_and_so_is_an_empty_one() {
        let complete: Vec<(&str, &str)> = REQUIRED.iter().map(|path| (*path, "Text.\n")).collect();
        assert_found(&check(&Tree::of(&complete)), &[]);
        for left_out in 0..complete.len() {
            let mut files = complete.clone();
            let (path, _) = files.remove(left_out);
            assert_found(&check(&Tree::of(&files)), &[(path, 1, "is missing")]);
            files.push((path, "\n"));
            assert_found(&check(&Tree::of(&files)), &[(path, 1, "is empty")]);
        }
    }
}
