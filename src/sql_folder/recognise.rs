//! Telling the layout of a folder by its files, and by the tables of the database it is for.

use std::collections::BTreeMap;

use super::books::{Books, Tables};
use super::error::Trouble;
use super::layout::{Layout, Tool};
use super::names::{self, Part};
use super::tree::{Entry, Tree};
use super::{dbmate, goose};

/// What the files are like. Layouts of one family cannot be told apart by their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    /// `1_a.up.sql` and `1_a.down.sql`.
    Pairs,
    /// `1_a.sql`.
    Numbers,
    Diesel,
    Refinery,
    Goose,
    Dbmate,
    Plain,
}

/// The layout, and others that the files fit as well.
pub(super) fn layout(tree: &Tree, tables: &Tables) -> Result<(Layout, Vec<Layout>), Trouble> {
    let mut families: BTreeMap<Family, &str> = BTreeMap::new();
    for (path, entry) in tree.entries() {
        if let Some(family) = family(path, entry) {
            families.entry(family).or_insert(path);
        }
    }
    let Some(example) = families.values().next().copied() else {
        return Err(Trouble::Empty { layout: None, ignored: Vec::new() });
    };
    let fitting = fitting(tree, &families);
    if fitting.is_empty() {
        let named = |(family, path): (&Family, &&str)| (of(*family), (*path).to_owned());
        return Err(Trouble::Mixed { found: families.iter().map(named).collect() });
    }
    let is_plain = families.keys().eq([&Family::Numbers]);
    match by_tables(&fitting, tables, example) {
        // Numbered scripts of no tool are the plainest reading, and sqlx would have left its table.
        Err(Trouble::Ambiguous { candidates, .. }) if is_plain => {
            let others = candidates.into_iter().filter(|other| *other != Layout::Numbered);
            Ok((Layout::Numbered, others.collect()))
        }
        told => told,
    }
}

/// The one of `fitting` that the tables speak for.
fn by_tables(
    fitting: &[Layout],
    tables: &Tables,
    example: &str,
) -> Result<(Layout, Vec<Layout>), Trouble> {
    let present: Vec<Tool> =
        Tool::ALL.into_iter().filter(|tool| Books::fit(*tool, tables)).collect();
    let spoken_for: Vec<Layout> = present
        .iter()
        .map(|tool| tool.layout())
        .filter(|layout| fitting.contains(layout))
        .collect();
    let example = example.to_owned();
    match (spoken_for.as_slice(), present.first(), fitting) {
        ([layout], _, _) => Ok((*layout, Vec::new())),
        ([], Some(tool), _) => {
            let (table, files) = (tool.table(), fitting.to_vec());
            Err(Trouble::Disagrees { table, tool: *tool, example, files })
        }
        ([], None, [layout]) => Ok((*layout, Vec::new())),
        _ => {
            let candidates =
                if spoken_for.is_empty() { fitting.to_vec() } else { spoken_for.clone() };
            Err(Trouble::Ambiguous { example, candidates })
        }
    }
}

/// The family of a file or folder, if it looks like a migration at all.
fn family(path: &str, entry: &Entry) -> Option<Family> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if matches!(names::read(Layout::Diesel, path), Ok(Some(_)) | Err(_)) {
        return Some(Family::Diesel);
    }
    if matches!(names::read(Layout::Refinery, path), Ok(Some(_)) | Err(_)) {
        return Some(Family::Refinery);
    }
    if path.contains('/') || !names::is_script(name) || matches!(entry, Entry::Folder) {
        return None;
    }
    let text = match entry {
        Entry::File(bytes) => String::from_utf8_lossy(bytes),
        _ => "".into(),
    };
    if goose::begins(&text) {
        return Some(Family::Goose);
    }
    if dbmate::begins(&text) {
        return Some(Family::Dbmate);
    }
    if names::leading_digits(name).0.is_empty() {
        return Some(Family::Plain);
    }
    let is_pair = name.ends_with(".up.sql") || name.ends_with(".down.sql");
    Some(if is_pair { Family::Pairs } else { Family::Numbers })
}

/// The layout that a family stands for in messages.
fn of(family: Family) -> Layout {
    match family {
        Family::Pairs => Layout::GolangMigrate,
        Family::Numbers => Layout::Numbered,
        Family::Diesel => Layout::Diesel,
        Family::Refinery => Layout::Refinery,
        Family::Goose => Layout::Goose,
        Family::Dbmate => Layout::Dbmate,
        Family::Plain => Layout::Plain,
    }
}

/// The layouts that all families together fit.
fn fitting(tree: &Tree, families: &BTreeMap<Family, &str>) -> Vec<Layout> {
    let families: Vec<Family> = families.keys().copied().collect();
    let candidates: &[Layout] = match families.as_slice() {
        [Family::Pairs] => &[Layout::Numbered, Layout::Sqlx, Layout::GolangMigrate],
        [Family::Pairs, Family::Numbers] | [Family::Numbers] => &[Layout::Numbered, Layout::Sqlx],
        [family] => &[of(*family)],
        _ => &[],
    };
    let every = |layout: Layout| {
        tree.entries().all(|(path, entry)| {
            let is_script =
                !path.contains('/') && names::is_script(path) && *entry != Entry::Folder;
            !is_script
                || matches!(names::read(layout, path), Ok(Some(name)) if name.part != Part::Both)
        })
    };
    match candidates {
        [only] => vec![*only],
        [] => Vec::new(),
        // Of a name that fits none of them, the plainest says what is wrong with it.
        _ => {
            let all: Vec<Layout> =
                candidates.iter().copied().filter(|layout| every(*layout)).collect();
            if all.is_empty() { vec![Layout::Numbered] } else { all }
        }
    }
}
