//! The table of trials, and below it what does not fit into one.

use std::time::Duration;

use crate::trial::Trial;

const HEAD: [&str; 10] = [
    "history",
    "applied",
    "rows",
    "to apply",
    "statements",
    "plan",
    "apply",
    "losses",
    "recomputed",
    "after undo",
];

/// A table in Markdown, then one list a trial of what it lost and what was refused.
pub(crate) fn text(trials: &[Trial]) -> String {
    let mut lines = vec![row(&HEAD.map(str::to_owned)), row(&HEAD.map(|_| "---".to_owned()))];
    lines.extend(trials.iter().map(|trial| row(&cells(trial))));
    lines.extend(trials.iter().flat_map(notes));
    lines.push(String::new());
    lines.join("\n")
}

fn cells(trial: &Trial) -> [String; 10] {
    let recomputed = trial.recomputed.map_or_else(dash, |(same, all)| format!("{same} of {all}"));
    let back = match (&trial.refused, trial.back) {
        _ if trial.unreached => "not reached".to_owned(),
        (Some(refusal), _) => format!("{} refused", refusal.command),
        (None, Some(true)) => "equal page root".to_owned(),
        (None, Some(false)) => "DIFFERENT page root".to_owned(),
        (None, None) => dash(),
    };
    [
        trial.history.clone(),
        trial.point.to_string(),
        trial.rows.to_string(),
        trial.migrations.to_string(),
        trial.statements.to_string(),
        seconds(trial.planned),
        seconds(trial.applied),
        trial.losses.len().to_string(),
        recomputed,
        back,
    ]
}

fn notes(trial: &Trial) -> Vec<String> {
    let mut notes = Vec::new();
    if trial.baseline_named {
        notes.push("- `init` had to be told the version".to_owned());
    }
    if !trial.empty.is_empty() {
        notes.push(format!("- tables without rows: {}", trial.empty.join(", ")));
    }
    if !trial.losses.is_empty() {
        notes.push(format!("- lost: {}", trial.losses.join("; ")));
    }
    if let Some(refusal) = trial.refused.as_ref().filter(|_| !trial.unreached) {
        notes.push(format!("- {} refused: {}: {}", refusal.command, refusal.code, refusal.message));
    }
    if notes.is_empty() {
        return notes;
    }
    let head = format!("{} after {}:", trial.history, trial.point);
    [vec![String::new(), head, String::new()], notes].concat()
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_a_row_and_its_losses_are_listed() {
        let trial = Trial {
            history: "memos".to_owned(),
            migrations: 3,
            losses: vec!["tag dropped: 5 rows".to_owned()],
            recomputed: Some((3, 3)),
            back: Some(true),
            ..Trial::default()
        };
        let told = text(&[trial]);
        let row = "| memos | 0 | 0 | 3 | 0 | 0.00 s | 0.00 s | 1 | 3 of 3 | equal page root |";
        assert!(told.contains(row), "{told}");
        assert!(told.ends_with("\nmemos after 0:\n\n- lost: tag dropped: 5 rows\n"), "{told}");
    }
}
