//! Decisions are found by their number: each file is `docs/decisions/NNNN-title.md`, each number is used once.

use std::collections::BTreeMap;

use super::{Finding, Tree};

const FOLDER: &str = "docs/decisions/";
const DIGITS: usize = 4;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    for file in tree.files() {
        let Some(name) = file.path.strip_prefix(FOLDER) else {
            continue;
        };
        let Some(number) = number(name) else {
            findings.push(Finding::new(
                &file.path,
                1,
                "is not called NNNN-title.md, with a title of a-z, 0-9 and -",
            ));
            continue;
        };
        if let Some(first) = numbers.insert(number, name) {
            findings.push(Finding::new(&file.path, 1, format!("{number} is taken by {first}")));
        }
    }
    findings
}

fn number(name: &str) -> Option<&str> {
    let (number, title) = name.strip_suffix(".md")?.split_once('-')?;
    let is_number = number.len() == DIGITS && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_title = !title.is_empty()
        && title.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    (is_number && is_title).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    #[test]
    fn decisions_with_numbers_of_their_own_are_fine() {
        let tree = Tree::of(&[
            ("docs/decisions/0001-sled.md", ""),
            ("docs/decisions/0002-own-cbor-2.md", ""),
            ("docs/other.md", ""),
        ]);
        assert_found(&check(&tree), &[]);
    }

    #[test]
    fn other_names_and_numbers_used_twice_are_named() {
        for name in [
            "1-sled.md",
            "00001-sled.md",
            "0001.md",
            "0001-.md",
            "0001-Sled.md",
            "0001-a b.md",
            "0001-sled.txt",
            "x/0001-sled.md",
            "README.md",
        ] {
            let path = format!("docs/decisions/{name}");
            assert_found(&check(&Tree::of(&[(&path, "")])), &[(&path, 1, "NNNN-title.md")]);
        }
        let twice = Tree::of(&[("docs/decisions/0001-a.md", ""), ("docs/decisions/0001-b.md", "")]);
        assert_found(
            &check(&twice),
            &[("docs/decisions/0001-b.md", 1, "0001 is taken by 0001-a.md")],
        );
    }
}
