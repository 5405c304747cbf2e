//! Every hash of our own says what it is of: the tags of commit hashes in the code are those in the table of SPEC.md §3, no
//! more and no less.

use std::collections::BTreeSet;

use super::rust::Source;
use super::{Finding, Tree};

const SPEC: &str = "ledger-format/SPEC.md";

/// The heading above the table of tags, and the beginning of its header row.
const SECTION: &str = "## 3. Hashes";
const HEADER: &str = "| tag |";

/// Folders whose code makes hashes that others recompute.
const FOLDERS: &[&str] = &["src/", "projections/src/", "ledger-format/src/"];

/// The functions that take a tag first.
const CALLS: [&str; 2] = ["CommitHash::of", "CommitHash::of_encoded"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(spec) = tree.get(SPEC) else { return Vec::new() };
    let documented = documented(&spec.text);
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for file in tree.files().iter().filter(|file| in_scope(&file.path)) {
        let Some(source) = &file.rust else { continue };
        for (line, tag) in tags(source, &file.text) {
            match tag {
                None => findings.push(Finding::new(
                    &file.path,
                    line,
                    "a commit hash with a tag that cannot be read here: use a literal or a `const` of this file",
                )),
                Some(tag) if !documented.iter().any(|(_, known)| *known == tag) => {
                    let message = format!("the tag `{tag}` is not in the table of {SPEC} §3");
                    findings.push(Finding::new(&file.path, line, message));
                }
                Some(tag) => drop(used.insert(tag)),
            }
        }
    }
    let unused = documented.iter().filter(|(_, tag)| !used.contains(tag));
    findings.extend(unused.map(|(line, tag)| {
        Finding::new(SPEC, *line, format!("no code makes a hash with the tag `{tag}`"))
    }));
    findings
}

fn in_scope(path: &str) -> bool {
    let tests = path.ends_with("/tests.rs") || path.contains("/tests/");
    FOLDERS.iter().any(|folder| path.starts_with(folder)) && !tests
}

/// The tags in the first column of the table, each with its line.
fn documented(spec: &str) -> Vec<(usize, String)> {
    let lines = spec.lines().enumerate();
    let section = lines.skip_while(|(_, line)| *line != SECTION).skip(1);
    let section = section.take_while(|(_, line)| !line.starts_with("## "));
    let table = section.skip_while(|(_, line)| !line.starts_with(HEADER)).skip(2);
    let rows = table.take_while(|(_, line)| line.starts_with('|'));
    rows.flat_map(|(at, line)| {
        let cell = line.split('|').nth(1).unwrap_or_default();
        let tags = cell.split('`').skip(1).step_by(2);
        tags.map(move |tag| (at + 1, tag.to_owned())).collect::<Vec<_>>()
    })
    .collect()
}

/// The tag of each call outside of tests; `None` where it is neither a literal nor a constant of the file.
fn tags(source: &Source, text: &str) -> Vec<(usize, Option<String>)> {
    CALLS.into_iter().flat_map(|call| tags_of(call, source, text)).collect()
}

fn tags_of(call: &str, source: &Source, text: &str) -> Vec<(usize, Option<String>)> {
    let paths = source.paths();
    let calls = paths.iter().filter(|path| !path.test && path.segments.join("::") == call);
    let lines: BTreeSet<usize> = calls.map(|path| path.line).collect();
    let called = format!("{call}(");
    let mut found = Vec::new();
    for line in lines {
        let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let rest = text.get(start..).unwrap_or_default();
        let this_line = rest.lines().next().unwrap_or_default();
        for (at, _) in this_line.match_indices(&called) {
            let argument = rest.get(at + called.len()..).unwrap_or_default().trim_start();
            found.push((line, tag(argument, text)));
        }
    }
    found
}

fn tag(argument: &str, text: &str) -> Option<String> {
    let literal = argument.trim_start_matches("&format!(");
    let Some(quoted) = literal.strip_prefix('"') else {
        let name: &str = argument.split([',', ')']).next()?.trim();
        let definition = format!("const {name}: &str = \"");
        let (_, value) = text.split_once(&definition)?;
        return Some(value.split('"').next()?.to_owned());
    };
    // What is put in at run time stands between angle brackets in the document.
    Some(quoted.split('"').next()?.replace('{', "<").replace('}', ">"))
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    const CODE: &str = "\
use ledger_format::hash::CommitHash;
const TAG: &str = \"two\";
fn a() { CommitHash::of(\"one\", &v); }
fn b() { CommitHash::of(TAG, &v); }
fn e() { CommitHash::of_encoded(\"five\", b); }
fn c() { CommitHash::of(&format!(\"three/{name}\"), &v); }
#[cfg(test)]
mod tests { fn d() { CommitHash::of(\"x\", &v); } }
";
    const TABLE: &str = "\
## 3. Hashes

| class | preimage |
|---|---|
| commit hash | `not a tag` |

| tag | value |
|---|---|
| `one`, `two` | `v` |
| `three/<name>`, `five` | v |

## 4. More

| `four` | no tag either |
";

    fn findings(code: &str, table: &str) -> Vec<Finding> {
        check(&Tree::of(&[
            ("src/a.rs", code),
            ("src/a/tests.rs", "fn t() { CommitHash::of(\"y\", &v); }"),
            (SPEC, table),
        ]))
    }

    #[test]
    fn tags_that_are_documented_and_used_are_fine() {
        assert_found(&findings(CODE, TABLE), &[]);
    }

    #[test]
    fn a_tag_on_one_side_only_is_named() {
        let more = CODE.replace("\"one\"", "\"other\"");
        assert_found(
            &findings(&more, TABLE),
            &[("src/a.rs", 3, "`other` is not in the table"), (SPEC, 9, "the tag `one`")],
        );
        let spread = CODE.replace("CommitHash::of(\"one\"", "CommitHash::of(\n    \"other\"");
        assert_found(
            &findings(&spread, TABLE),
            &[("src/a.rs", 3, "`other` is not in the table"), (SPEC, 9, "the tag `one`")],
        );
    }

    #[test]
    fn a_tag_that_cannot_be_read_is_named() {
        let hidden = CODE.replace("of(TAG", "of(tag");
        assert_found(
            &findings(&hidden, TABLE),
            &[("src/a.rs", 4, "cannot be read"), (SPEC, 9, "the tag `two`")],
        );
    }
}
