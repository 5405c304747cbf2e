//! The roots of a checkpoint: a Merkle tree over its shards, commitments to its parts.

use ledger_format::cbor::Value as Cbor;

use super::{FormulaError, FormulaReason, Hash, at, commit, held, in_cbor, shape};
use crate::document::{Map, Value};

/// Whether tags carry the `_v1` that they all lost at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    V1,
    Plain,
}

impl Tags {
    fn commit(self, tag: &str, items: Vec<Cbor>) -> Hash {
        match self {
            Self::V1 => commit(&format!("{tag}_v1"), items),
            Self::Plain => commit(tag, items),
        }
    }
}

/// The Merkle root over `shards`: leaves in the order of the paths, the last of an odd row paired with itself. One leaf is
/// the root; none have a root of their own.
pub(super) fn merkle_root(shards: &Value, tags: Tags) -> Result<Hash, FormulaError> {
    let mut row = leaves(shards, tags, |_| true)?;
    while row.len() > 1 {
        row = row.chunks(2).map(|pair| node(pair, tags)).collect();
    }
    Ok(row.first().copied().unwrap_or_else(|| tags.commit("ckpt_merkle_root", Vec::new())))
}

fn node(pair: &[Hash], tags: Tags) -> Hash {
    let pair = pair.first().zip(pair.last());
    let items = pair.map(|(left, right)| vec![in_cbor(left), in_cbor(right)]);
    tags.commit("ckpt_merkle_node", items.unwrap_or_default())
}

/// The commitment to the leaves of the shards below the folder `part`.
pub(super) fn part_root(shards: &Value, part: &str, tags: Tags) -> Result<Hash, FormulaError> {
    let inside = |path: &str| path.strip_prefix(part).is_some_and(|rest| rest.starts_with('/'));
    let leaves = leaves(shards, tags, inside)?;
    Ok(tags.commit(&format!("{part}_root"), leaves.iter().map(in_cbor).collect()))
}

/// The commitment to lock file, toolchain and environment that a header names.
pub(super) fn dependencies_lock(header: &Value, tags: Tags) -> Result<Hash, FormulaError> {
    let map = header.as_map().ok_or_else(|| shape(&[], "a header"))?;
    let named = |name: &str| {
        let hash = map.get(name).and_then(held);
        hash.map(|hash| in_cbor(&hash)).ok_or_else(|| shape(&[name], "a hash"))
    };
    let items = vec![named("lockfile_hash")?, named("toolchain_hash")?, named("runtime_env_hash")?];
    Ok(tags.commit("deps_lock", items))
}

fn leaves(
    shards: &Value,
    tags: Tags,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Hash>, FormulaError> {
    let shards = shards.as_list().ok_or_else(|| shape(&[], "a list of shards"))?;
    let mut leaves = Vec::new();
    let mut before: Option<&str> = None;
    for (position, shard) in shards.iter().enumerate() {
        let position = position.to_string();
        let map = shard.as_map().ok_or_else(|| shape(&[&position], "a shard"))?;
        let shard = Shard::of(map, &position)?;
        if before.is_some_and(|before| before.as_bytes() >= shard.path.as_bytes()) {
            let place = at(&[&position, "path"]);
            return Err(FormulaError { place, reason: FormulaReason::Order });
        }
        before = Some(shard.path);
        if wanted(shard.path) {
            leaves.push(shard.leaf(tags));
        }
    }
    Ok(leaves)
}

struct Shard<'a> {
    path: &'a str,
    sha256: Hash,
    size_bytes: u64,
}

impl<'a> Shard<'a> {
    fn of(map: &'a Map, position: &str) -> Result<Self, FormulaError> {
        let path = map.get("path").and_then(Value::as_text);
        let path = path.filter(|path| is_relative(path));
        let sha256 = map.get("sha256").and_then(held);
        let size = map.get("size_bytes").and_then(|size| match size {
            Value::Number(number) => number.digits().parse().ok(),
            _ => None,
        });
        Ok(Self {
            path: path.ok_or_else(|| {
                shape(&[position, "path"], "a path below the checkpoint's folder")
            })?,
            sha256: sha256.ok_or_else(|| shape(&[position, "sha256"], "a hash"))?,
            size_bytes: size.ok_or_else(|| shape(&[position, "size_bytes"], "a size in bytes"))?,
        })
    }

    fn leaf(&self, tags: Tags) -> Hash {
        let items = vec![self.path.into(), in_cbor(&self.sha256), self.size_bytes.into()];
        tags.commit("ckpt_shard", items)
    }
}

