//! Whatever is encoded or hashed has a conformance hash: a file that encodes something, or makes a commit hash, is named by
//! the conformance test above it, and every `conformance.toml` has a test that reads it.
//!
//! Knows names only: that a test drew the right cases is for the test to show.

use super::{Finding, Tree};

/// Folders whose code makes bytes that are kept, or hashes that others recompute.
const FOLDERS: &[&str] = &["src/", "projections/src/", "ledger-format/src/"];

/// How the beginning of an encoder reads.
const ENCODERS: &[&str] = &["fn encode", "CommitHash::of(", "CommitHash::of_encoded("];

const RECORD: &str = "conformance.toml";
const TEST: &str = "conformance.rs";

/// Files whose bytes are made to be passed on and never kept as they are, or are covered where they are used.
const EXEMPT: &[(&str, &str)] = &[
    ("src/ledger/append.rs", "encodes events, whose cases stand in ledger-format"),
    ("src/migrate/loss.rs", "hashes the losses of src/target/sqlite, whose cases stand there"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        tree.files().iter().filter_map(|file| unnamed(tree, &file.path, &file.text)).collect();
    let records = tree.files().iter().filter(|file| file.path.ends_with(RECORD));
    findings.extend(records.filter_map(|file| {
        let folder = file.path.trim_end_matches(RECORD).trim_end_matches('/');
        let read = tests(tree).any(|(path, text)| reads(path, text, folder));
        (!read).then(|| Finding::new(&file.path, 1, "no conformance test reads this file"))
    }));
    findings
}

/// The finding about a file that encodes something and that no conformance test above it names.
fn unnamed(tree: &Tree, path: &str, text: &str) -> Option<Finding> {
    let file_is_rust = path.rsplit_once('.').is_some_and(|(_, ending)| ending == "rs");
    let in_scope = FOLDERS.iter().any(|folder| path.starts_with(folder)) && file_is_rust;
    let is_test = path.ends_with("tests.rs") || path.ends_with(TEST);
    if !in_scope || is_test || EXEMPT.iter().any(|(exempt, _)| *exempt == path) {
        return None;
    }
    let code = text.split("\nmod tests {").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let encodes = |line: &str| ENCODERS.iter().any(|encoder| line.contains(encoder));
    let line = code.lines().filter(is_code).find(|line| encodes(line))?;
    let at = code.lines().position(|other| other == line).unwrap_or_default() + 1;
    let module = path.trim_end_matches(".rs").rsplit('/').next().unwrap_or_default();
    let crate_folder = path.split_once("src/").map_or("", |(folder, _)| folder);
    let named = tests(tree).any(|(test, text)| {
        // A test of the whole crate, or one in a folder at or above the file's.
        let folder = test.trim_end_matches(TEST);
        let above = test.starts_with(&format!("{crate_folder}tests/"))
            || path.starts_with(folder.trim_end_matches('/'));
        above && (folder.contains(&format!("/{module}/")) || names(text, module))
    });
    let message = format!(
        "no conformance test names `{module}`, which encodes or hashes something: see tools/conformance"
    );
    (!named).then(|| Finding::new(path, at, message))
}

fn tests(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let files = tree.files().iter().filter(|file| file.path.ends_with(&format!("/{TEST}")));
    files.map(|file| (file.path.as_str(), file.text.as_str()))
}

/// Whether the test at `path` says that its record lies in `folder`: by its path in the package, or as the package itself.
fn reads(path: &str, text: &str, folder: &str) -> bool {
    let package =
        path.split_once("tests/").map_or("", |(package, _)| package.trim_end_matches('/'));
    let itself = path.contains("tests/") && folder == package;
    text.contains(&format!("\"/{folder}\""))
        || (itself && text.contains("in_folder(env!(\"CARGO_MANIFEST_DIR\"))"))
}

fn names(text: &str, word: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    const CRATE_TEST: (&str, &str) = (
        "ledger-format/tests/it/conformance.rs",
        "use ledger_format::frame::Frame; Suite::in_folder(env!(\"CARGO_MANIFEST_DIR\"))",
    );
    const FOLDER_TEST: (&str, &str) =
        ("src/log/sled/conformance.rs", "use super::anchor; \"/src/log/sled\"");

    #[test]
    fn encoders_that_a_test_names_are_fine() {
        let tree = Tree::of(&[
            CRATE_TEST,
            FOLDER_TEST,
            ("ledger-format/src/frame.rs", "fn encode(&self) {}"),
            (
                "ledger-format/src/event.rs",
                "// fn encode\nfn decode() {}\n\nmod tests {\nfn encode() {}",
            ),
            ("src/log/sled/anchor.rs", "fn encode() {}"),
            ("ledger-format/conformance.toml", ""),
            ("src/log/sled/conformance.toml", ""),
        ]);
        assert_found(&check(&tree), &[]);
    }

    #[test]
    fn an_encoder_or_a_record_without_a_test_is_named() {
        let tree = Tree::of(&[
            CRATE_TEST,
            FOLDER_TEST,
            ("ledger-format/src/event.rs", "\nfn encode(&self) {}"),
            ("src/log/memory.rs", "fn f() { CommitHash::of(TAG, v) }"),
            ("src/log/sled/store.rs", "fn encode_frontier() {}"),
            ("src/log/conformance.toml", ""),
        ]);
        assert_found(
            &check(&tree),
            &[
                ("ledger-format/src/event.rs", 2, "`event`"),
                ("src/log/memory.rs", 1, "`memory`"),
                ("src/log/sled/store.rs", 1, "`store`"),
                ("src/log/conformance.toml", 1, "no conformance test"),
            ],
        );
    }
}
