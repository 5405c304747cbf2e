//! States of runs of version 0 with many tasks, as the programs that write them write them: two spaces a level, no phases.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use crate::error::{Error, at};

/// Phases that the tasks are spread over.
const PHASES: u64 = 40;

/// Writes a state with `tasks` tasks, of which the first `completed` are completed. The same numbers give the same bytes.
pub(super) fn write(path: &Path, tasks: u64, completed: u64) -> Result<(), Error> {
    let mut out = BufWriter::new(File::create(path).map_err(at(path))?);
    let mut put = |text: &str| out.write_all(text.as_bytes()).map_err(at(path));
    put(BEFORE)?;
    for number in 0..tasks {
        put(if number == 0 { "\n" } else { ",\n" })?;
        put(&task(number, tasks, completed))?;
    }
    put(if tasks == 0 { "]\n}\n" } else { "\n  ]\n}\n" })?;
    out.flush().map_err(at(path))
}

const BEFORE: &str = r#"{
  "id": "long-run",
  "createdAt": "2025-03-01T00:00:00.000Z",
  "cwd": "/srv/work",
  "workflow": {
    "id": "release-check"
  },
  "inputs": {
    "question": "Is every package ready?"
  },
  "loopStage": "observe",
  "tasks": ["#;

fn task(number: u64, tasks: u64, completed: u64) -> String {
    let phase = number * PHASES / tasks;
    let status = if number < completed { "completed" } else { "pending" };
    let fields = [
        ("id", format!("\"check:{number:06}\"")),
        ("kind", "\"agent\"".to_owned()),
        ("phase", format!("\"Phase {phase}\"")),
        ("status", format!("\"{status}\"")),
        ("requiresEvidence", number.is_multiple_of(3).to_string()),
        ("prompt", format!("\"Check that package {number} builds, and say why it does not.\"")),
        ("taskPath", format!("\"/srv/work/tasks/{number:06}.md\"")),
        ("resultPath", format!("\"/srv/work/results/{number:06}.md\"")),
        ("loopStage", "\"observe\"".to_owned()),
        ("attempts", (number % 4).to_string()),
    ];
    let mut text = "    {".to_owned();
    for (place, (name, value)) in fields.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _written = write!(text, "{comma}\n      \"{name}\": {value}");
    }
    text + "\n    }"
}

#[cfg(test)]
mod tests {
    use glyph_ledger::contract::registry::load_named;
    use glyph_ledger::migrate::documents::{Outside, Prepared, Status};

    use super::*;

    #[test]
    fn states_are_of_version_0_and_get_their_phases() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let prepared = Prepared::of(load_named("run-state").unwrap(), &Outside::default()).unwrap();
        for (tasks, completed, status) in
            [(80, 80, Some("completed")), (80, 0, Some("pending")), (0, 0, None)]
        {
            write(&path, tasks, completed).unwrap();
            let evaluation = prepared.evaluate(&std::fs::read(&path).unwrap(), None);
            assert_eq!(evaluation.status, Status::Migrated, "{:?}", evaluation.refusals);
            let value = evaluation.result.unwrap().value;
            let phases = value.as_map().unwrap().get("phases").unwrap().as_list().unwrap();
            assert_eq!(phases.len(), if tasks == 0 { 0 } else { 40 });
            let first = phases.first().and_then(|phase| phase.as_map()?.get("status")?.as_text());
            assert_eq!(first, status);
        }
    }
}
