//! Options that every command takes. Knows their meaning, not how they are fulfilled.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::ledger::Prefix;

/// Longest wait for somebody else's lock, in seconds: a day. More is a slip of the finger.
const WAIT_SECONDS_MAX: u64 = 24 * 60 * 60;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Globals {
    /// Answer with one JSON object on stdout
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// The ledger's folder; else it is looked for from here upwards
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) ledger: Option<PathBuf>,
    /// The store's folder; else it is looked for from here upwards
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) store: Option<PathBuf>,
    /// The private key to sign with; else the user's own
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
    /// A file with a head that was kept elsewhere: the ledger must contain it
    #[arg(long, global = true, value_name = "HEAD")]
    pub(super) trust: Option<PathBuf>,
    /// Which witnesses must have seen a head for it to count (c2sp.org/tlog-policy): that of --trust; else those that `head witness`
    /// kept, or the one in the file at hand
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) witness_policy: Option<PathBuf>,
    /// A head as somebody told it: with so many events the ledger must have had this root
    #[arg(long, global = true, value_name = "SIZE:ROOT")]
    pub(super) expect: Option<Prefix>,
    /// How long to wait for somebody else's lock
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(..=WAIT_SECONDS_MAX)
    )]
    pub(super) wait: u64,
    /// Say nothing on stderr but errors
    #[arg(long, global = true)]
    pub(super) quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorChoice,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// On terminals, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Globals {
    pub(super) const fn wait(&self) -> Duration {
        Duration::from_secs(self.wait)
    }

    /// The options that say where to work, as they were given: a command to run next needs them too.
    pub(super) fn places(&self) -> Vec<[String; 2]> {
        let given = [("--ledger", &self.ledger), ("--store", &self.store), ("--key", &self.key)];
        let given = given.into_iter().filter_map(|(option, path)| Some((option, path.as_ref()?)));
        given.map(|(option, path)| [option.to_owned(), path.display().to_string()]).collect()
    }

    /// The options that say what is known of the ledger from elsewhere, as they were given: a command that judges it needs them too, or
    /// it might call complete what this one found to be cut off.
    pub(super) fn known_from_elsewhere(&self) -> Vec<[String; 2]> {
        let shown = |path: &PathBuf| path.display().to_string();
        let given = [
            ("--trust", self.trust.as_ref().map(shown)),
            ("--witness-policy", self.witness_policy.as_ref().map(shown)),
            ("--expect", self.expect.map(|Prefix { size, root }| format!("{size}:{root}"))),
        ];
        given.into_iter().filter_map(|(option, value)| Some([option.to_owned(), value?])).collect()
    }
}
