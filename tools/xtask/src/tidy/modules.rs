//! Every Rust file is one named idea of readable size that says what it is, and is compiled by somebody.

use std::collections::{BTreeMap, BTreeSet};

use super::rust::Source;
use super::{Finding, Tree};

/// Names that say nothing: whatever stands under them has a better one.
const NAMELESS: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc"];

/// Lines of code a source file may have, tests not counted: beyond, it is more than one idea.
const CODE_LINES_MAX: usize = 700;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.rust() {
        findings.extend(check_names(path, source));
        findings.extend(check_size(path, source));
        if !source
            .comments()
            .first()
            .is_some_and(|comment| comment.line == 1 && comment.text.starts_with("//!"))
        {
            findings.push(Finding::new(
                path,
                1,
                "does not start with `//!`: say what the module knows and must not know",
            ));
        }
    }
    findings.extend(check_reachable(tree));
    findings
}

fn check_names(path: &str, source: &Source) -> Vec<Finding> {
    let of_path = path.trim_end_matches(".rs").split('/').map(|name| (name, 1));
    let inline =
        source.modules().filter(|module| !module.in_file).map(|module| (module.name, module.line));
    let nameless = of_path.chain(inline).filter(|(name, _)| NAMELESS.contains(name));
    nameless
        .map(|(name, line)| {
            Finding::new(path, line, format!("`{name}` says nothing: name the idea"))
        })
        .collect()
}

fn check_size(path: &str, source: &Source) -> Option<Finding> {
    let of_source = path.starts_with("src/") || path.contains("/src/");
    let lines = source.code_lines();
    (of_source && lines > CODE_LINES_MAX).then(|| {
        Finding::new(
            path,
            1,
            format!("{lines} lines of code, at most {CODE_LINES_MAX}: which ideas are these?"),
        )
    })
}

