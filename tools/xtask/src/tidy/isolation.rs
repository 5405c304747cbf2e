//! What only one place may name: the store engine, the network, and `unsafe`; and what the pure crates must not name at all.
//!
//! Each rule is an absence that a module doc promises. Code for tests may name what pure code may not: it reads vectors
//! from files.

use super::rust::NamedPath;
use super::{Finding, Tree};

/// The only folder whose files may name the store engine.
const ENGINE_FOLDER: &str = "src/log/sled";
const ENGINE: &str = "sled";

/// The only file that may open a connection to another machine.
const NETWORK_FILE: &str = "src/evidence/http.rs";
const NETWORK: &str = "ureq";

/// The only crate that may hold unsafe code.
const UNSAFE_CRATE: &str = "src/target/sqlite/recorded-vfs/";

/// Crates that are functions of their arguments: no file, no clock, no network, no order that differs between runs.
const PURE_CRATES: &[&str] = &["ledger-format/src/", "projections/src/"];
const IMPURE_STD: &[&str] = &["fs", "time", "net", "env", "process", "thread"];
const STD: &[&str] = &["std", "core", "alloc"];
const UNORDERED: &[&str] = &["HashMap", "HashSet"];
const RANDOM: &[&str] = &["rand", "getrandom"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.rust() {
        let pure = PURE_CRATES.iter().any(|folder| path.starts_with(folder)) && !is_test_file(path);
        for named in source.paths() {
            if named.names_crate(ENGINE) && !in_engine_folder(path) {
                findings.push(Finding::new(path, named.line, format!("only {ENGINE_FOLDER} may name `{ENGINE}`; a module of that name is `self::{ENGINE}`")));
            }
            if named.names_crate(NETWORK) && path != NETWORK_FILE {
                let told = format!("only {NETWORK_FILE} may name `{NETWORK}`");
                findings.push(Finding::new(path, named.line, told));
            }
            if let Some(word) = unsafe_word(&named).filter(|_| !path.starts_with(UNSAFE_CRATE)) {
                findings.push(Finding::new(
                    path,
                    named.line,
                    format!("`{word}`: only {UNSAFE_CRATE} may hold unsafe code"),
                ));
            }
            if let Some(impure) = impurity(&named).filter(|_| pure && !named.test) {
                findings.push(Finding::new(
                    path,
                    named.line,
                    format!("`{impure}` in a pure crate"),
                ));
            }
        }
    }
    findings.extend(manifests(tree));
    findings
}

fn in_engine_folder(path: &str) -> bool {
    path.strip_prefix(ENGINE_FOLDER).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

/// A file that its parent declares under `#[cfg(test)]`, by the name such files have here.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn unsafe_word<'a>(named: &NamedPath<'a>) -> Option<&'a str> {
    named.segments.iter().copied().find(|segment| ["unsafe", "unsafe_code"].contains(segment))
}

fn impurity(named: &NamedPath<'_>) -> Option<String> {
    if let [root, module, ..] = named.segments.as_slice()
        && STD.contains(root)
        && IMPURE_STD.contains(module)
    {
        return Some(format!("{root}::{module}"));
    }
    let unordered = named.segments.iter().find(|segment| UNORDERED.contains(segment));
    let random = RANDOM.iter().find(|name| named.names_crate(name));
    unordered.or(random).map(ToString::to_string)
}

