//! Arrows point down: a module may name what lies below it, and its own neighbours as long as they do not name it back.
//!
//! Knows the order of the modules, in one table. A module missing from the table is an error, so that each new one is
//! given its place by somebody.

use std::collections::{BTreeMap, BTreeSet};

use super::rust::{NamedPath, Source};
use super::{Finding, Tree};

/// The layers, top first: the modules of the library under their names, and the two pure crates below them.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["demo", "attacks", "package"],
    &["migrate", "trust", "verify", "export", "evidence", "replay", "failure", "operators"],
    &["ledger"],
    &["link"],
    &["sql_folder"],
    &["target", "contract", "objects", "log"],
    &["transform", "schema"],
    &["effects", "diagnostic", "glyphser", "ordered", "sql_text"],
    &["document"],
    &["projections"],
    &["ledger_format"],
];

/// The library under the name that its own binary uses for it.
const LIBRARY: &str = "glyph_ledger";

/// Crates of the table: their folders, and their names in code.
const CRATES: &[(&str, &str)] =
    &[("projections/src/", "projections"), ("ledger-format/src/", "ledger_format")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut neighbours = Vec::new();
    for (path, source) in tree.rust() {
        let Some(place) = Place::of(path) else {
            continue;
        };
        let Some(from) = rank(place.node) else {
            findings.push(Finding::new(
                path,
                1,
                format!("module `{}` has no layer: give it one in tools/xtask", place.node),
            ));
            continue;
        };
        for arrow in arrows(&place, source) {
            let (to, line) = (arrow.to, arrow.line);
            match rank(to) {
                None => findings.push(Finding::new(
                    path,
                    line,
                    format!("`{to}` is no module with a layer: name things by their module"),
                )),
                Some(rank) if rank < from => {
                    findings.push(Finding::new(
                        path,
                        line,
                        format!("`{}` lies below `{to}` and must not name it", place.node),
                    ));
                }
                Some(rank) if rank == from => {
                    neighbours.push(Neighbour { from: place.node, to, path, line });
                }
                Some(_) => {}
            }
        }
    }
    findings.extend(cycles(&neighbours));
    findings
}

fn rank(node: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&node))
}

/// Where a file stands: its module in the table, and how deep below it.
struct Place<'a> {
    node: &'a str,
    /// The path of the file's module in its crate: `src/log/sled/open.rs` is `log`, `sled`, `open`.
    modules: Vec<&'a str>,
    /// The crate root of the table's modules is this file's own.
    in_library: bool,
}

impl<'a> Place<'a> {
    /// `None` for files outside the table, and for the roots of the library, which put the layers together.
    fn of(path: &'a str) -> Option<Self> {
        for (folder, node) in CRATES {
            if let Some(rest) = path.strip_prefix(folder) {
                return Some(Self { node, modules: module_path(rest), in_library: false });
            }
        }
        let modules = module_path(path.strip_prefix("src/")?);
        match modules.first().copied() {
            None | Some("main" | "bin") => None,
            Some(node) => Some(Self { node, modules, in_library: true }),
        }
    }
}

fn module_path(file: &str) -> Vec<&str> {
    let mut modules: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if matches!(modules.last(), Some(&("mod" | "lib"))) {
        modules.pop();
    }
    modules
}

struct Arrow<'a> {
    to: &'a str,
    line: usize,
}

/// Everything in the table that a file names, except its own module.
fn arrows<'a>(place: &Place<'a>, source: &'a Source) -> Vec<Arrow<'a>> {
    let named = |path: NamedPath<'a>| Some(Arrow { to: target(place, &path)?, line: path.line });
    source.paths().into_iter().filter_map(named).filter(|arrow| arrow.to != place.node).collect()
}

/// The module of the table that `path` leads into: from the crate root, upwards by `super`, or into another crate.
fn target<'a>(place: &Place<'a>, path: &NamedPath<'a>) -> Option<&'a str> {
    for (_, node) in CRATES {
        if path.names_crate(node) {
            return Some(node);
        }
    }
    let mut rest = path.segments.as_slice();
    match rest.split_first()? {
        (&LIBRARY, below) if path.names_crate(LIBRARY) => {
            return Some(below.first().copied().unwrap_or(LIBRARY));
        }
        _ if !place.in_library => return None,
        (&"crate", below) => return below.first().copied(),
        _ => {}
    }
    let mut depth = place.modules.len() + path.inside.len();
    while let Some((&"super", below)) = rest.split_first() {
        depth = depth.checked_sub(1)?;
        rest = below;
    }
    if depth == 0 { rest.first().copied() } else { None }
}

