//! The tables that a `.glyph` store's database is known to have, told apart from those of somebody else.

/// Tables of version 1, in both of its shapes.
const OF_VERSION_1: [&str; 13] = [
    "content",
    "hook_runs",
    "meta",
    "mounts",
    "publications",
    "realms",
    "remotes",
    "snapshots",
    "sources",
    "work_claims",
    "work_conflicts",
    "work_contexts",
    "work_dependencies",
];

/// What version 3 has beside them.
const OF_VERSION_3: &str = "source_labels";

/// The tables of a database, by what is known of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tables {
    /// Number of tables that its version has, and that are there.
    pub known: u64,
    /// Tables that its version has, and that are not there.
    pub missing: Vec<String>,
    /// Tables of somebody else: carried along as they are, and watched for loss as all others are.
    pub other: Vec<String>,
}

/// Sorts the tables called `names` of a store at manifest version `version`.
pub fn sort_tables(names: &[String], version: u64) -> Tables {
    let expected: Vec<&str> =
        OF_VERSION_1.into_iter().chain((version >= 3).then_some(OF_VERSION_3)).collect();
    let is_there = |table: &&&str| names.iter().any(|name| name == **table);
    let (there, missing): (Vec<&str>, Vec<&str>) =
        expected.iter().partition(|table| is_there(table));
    Tables {
        known: there.len() as u64,
        missing: missing.into_iter().map(str::to_owned).collect(),
        other: names.iter().filter(|name| !expected.contains(&name.as_str())).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_known_missing_or_of_somebody_else() {
        let schema = include_str!("schema_1.sql");
        let declared = schema.matches("CREATE TABLE ").count();
        let mut names: Vec<String> = OF_VERSION_1.map(str::to_owned).into();
        assert_eq!(declared, names.len());
        assert!(names.iter().all(|name| schema.contains(&format!("CREATE TABLE {name} ("))));
        assert_eq!(sort_tables(&names, 2), Tables { known: 13, ..Tables::default() });
        names.retain(|name| name != "hook_runs");
        names.push("mine".to_owned());
        let found = sort_tables(&names, 3);
        assert_eq!(found.known, 12);
        assert_eq!(found.missing, ["hook_runs", OF_VERSION_3]);
        assert_eq!(found.other, ["mine"]);
    }
}