/// A crate leaves the lints of the workspace, `unsafe_code` among them, by not asking for them: so each must ask.
fn manifests(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        let is_manifest = file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml");
        if !is_manifest || file.path.starts_with(UNSAFE_CRATE) {
            continue;
        }
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        if !lines.windows(2).any(|pair| pair == ["[lints]", "workspace = true"]) {
            findings.push(Finding::new(&file.path, 1, "lacks `[lints] workspace = true`"));
        }
        for (index, line) in lines.iter().enumerate() {
            if line.starts_with("unsafe_code")
                && !line.contains("\"deny\"")
                && !line.contains("\"forbid\"")
            {
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    format!("only {UNSAFE_CRATE} may hold unsafe code"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    #[test]
    fn what_stands_in_its_own_place_is_fine() {
        let tree = Tree::of(&[
            (
                "Cargo.toml",
                "[workspace.lints.rust]\nunsafe_code = \"deny\"\n[lints]\nworkspace = true\n",
            ),
            (
                "ledger-format/src/event.rs",
                "use std::collections::BTreeMap; // std::fs\n#[cfg(test)]\nmod tests { use std::fs; }",
            ),
            ("ledger-format/src/vectors/tests.rs", "use std::fs;"),
            (
                "src/target/sqlite/recorded-vfs/Cargo.toml",
                "[lints.rust]\nunsafe_code = \"allow\"\n",
            ),
            ("src/target/sqlite/recorded-vfs/src/lib.rs", "unsafe fn f() {}"),
            (
                "src/log.rs",
                "mod sled; pub use self::sled::SledLog; fn f() { let sled = 1; let path = root.join(\"sled\"); }",
            ),
            ("src/log/sled/open.rs", "use sled::Db;"),
            ("src/evidence/http.rs", "use ureq::Agent;"),
            ("src/log/sled.rs", "fn f(db: &sled::Db) {}"),
            ("src/ledger.rs", "use std::{fs, time}; use std::collections::HashMap; /* unsafe */"),
        ]);
        assert_found(&check(&tree), &[]);
    }

    #[test]
    fn the_engine_is_named_in_its_folder_only() {
        let tree = Tree::of(&[
            ("src/ledger.rs", "\nfn f(db: &sled::Db) {}"),
            ("src/log/sledge.rs", "use {sled};"),
            ("tests/it/main.rs", "use sled;"),
        ]);
        assert_found(
            &check(&tree),
            &[
                ("src/ledger.rs", 2, "sled"),
                ("src/log/sledge.rs", 1, "sled"),
                ("tests/it/main.rs", 1, "sled"),
            ],
        );
    }

    #[test]
    fn the_network_is_named_in_one_file() {
        let tree = Tree::of(&[
            ("src/cli.rs", "\nfn f() { ureq::get(\"\") }"),
            ("src/http.rs", "use ureq;"),
        ]);
        assert_found(&check(&tree), &[("src/cli.rs", 2, "ureq"), ("src/http.rs", 1, "ureq")]);
    }

    #[test]
    fn pure_crates_name_nothing_impure() {
        for (line, word) in [
            ("use std::fs;", "std::fs"),
            ("use std::{fmt, time::Duration};", "std::time"),
            ("fn f(x: ::std::net::IpAddr) {}", "std::net"),
            ("fn f() { dbg(vec![std::env::args()]) }", "std::env"),
            ("use core::time::Duration;", "core::time"),
            ("fn f() { std::process::exit(1) }", "std::process"),
            ("use std::thread;", "std::thread"),
            ("use std::collections::{BTreeMap, HashMap};", "HashMap"),
            ("fn f(x: HashSet<u8>) {}", "HashSet"),
            ("fn f() { rand::random() }", "rand"),
            ("use getrandom;", "getrandom"),
        ] {
            for path in ["ledger-format/src/event.rs", "projections/src/store.rs"] {
                assert_found(
                    &check(&Tree::of(&[(path, &format!("//! Doc.\n{line}"))])),
                    &[(path, 2, word)],
                );
            }
        }
    }

    #[test]
    fn unsafe_code_and_leave_to_write_it_stand_in_one_crate() {
        let tree = Tree::of(&[
            ("src/a.rs", "fn f() {\n    unsafe { g() }\n}"),
            ("src/b.rs", "#![allow(unsafe_code)]"),
            ("tools/x/Cargo.toml", "[package]\n[lints.rust]\nunsafe_code = \"allow\"\n"),
        ]);
        assert_found(
            &check(&tree),
            &[
                ("src/a.rs", 2, "unsafe"),
                ("src/b.rs", 1, "unsafe_code"),
                ("tools/x/Cargo.toml", 1, "lacks"),
                ("tools/x/Cargo.toml", 3, "unsafe"),
            ],
        );
    }
}