/// Whether a path is one of a shard: relative, without `.` and `..`, without empty parts.
fn is_relative(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use ledger_format::hash::{ContentHash, hex};

    use super::*;
    use crate::document::json;

    fn value(text: &str) -> Value {
        json::read(text.as_bytes()).unwrap().value
    }

    /// `count` shards of one byte each, the byte being their number.
    fn shards(count: u8) -> Value {
        let shard = |number: u8| {
            let sha256 = ContentHash::of(&[number]);
            format!(
                r#"{{"path":"tensors/rank=0/shard={number}.bin","sha256":"{sha256}","size_bytes":1}}"#
            )
        };
        value(&format!("[{}]", (0..count).map(shard).collect::<Vec<_>>().join(",")))
    }

    fn refused(shards: &str) -> String {
        merkle_root(&value(shards), Tags::Plain).unwrap_err().to_string()
    }

    #[test]
    fn empty_roots_are_the_known_answers() {
        let none = shards(0);
        for (root, known) in [
            (
                merkle_root(&none, Tags::Plain),
                "65dd5dace7e49fcbcc256bccab337b01efa618aadcd7ffd1becc23ffd577e48e",
            ),
            (
                part_root(&none, "tensors", Tags::Plain),
                "544e9b5088716fecc05ebc610610a68ec405999a30ac79aa538ba78a1ff25468",
            ),
            (
                part_root(&none, "optimizer", Tags::Plain),
                "9a11274be2ab06ec11bd012e0e13c2d50bfa8064caf87247cb7acaee74159266",
            ),
        ] {
            assert_eq!(hex(&root.unwrap()), known);
        }
    }

    #[test]
    fn merkle_roots_over_shards_are_the_known_answers() {
        for (count, begins, ends) in
            [(1, "f52721a9", "bf30"), (2, "8b889c99", "1428"), (3, "b5bb1341", "95d8")]
        {
            let root = hex(&merkle_root(&shards(count), Tags::Plain).unwrap());
            assert!(root.starts_with(begins) && root.ends_with(ends), "{count}: {root}");
        }
    }

    #[test]
    fn a_part_holds_its_own_folder_only() {
        let mixed = value(
            r#"[{"path":"optimizer/a","sha256":"0000000000000000000000000000000000000000000000000000000000000000","size_bytes":0},
                {"path":"tensorsx/a","sha256":"0000000000000000000000000000000000000000000000000000000000000000","size_bytes":0}]"#,
        );
        let root = |part| part_root(&mixed, part, Tags::Plain).unwrap();
        assert_eq!(root("tensors"), part_root(&shards(0), "tensors", Tags::Plain).unwrap());
        assert_ne!(root("optimizer"), part_root(&shards(0), "optimizer", Tags::Plain).unwrap());
        assert_ne!(root("optimizer"), part_root(&mixed, "optimizer", Tags::V1).unwrap());
    }

    #[test]
    fn what_is_no_list_of_shards_is_refused_with_its_place() {
        let zero = "0".repeat(64);
        let shard = |path: &str| format!(r#"{{"path":"{path}","sha256":"{zero}","size_bytes":1}}"#);
        for (shards, expected) in [
            ("{}".to_owned(), ": expected a list of shards"),
            ("[1]".to_owned(), "/0: expected a shard"),
            (format!("[{}]", shard("../a")), "/0/path: expected a path"),
            (format!("[{}]", shard("/a")), "/0/path: expected a path"),
            (format!("[{}]", shard("a")).replace("00", "0G"), "/0/sha256: expected a hash"),
            (format!("[{}]", shard("a")).replace(":1", ":-1"), "/0/size_bytes: expected a size"),
            (format!("[{},{}]", shard("b"), shard("a")), "/1/path: the shards must stand in"),
            (format!("[{},{}]", shard("a"), shard("a")), "/1/path: the shards must stand in"),
        ] {
            let error = refused(&shards);
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn the_lock_binds_three_hashes() {
        let header = |last: char| {
            let hash = |digit: char| digit.to_string().repeat(64);
            value(&format!(
                r#"{{"lockfile_hash":"{}","toolchain_hash":"{}","runtime_env_hash":"{}"}}"#,
                hash('1'),
                hash('2'),
                hash(last)
            ))
        };
        let of = |last| dependencies_lock(&header(last), Tags::Plain).unwrap();
        assert_eq!(of('3'), of('3'));
        assert_ne!(of('3'), of('4'));
        assert_ne!(of('3'), dependencies_lock(&header('3'), Tags::V1).unwrap());
        let error = dependencies_lock(&value("{}"), Tags::Plain).unwrap_err();
        assert_eq!(error.to_string(), "/lockfile_hash: expected a hash");
    }
}
