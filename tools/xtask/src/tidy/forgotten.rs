//! Work that was put off and could be forgotten: tests switched off, code not written, notes to come back.
//!
//! What is open belongs into docs/SHORTCOMINGS.md, where users read it.

use super::rust::Source;
use super::{Finding, Tree};

const UNWRITTEN_MACROS: &[&str] = &["todo", "unimplemented"];
const MARKERS: &[&str] = &["FIXME", "XXX", "TODO"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(|(path, source)| check_file(path, source)).collect()
}

fn check_file(path: &str, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in source.ignored_tests() {
        findings.push(Finding::new(
            path,
            *line,
            "a test that is switched off shows nothing: make it run or delete it",
        ));
    }
    for name in UNWRITTEN_MACROS {
        for line in source.macro_calls(name) {
            findings.push(Finding::new(
                path,
                line,
                format!("`{name}!` is code that was not written"),
            ));
        }
    }
    for comment in source.comments() {
        if let Some(marker) = MARKERS.iter().find(|marker| has_word(&comment.text, marker)) {
            findings.push(Finding::new(
                path,
                comment.line,
                format!("{marker} in a comment: do it, or say it in docs/SHORTCOMINGS.md"),
            ));
        }
        if is_skipped_example(&comment.text) {
            findings.push(Finding::new(
                path,
                comment.line,
                "an example that is not compiled goes out of date",
            ));
        }
    }
    findings
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|part| part == word)
}

/// The fence of a documentation example that rustdoc neither runs nor compiles.
fn is_skipped_example(comment: &str) -> bool {
    let fence = comment.trim_start_matches(['/', '!', '*', ' ']);
    fence.strip_prefix("```").is_some_and(|language| has_word(language, "ignore"))
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    #[test]
    fn words_in_strings_and_other_words_are_fine() {
        let tree = Tree::of(&[(
            "src/a.rs",
            "//! What todo! means; an ignored file; XXXL.\nconst A: &str = \"FIXME: todo!() XXX\";\nfn ignore(todo: bool) -> bool { !todo }\n",
        )]);
        assert_found(&check(&tree), &[]);
    }

    #[test]
    fn everything_put_off_is_named() {
        for (line, word) in [
            ("#[test] #[ignore] fn a() {}", "switched off"),
            ("fn a() { todo!() }", "todo!"),
            ("fn a() { if b { unimplemented!(\"later\") } }", "unimplemented!"),
            ("// FIXME: b", "FIXME"),
            ("fn a() {} /* b XXX */", "XXX"),
            ("/// TODO b\nfn a() {}", "TODO"),
            ("/// ```ignore\n/// ```\nfn a() {}", "example"),
        ] {
            let findings = check(&Tree::of(&[("tests/it/a.rs", &format!("//! Doc.\n{line}"))]));
            assert_found(&findings, &[("tests/it/a.rs", 2, word)]);
        }
    }
}
