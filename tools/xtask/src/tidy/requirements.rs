//! docs/requirements.md keeps its word: each promise stands there once, with the command that shows it and tests that
//! exist.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Tree};

const FILE: &str = "docs/requirements.md";

/// The section of promises that must hold, and the section of those still to come.
const NOW: &str = "Now";
const NOT_YET: &str = "Not yet";

/// Every promise there is: an area and how many it has.
const AREAS: &[(&str, usize)] = &[("L", 10), ("M", 17), ("S", 10), ("A", 9), ("C", 9), ("P", 5)];

/// The promises of this version. Others join them one by one; none goes back.
const IN_SCOPE: &[&str] = &[
    "L1", "L2", "L3", "L4", "L5", "L6", "L8", "L10", "M7", "M11", "S1", "S2", "S3", "S4", "S9",
    "S10", "P1", "P2", "P4",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.get(FILE) else {
        return vec![Finding::new(FILE, 1, "is missing")];
    };
    let rows = rows(&file.text);
    let tests: BTreeSet<&str> =
        tree.rust().flat_map(|(_, source)| source.test_functions()).map(String::as_str).collect();
    let mut findings = check_ids(&rows);
    for row in rows.iter().filter(|row| row.section == NOW) {
        findings.extend(check_row(row, &tests));
    }
    findings
}

/// One line of a table below a second-level heading.
struct Row<'a> {
    line: usize,
    section: &'a str,
    cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    fn id(&self) -> &'a str {
        self.cells.first().copied().unwrap_or_default()
    }

    fn finding(&self, message: impl Into<String>) -> Finding {
        Finding::new(FILE, self.line, message)
    }
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let mut section = "";
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.trim();
        }
        let Some(inner) = line.trim().strip_prefix('|') else {
            continue;
        };
        let cells: Vec<&str> =
            inner.strip_suffix('|').unwrap_or(inner).split('|').map(str::trim).collect();
        let is_rule =
            cells.iter().all(|cell| cell.chars().all(|letter| letter == '-' || letter == ':'));
        if !is_rule && cells.first() != Some(&"id") {
            rows.push(Row { line: index + 1, section, cells });
        }
    }
    rows
}

fn check_ids(rows: &[Row<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let id = row.id();
        if !known_ids().any(|known| known == id) {
            findings.push(row.finding(format!("`{id}` is no promise")));
        } else if let Some(first) = seen.insert(id, row.line) {
            findings.push(row.finding(format!("{id} stands already on line {first}")));
        } else if ![NOW, NOT_YET].contains(&row.section) {
            findings.push(
                row.finding(format!("{id} stands neither under `{NOW}` nor under `{NOT_YET}`")),
            );
        } else if row.section == NOT_YET && IN_SCOPE.contains(&id) {
            findings.push(row.finding(format!("{id} belongs under `{NOW}`")));
        }
    }
    let missing = known_ids().filter(|id| !seen.contains_key(id.as_str()));
    findings.extend(missing.map(|id| Finding::new(FILE, 1, format!("{id} is missing"))));
    findings
}

fn known_ids() -> impl Iterator<Item = String> {
    AREAS.iter().flat_map(|(area, count)| (1..=*count).map(move |number| format!("{area}{number}")))
}

fn check_row(row: &Row<'_>, tests: &BTreeSet<&str>) -> Vec<Finding> {
    let id = row.id();
    let [_, _, commands, names] = row.cells.as_slice() else {
        return vec![row.finding(format!(
            "{id} has {} cells, not `id | promise | command | test`",
            row.cells.len()
        ))];
    };
    let mut findings = Vec::new();
    if quoted(commands).is_empty() {
        findings.push(row.finding(format!("{id} names no `command`")));
    }
    let names = quoted(names);
    let prefix = format!("{}_", id.to_lowercase());
    if !names.iter().any(|name| name.starts_with(&prefix)) {
        findings.push(row.finding(format!("{id} names no test that starts with `{prefix}`")));
    }
    for name in names.iter().filter(|name| !tests.contains(**name)) {
        findings.push(row.finding(format!("{id} names the test `{name}`, which does not exist")));
    }
    findings
}

