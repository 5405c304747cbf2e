//! What the tests and tools call is installed: every program that a Rust file calls by a fixed name stands in the list
//! of programs that `tools/setup` provides, so that a fresh machine has it.

use std::collections::BTreeSet;

use super::{Finding, Tree};

const SETUP: &str = "tools/setup";

/// The line of `tools/setup` that lists programs, without the list.
const LIST: &str = "programs=(";

/// How a program with a fixed name is called; the second where `Command` has another meaning.
const CALLS: [&str; 2] = [concat!("Command::new", "(\""), concat!("Process::new", "(\"")];

/// Cargo is there before anything of this project runs, and every system has its shell.
const GIVEN: &[&str] = &["/bin/sh", "cargo"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let provided = tree.get(SETUP).map(|setup| provided(&setup.text)).unwrap_or_default();
    let mut findings = Vec::new();
    for file in tree.files().iter().filter(|file| file.rust.is_some()) {
        for (number, line) in (1..).zip(file.text.lines()) {
            for program in called(line) {
                if !provided.contains(program) && !GIVEN.contains(&program) {
                    let message = format!("calls {program}, which {SETUP} does not provide");
                    findings.push(Finding::new(&file.path, number, message));
                }
            }
        }
    }
    findings
}

fn provided(setup: &str) -> BTreeSet<&str> {
    let list = setup.lines().find_map(|line| line.strip_prefix(LIST)?.strip_suffix(')'));
    list.map(|list| list.split_whitespace().collect()).unwrap_or_default()
}

fn called(line: &str) -> impl Iterator<Item = &str> {
    let calls = CALLS.iter().flat_map(move |call| line.split(call).skip(1));
    calls.filter_map(|rest| Some(rest.split_once('"')?.0))
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    fn calling(program: &str) -> String {
        calling_by(CALLS[0], program)
    }

    fn calling_by(call: &str, program: &str) -> String {
        format!("//! Doc.\nfn f() {{\n    {call}{program}\");\n}}\n")
    }

    #[test]
    fn a_program_that_setup_does_not_provide_is_named() {
        let jq = calling("jq");
        let setup = "#!/bin/sh\nprograms=(cc jq)\n";
        assert_found(&check(&Tree::of(&[("tests/a.rs", &jq), (SETUP, setup)])), &[]);
        assert_found(
            &check(&Tree::of(&[("tests/a.rs", &jq), (SETUP, "programs=(cc)\n")])),
            &[("tests/a.rs", 3, "calls jq")],
        );
        for call in CALLS {
            let jq = calling_by(call, "jq");
            let tree = Tree::of(&[("tests/a.rs", &jq)]);
            assert_found(&check(&tree), &[("tests/a.rs", 3, "calls jq")]);
        }
    }

    #[test]
    fn what_is_always_there_needs_no_list() {
        for program in GIVEN {
            assert_found(&check(&Tree::of(&[("tests/a.rs", &calling(program))])), &[]);
        }
    }
}
