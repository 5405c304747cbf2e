//! The table: what was measured, beside what, and whether that reaches its goal.

use std::fmt::Write as _;
use std::fs;
use std::thread;

use crate::rounds::Rounds;

/// Peak memory allowed at any length of the ledger, in MiB.
const MEMORY_MIB_MAX: f64 = 128.0;

/// All rows of one run.
pub(crate) struct Report {
    events: u64,
    rows: Vec<Row>,
}

/// One measurement.
pub(crate) struct Row {
    what: String,
    measured: String,
    beside: String,
    ratio: Option<f64>,
    goal: Goal,
    reached: Option<bool>,
}

/// What a measurement should be: its ratio, or the number itself.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Nobody set one.
    None,
    AtLeast(f64),
    Below(f64),
}

impl Row {
    /// A rate beside a peer's rate; the goal is about the ratio.
    pub(crate) fn rates(what: &str, own: &Rounds, peer: &(&str, Rounds), goal: Goal) -> Self {
        let (name, rounds) = peer;
        let ratio = own.over(rounds);
        Self {
            what: what.to_owned(),
            measured: rate(own.median()),
            beside: format!("{name}: {}", rate(rounds.median())),
            ratio: Some(ratio),
            goal,
            reached: goal.reached(ratio),
        }
    }

    /// A rate beside what the machine could do; the goal is about the rate.
    pub(crate) fn rate(what: &str, own: &Rounds, peer: &(&str, Rounds), goal: Goal) -> Self {
        let reached = goal.reached(own.median());
        Self { goal, reached, ..Self::rates(what, own, peer, Goal::None) }
    }

    /// Seconds by themselves.
    pub(crate) fn time(what: &str, own: &Rounds, goal: Goal) -> Self {
        Self::alone(what, format!("{:.2} s", own.median()), own, goal)
    }

    /// Peak memory in MiB.
    pub(crate) fn memory(what: &str, own: &Rounds) -> Self {
        Self::alone(what, format!("{:.0} MiB", own.median()), own, Goal::Below(MEMORY_MIB_MAX))
    }

    fn alone(what: &str, measured: String, own: &Rounds, goal: Goal) -> Self {
        let reached = goal.reached(own.median());
        Self { what: what.to_owned(), measured, beside: String::new(), ratio: None, goal, reached }
    }
}

impl Goal {
    fn reached(self, number: f64) -> Option<bool> {
        match self {
            Self::None => None,
            Self::AtLeast(least) => Some(number >= least),
            Self::Below(most) => Some(number < most),
        }
    }

    fn text(self) -> String {
        match self {
            Self::None => String::new(),
            Self::AtLeast(least) if least >= 1_000.0 => format!("≥ {}", rate(least)),
            Self::AtLeast(least) => format!("≥ {least} ×"),
            Self::Below(most) => format!("< {most}"),
        }
    }
}

impl Report {
    pub(crate) const fn new(events: u64) -> Self {
        Self { events, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The document.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "# Benchmarks\n\n\
             Printed by `cargo run --release -p bench -- --events {} --write`; not edited by hand.\n\
             What is behind the numbers, and why a goal is not reached where it is not, stands in\n\
             [BENCHMARKS-NOTES.md](BENCHMARKS-NOTES.md).\n\n\
             Machine: {}.\n\n\
             | what | measured | beside it, in the same run | ratio | goal | reached |\n\
             |---|---|---|---|---|---|\n",
            self.events,
            machine()
        );
        for Row { what, measured, beside, ratio, goal, reached } in &self.rows {
            let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            let reached = match reached {
                None => "",
                Some(true) => "yes",
                Some(false) => "**no**",
            };
            let goal = goal.text();
            // Writing to a String cannot fail.
            let _written =
                writeln!(text, "| {what} | {measured} | {beside} | {ratio} | {goal} | {reached} |");
        }
        text
    }
}

/// Processor, cores and kernel.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

/// A rate to three figures.
fn rate(number: f64) -> String {
    match number {
        number if number >= 999_500.0 => format!("{:.2} M/s", number / 1e6),
        number if number >= 9_995.0 => format!("{:.0} k/s", number / 1e3),
        number if number >= 999.5 => format!("{:.1} k/s", number / 1e3),
        number => format!("{number:.0} /s"),
    }
}

/// A count as a number to divide.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_its_goal_is_reached() {
        let mut own = Rounds::default();
        own.push(450.0);
        let mut peer = Rounds::default();
        peer.push(1_000.0);
        let peer = ("peer", peer);
        let mut report = Report::new(7);
        report.add(Row::rates("a", &own, &peer, Goal::AtLeast(0.5)));
        report.add(Row::time("b", &own, Goal::Below(500.0)));
        let text = report.markdown();
        assert!(
            text.contains("| a | 450 /s | peer: 1.0 k/s | 0.45 | ≥ 0.5 × | **no** |"),
            "{text}"
        );
        assert!(text.contains("| b | 450.00 s |  |  | < 500 | yes |"), "{text}");
    }

    #[test]
    fn rates_have_about_three_figures() {
        for (number, text) in [
            (12.4, "12 /s"),
            (4_321.0, "4.3 k/s"),
            (162_000.0, "162 k/s"),
            (1_234_567.0, "1.23 M/s"),
        ] {
            assert_eq!(rate(number), text);
        }
    }
}