/// A file that no crate root leads to by `mod` is compiled by nobody: its tests never run.
fn check_reachable(tree: &Tree) -> Vec<Finding> {
    let sources: BTreeMap<&str, &Source> = tree.rust().collect();
    let mut open: Vec<&str> = sources.keys().copied().filter(|path| is_root(tree, path)).collect();
    let mut reached = BTreeSet::new();
    while let Some(path) = open.pop() {
        if !reached.insert(path) {
            continue;
        }
        let Some(source) = sources.get(path) else {
            continue;
        };
        let folder = if is_root(tree, path) {
            parent(path)
        } else {
            path.trim_end_matches("/mod.rs").trim_end_matches(".rs")
        };
        for module in source.modules().filter(|module| module.in_file) {
            let mut names: Vec<&str> = vec![folder];
            names.extend(module.inside.iter().map(String::as_str));
            names.push(module.name);
            let stem = names.join("/");
            for file in [format!("{stem}.rs"), format!("{stem}/mod.rs")] {
                open.extend(sources.get_key_value(file.as_str()).map(|(path, _)| *path));
            }
        }
    }
    let forgotten = sources.keys().filter(|path| !reached.contains(**path));
    forgotten
        .map(|path| {
            Finding::new(
                path,
                1,
                "no `mod` leads here from a crate root: it is never compiled, its tests never run",
            )
        })
        .collect()
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether Cargo finds this file by itself as the root of a library, program, test, example or benchmark.
fn is_root(tree: &Tree, path: &str) -> bool {
    let mut package = path;
    while let Some((folder, _)) = package.rsplit_once('/') {
        package = folder;
        if tree.get(&format!("{folder}/Cargo.toml")).is_some() {
            return path
                .strip_prefix(folder)
                .is_some_and(|rest| is_root_in_package(rest.trim_start_matches('/')));
        }
    }
    is_root_in_package(path)
}

fn is_root_in_package(path: &str) -> bool {
    let alone = ["build.rs", "src/lib.rs", "src/main.rs"];
    alone.contains(&path)
        || ROOT_FOLDERS
            .iter()
            .filter_map(|folder| path.strip_prefix(folder)?.strip_prefix('/'))
            .any(|file| file.split_once('/').is_none_or(|(_, below)| below == "main.rs"))
}

/// Folders of a package in which each file, or each folder with a `main.rs`, is a root of its own.
const ROOT_FOLDERS: &[&str] = &["src/bin", "tests", "examples", "benches", "fuzz_targets"];

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    #[test]
    fn a_tree_in_order_is_fine() {
        let tree = Tree::of(&[
            ("Cargo.toml", ""),
            ("src/lib.rs", "//! Doc.\nmod log; mod target { mod sqlite; }\n"),
            ("src/log.rs", "//! Doc.\nmod sled;\n"),
            ("src/log/sled/mod.rs", "//! Doc.\n#[cfg(test)] mod tests;\n"),
            ("src/log/sled/tests.rs", "//! Doc.\n"),
            ("src/target/sqlite.rs", "//! Doc.\n"),
            ("tests/it/main.rs", "//! Doc.\nmod support;\nmod export;\n"),
            ("tests/it/support/mod.rs", "//! Doc.\n"),
            ("tests/it/export.rs", "//! Doc.\n"),
            ("tools/x/Cargo.toml", ""),
            ("tools/x/src/main.rs", "//! Doc.\n"),
            ("tools/x/build.rs", "//! Doc.\n"),
            ("examples/migrate.rs", "//! Doc.\n"),
        ]);
        assert_found(&check(&tree), &[]);
    }

    #[test]
    fn a_test_file_nobody_declares_is_named() {
        let tree = Tree::of(&[
            ("Cargo.toml", ""),
            ("tests/it/main.rs", "//! Doc. mod export;\nmod verify;\n// mod export;\n"),
            ("tests/it/export.rs", "//! Doc.\n#[test]\nfn never_runs() {}\n"),
            ("tests/it/verify.rs", "//! Doc.\n"),
            ("tests/it/verify/pins.rs", "//! Doc.\n"),
            ("src/main/mod.rs", "//! Doc.\n"),
        ]);
        assert_found(
            &check(&tree),
            &[
                ("src/main/mod.rs", 1, "never compiled"),
                ("tests/it/export.rs", 1, "never compiled"),
                ("tests/it/verify/pins.rs", 1, "never compiled"),
            ],
        );
    }

    #[test]
    fn names_that_say_nothing_are_named() {
        for path in [
            "tests/utils.rs",
            "examples/helpers/main.rs",
            "tests/common/main.rs",
            "benches/misc.rs",
        ] {
            assert_found(&check(&Tree::of(&[(path, "//! Doc.\n")])), &[(path, 1, "says nothing")]);
        }
        assert_found(
            &check(&Tree::of(&[("src/lib.rs", "//! Doc.\n\nmod util {}\n")])),
            &[("src/lib.rs", 3, "`util`")],
        );
    }

    #[test]
    fn a_file_without_module_doc_is_named() {
        for text in ["fn a() {}\n", "\n//! Late.\n", "// Not a doc.\n", ""] {
            assert_found(&check(&Tree::of(&[("src/lib.rs", text)])), &[("src/lib.rs", 1, "//!")]);
        }
    }

    #[test]
    fn a_file_beyond_the_limit_is_named_and_tests_do_not_count() {
        let with = |code: usize, tests: usize| {
            let text = format!(
                "//! Doc.\n{}#[cfg(test)]\nmod tests {{\n{}}}\n",
                "// Comment.\n\nconst A: u8 = 1;\n".repeat(code),
                "const A: u8 = 1;\n".repeat(tests)
            );
            check(&Tree::of(&[("src/lib.rs", &text)]))
        };
        assert_found(&with(CODE_LINES_MAX, 100), &[]);
        assert_found(&with(CODE_LINES_MAX + 1, 0), &[("src/lib.rs", 1, "701 lines")]);
    }
}