/// What stands between backticks, in order.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    fn document(change: impl Fn(&str) -> Option<String>) -> String {
        let mut lines = vec!["# Promises".to_owned(), String::new(), "| id | meaning |".to_owned()];
        for section in [NOW, NOT_YET] {
            lines.push(format!("## {section}"));
            lines.push("| id | promise | command | test |\n|---|:-:|---|---|".to_owned());
            for id in known_ids().filter(|id| IN_SCOPE.contains(&id.as_str()) == (section == NOW)) {
                lines.push(change(&id).unwrap_or_else(|| row(&id)));
            }
        }
        lines.join("\n") + "\n"
    }

    fn row(id: &str) -> String {
        if IN_SCOPE.contains(&id) {
            format!("| {id} | It holds. | `run {id}` | `{}_holds` |", id.to_lowercase())
        } else {
            format!("| {id} | Later. |")
        }
    }

    fn findings(document: &str) -> Vec<Finding> {
        let tests: Vec<String> = IN_SCOPE
            .iter()
            .map(|id| format!("#[test] fn {}_holds() {{}}", id.to_lowercase()))
            .collect();
        check(&Tree::of(&[
            (FILE, document),
            ("tests/it/all.rs", &tests.join("\n")),
            ("src/a.rs", "fn l1_is_no_test() {} // fn l1_comment()"),
        ]))
    }

    #[test]
    fn a_document_that_keeps_its_word_is_fine() {
        assert_found(&findings(&document(|_| None)), &[]);
    }

    #[test]
    fn every_way_to_break_a_row_is_named() {
        // L1 is the first row of the first table.
        for (row, word) in [
            ("| L1 | It holds. | `run` | `l1_gone` |", "`l1_gone`, which does not exist"),
            ("| L1 | It holds. | `run` | `l1_is_no_test` |", "does not exist"),
            ("| L1 | It holds. | `run` | `l2_holds` |", "names no test"),
            ("| L1 | It holds. | `run` | |", "names no test"),
            ("| L1 | It holds. | | `l1_holds` |", "names no `command`"),
            ("| L1 | It holds. | `run` |", "3 cells"),
        ] {
            let document = document(|id| (id == "L1").then(|| row.to_owned()));
            assert_found(&findings(&document), &[(FILE, 7, word)]);
        }
    }

    #[test]
    fn every_id_stands_once_and_in_its_section() {
        let missing = document(|id| (id == "A1").then(String::new));
        assert_found(&findings(&missing), &[(FILE, 1, "A1 is missing")]);
        let twice =
            document(|id| (id == "L7").then(|| "| L7 | Later. |\n| L7 | Later. |".to_owned()));
        assert_found(&findings(&twice), &[(FILE, 29, "stands already on line 28")]);
        let unknown =
            document(|id| (id == "L7").then(|| "| L7 | Later. |\n| L11 | What? |".to_owned()));
        assert_found(&findings(&unknown), &[(FILE, 29, "`L11` is no promise")]);
        let put_off =
            document(|_| None).replace("| L7 | Later. |", "| L7 | Later. |\n| P4 | Later. |");
        let put_off = put_off.replace("| P4 | It holds. | `run P4` | `p4_holds` |\n", "");
        assert_found(&findings(&put_off), &[(FILE, 28, "P4 belongs under `Now`")]);
        let outside = document(|_| None) + "## Elsewhere\n| L7 | Again. |\n";
        assert_found(
            &findings(&outside.replacen("| L7 | Later. |\n", "", 1)),
            &[(FILE, 70, "neither under")],
        );
    }

    #[test]
    fn without_the_document_nothing_is_kept() {
        assert_found(&check(&Tree::of(&[])), &[(FILE, 1, "is missing")]);
    }
}