struct Neighbour<'a> {
    from: &'a str,
    to: &'a str,
    path: &'a str,
    line: usize,
}

/// One finding for each arrow between neighbours that comes back to where it started.
fn cycles(neighbours: &[Neighbour<'_>]) -> Vec<Finding> {
    let mut below: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in neighbours {
        below.entry(arrow.from).or_default().insert(arrow.to);
    }
    let comes_back = |arrow: &&Neighbour<'_>| reachable(&below, arrow.to).contains(arrow.from);
    neighbours
        .iter()
        .filter(comes_back)
        .map(|arrow| {
            Finding::new(
                arrow.path,
                arrow.line,
                format!(
                    "`{}` and `{}` name each other: arrows must not go in a circle",
                    arrow.from, arrow.to
                ),
            )
        })
        .collect()
}

fn reachable<'a>(
    below: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    start: &'a str,
) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(node) = open.pop() {
        if seen.insert(node) {
            open.extend(below.get(node).into_iter().flatten());
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::assert_found;
    use super::*;

    #[test]
    fn arrows_that_point_down_are_fine() {
        let tree = Tree::of(&[
            ("src/lib.rs", "pub mod cli; pub use ledger::Ledger;"),
            ("src/main.rs", "fn main() { glyph_ledger::cli::run() }"),
            (
                "src/cli/init.rs",
                "use crate::ledger::Ledger; use super::arguments; use crate::cli::output; use ledger_format::Event;",
            ),
            (
                "src/log/sled/open.rs",
                "use super::super::Log; use crate::effects::Clock; fn f(cli: u8) { let x = cli; super::super::super::effects::g() }",
            ),
            ("src/target.rs", "use crate::objects::Pack; pub(crate) fn f() {}"),
            (
                "src/objects.rs",
                "//! crate::cli::x\nconst A: &str = \"crate::cli::x\"; #[cfg(test)] mod tests { use super::*; }",
            ),
            ("projections/src/store.rs", "use crate::cli::Word; use ledger_format::Event;"),
            ("tests/it/main.rs", "use glyph_ledger::cli::run;"),
        ]);
        assert_found(&check(&tree), &[]);
    }

    #[test]
    fn arrows_that_point_up_are_named() {
        let tree = Tree::of(&[
            ("ledger-format/src/event.rs", "\n\nuse projections::Store;"),
            ("projections/src/store.rs", "fn f() { glyph_ledger::log::open() }"),
            ("src/effects.rs", "use std::fmt;\nuse crate::{effects::Clock, log::Log};"),
            ("src/log/sled/open.rs", "fn f() {\n    assert!(crate::cli::run());\n}"),
            ("src/objects.rs", "use super::ledger::Ledger;"),
            ("src/transform.rs", "mod inner { use super::super::migrate::Plan; }"),
        ]);
        assert_found(
            &check(&tree),
            &[
                ("ledger-format/src/event.rs", 3, "`ledger_format` lies below `projections`"),
                ("projections/src/store.rs", 1, "`projections` lies below `log`"),
                ("src/effects.rs", 2, "`effects` lies below `log`"),
                ("src/log/sled/open.rs", 2, "`log` lies below `cli`"),
                ("src/objects.rs", 1, "`objects` lies below `ledger`"),
                ("src/transform.rs", 1, "`transform` lies below `migrate`"),
            ],
        );
    }

    #[test]
    fn a_module_without_a_layer_is_named_by_its_file_and_by_who_names_it() {
        let tree = Tree::of(&[
            ("src/gadgets.rs", "fn f() {}"),
            ("src/ledger.rs", "use crate::gadgets::f;\nuse crate::Ledger;"),
        ]);
        assert_found(
            &check(&tree),
            &[
                ("src/gadgets.rs", 1, "`gadgets`"),
                ("src/ledger.rs", 1, "`gadgets`"),
                ("src/ledger.rs", 2, "`Ledger`"),
            ],
        );
    }

    #[test]
    fn neighbours_may_name_each_other_one_way_only() {
        let one_way = ("src/target.rs", "use crate::objects::Pack;");
        assert_found(
            &check(&Tree::of(&[one_way, ("src/objects.rs", "use crate::log::Log;")])),
            &[],
        );
        let circle = Tree::of(&[
            one_way,
            ("src/objects.rs", "use crate::log::Log;"),
            ("src/log.rs", "\nuse crate::target::Target;"),
        ]);
        assert_found(
            &check(&circle),
            &[
                ("src/log.rs", 2, "circle"),
                ("src/objects.rs", 1, "circle"),
                ("src/target.rs", 1, "circle"),
            ],
        );
    }
}
