//! What holds for every text that people write: clean line ends, and no path of the machine it was written on.

use super::tree::File;
use super::{Finding, Tree};

/// Endings of the files that people write by hand. Data (vectors, snapshots, fixtures) keeps the bytes it has.
const WRITTEN: &[&str] =
    &[".rs", ".md", ".toml", ".yaml", ".yml", ".sh", ".sql", "/run", "/setup", ".gitignore"];
const DATA_FOLDERS: &[&str] = &["fixtures/", "ledger-format/vectors/"];

/// Top folders below which a path means one machine only.
const MACHINE_FOLDERS: &[&str] = &["home", "Users", "root", "work"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files().iter().filter(|file| is_written(&file.path)).flat_map(check_file).collect()
}

fn is_written(path: &str) -> bool {
    WRITTEN.iter().any(|ending| path.ends_with(ending))
        && !DATA_FOLDERS.iter().any(|folder| path.starts_with(folder))
}

fn check_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.split('\n').enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::new(
                &file.path,
                index + 1,
                "white space at the end of the line",
            ));
        }
        if let Some(folder) = machine_folder(line) {
            findings.push(Finding::new(
                &file.path,
                index + 1,
                format!("a path below /{folder} means one machine only"),
            ));
        }
    }
    let line_count = file.text.lines().count();
    if !file.text.ends_with('\n') && !file.text.is_empty() {
        findings.push(Finding::new(&file.path, line_count, "the last line does not end"));
    }
    if file.text.ends_with("\n\n") {
        findings.push(Finding::new(&file.path, line_count, "empty lines at the end"));
    }
    findings
}

/// The folder of a path that starts in `line`: a slash behind which one of the folders stands, and before which no path.
fn machine_folder(line: &str) -> Option<&'static str> {
    let starts = line.match_indices('/').filter(|(at, _)| {
        let before = line.get(..*at).and_then(|before| before.chars().next_back());
        before.is_none_or(|letter| !letter.is_alphanumeric() && !"/._-~}>)*".contains(letter))
    });
    let mut rests = starts.filter_map(|(at, _)| line.get(at + 1..));
    rests.find_map(|rest| {
        let (name, below) = rest.split_once('/')?;
        let goes_on =
            below.starts_with(|letter: char| letter.is_alphanumeric() || "._-$".contains(letter));
        MACHINE_FOLDERS.iter().copied().find(|folder| *folder == name && goes_on)
    })
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    /// Put together, so that this file has no such path itself.
    fn below(folder: &str) -> String {
        ["", folder, "somebody"].join("/")
    }

    #[test]
    fn clean_text_is_fine() {
        let text = "See docs/work/x, ./root/y, https://example.org/home/z and /home.\n\nEnd.\n";
        let tree = Tree::of(&[
            ("README.md", text),
            ("fixtures/old.md", "kept as it is \n\n"),
            ("src/empty.rs", ""),
            ("a.bin", "x "),
        ]);
        assert_found(&check(&tree), &[]);
    }

    #[test]
    fn unclean_line_ends_are_named() {
        for (path, text, line, word) in [
            ("README.md", "a\nb \nc\n", 2, "white space"),
            ("deny.toml", "a\t\n", 1, "white space"),
            ("src/a.rs", "a\r\n", 1, "white space"),
            (".ci/run", "a\nb", 2, "does not end"),
            ("tools/setup", "a\n\n", 2, "empty lines"),
        ] {
            assert_found(&check(&Tree::of(&[(path, text)])), &[(path, line, word)]);
        }
    }

    #[test]
    fn paths_of_one_machine_are_named() {
        for folder in MACHINE_FOLDERS {
            for text in [
                format!("a\nsee {}\n", below(folder)),
                format!("a\nconst A: &str = \"{}\";\n", below(folder)),
            ] {
                assert_found(&check(&Tree::of(&[("src/a.rs", &text)])), &[("src/a.rs", 2, folder)]);
            }
        }
    }
}
