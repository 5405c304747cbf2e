//! The command line: one definition of commands and options, from which the parser, help, man pages
//! and completions follow. One file a command; each turns its arguments into an answer or a failure,
//! and `output` alone writes either of them. Decides nothing about ledgers.

mod accept_drift;
mod apply;
mod approve;
mod audit;
mod bundle;
mod care;
mod certificate;
mod certificate_export;
mod check;
mod completions;
mod consistency;
mod context;
mod contract_diff;
mod contracts;
mod databases;
mod demo;
mod diff;
mod documents;
mod explain;
mod export;
mod export_file;
mod export_selection;
mod export_verify;
mod failure;
mod globals;
mod head_publish;
mod head_verify;
mod head_witness;
mod heads;
mod images;
mod inclusion;
mod init;
mod interrupt;
mod job;
mod keys;
mod lint;
mod list;
mod log;
mod looked_at;
mod man;
mod new;
mod new_file;
mod output;
mod path;
mod plan;
mod progress;
mod proof;
mod proof_folder;
mod prove;
mod prove_scripts;
mod prove_tree;
mod proving;
mod reason;
mod replay;
mod report;
mod resume;
mod rim;
mod rollback;
mod schema;
mod self_test;
mod show;
mod status;
mod taken_out;
mod terminal;
mod told;
mod trace;
mod usage;
mod verify_chain;
mod words;

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::diagnostic::Exit;
use context::Context;
use globals::Globals;
use output::Output;

/// The name of the program, and the short one under which it may be started too.
const NAMES: [&str; 2] = ["glyph-ledger", "glyph"];

/// Environment variable that turns the library's own log on, on stderr: a filter such as `debug`.
const LOG_VARIABLE: &str = "GLYPH_LEDGER_LOG";

/// Migrates schema-versioned stores so that the migration can be believed by someone who was not
/// there.
#[derive(Debug, Parser)]
#[command(version, subcommand_required = true, arg_required_else_help = true, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a store and its ledger, or take a store that is there into care.
    Init(init::Arguments),
    /// Tell how the store stands and what to do next.
    Status(status::Arguments),
    #[command(flatten)]
    Job(Job),
    /// Show all of it on the files of this folder, in a folder of its own.
    Demo(demo::Arguments),
    /// Go back to before the last run.
    Undo(rollback::How),
    /// The migration verbs under one roof.
    #[command(subcommand)]
    Migration(MigrationCommand),
    /// Contracts: what versions there are and how to get from one to the next.
    #[command(subcommand)]
    Contract(ContractCommand),
    /// List what happened, newest first.
    Log(log::Arguments),
    /// Show one event in full.
    Show(show::Arguments),
    /// Check that the ledger is what was signed, and all of it.
    VerifyChain(verify_chain::Arguments),
    /// Bend copies of the ledger as a stranger could, and see that each is found.
    SelfTest(self_test::Arguments),
    /// Compute any state anew from the events, and put the store back as it was.
    Replay(replay::Arguments),
    /// Say what changed between two cursors: databases table by table.
    Diff(diff::Arguments),
    /// The states of databases that can be put back.
    #[command(subcommand)]
    Image(images::Verb),
    /// Heads: the ledger's newest, for others to have, and what is remembered of it outside.
    #[command(subcommand)]
    Head(heads::Verb),
    /// Keys: your own, and those that the ledger knows.
    #[command(subcommand)]
    Key(keys::Verb),
    /// Certificates, for whoever does not have the ledger.
    #[command(subcommand)]
    Bundle(bundle::Verb),
    /// What an auditor asks: how many events, which to look at, what stands out.
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Write the events as lines that can be verified on their own.
    Export(export::Arguments),
    /// Explain an error code, or list them all.
    Explain(explain::Arguments),
    /// Print a completion script for a shell.
    Completions(completions::Arguments),
    /// Print the manual page of the program or of one command (roff).
    Man(man::Arguments),
}

/// Verbs that stand alone and under `migration`, by one definition.
#[derive(Debug, Subcommand)]
enum Job {
    /// Look at documents: how each stands to its contract. Touches nothing.
    Check(check::Arguments),
    /// Plan a migration: what it does and what it loses.
    Plan(plan::Arguments),
    /// Carry out a plan.
    Apply(apply::Arguments),
    /// Show that the migration of a document has the properties its contract requires, and keep the proof; of a database,
    /// that scripts take back what they should.
    Prove(prove::Arguments),
    /// Proofs: look at one that was kept, or make one about an event.
    #[command(subcommand)]
    Proof(proof::Verb),
}

#[derive(Debug, Subcommand)]
enum MigrationCommand {
    #[command(flatten)]
    Job(Job),
    /// List every contract with its versions and edges.
    List(list::Arguments),
    /// Draw the way from one version to another.
    Path(path::Arguments),
    /// Make a first contract from two example documents or two JSON Schemas.
    New(new::Arguments),
    /// Agree to a plan with your key.
    Approve(approve::Arguments),
    /// Take a structure of the database that no run made into the ledger, or tell what that would be.
    AcceptDrift(accept_drift::Arguments),
    /// Go on with the run that was interrupted, or give it up.
    Resume(resume::Arguments),
    /// Go back to what the store was at a cursor.
    Rollback(rollback::Arguments),
    /// Tell what a run came to: objects, fields, and what was lost.
    Report(report::Arguments),
    /// Show what a run claims of each object, computed anew from its events.
    Certificate(certificate::Arguments),
    /// Show a run as records in order.
    Trace(trace::Arguments),
}

#[derive(Debug, Subcommand)]
enum ContractCommand {
    /// Say what is wrong or doubtful about contracts.
    Lint(lint::Arguments),
    /// Say what changed between two contracts, and which version that needs.
    Diff(contract_diff::Arguments),
    /// Print the JSON Schema of contracts.
    Schema,
}

impl ContractCommand {
    fn run(&self, context: &Context, output: &Output) -> Exit {
        match self {
            Self::Lint(arguments) => output.finish(lint::run(arguments)),
            Self::Diff(arguments) => output.finish(contract_diff::run(arguments, context)),
            Self::Schema => output.finish(schema::run()),
        }
    }
}

impl Job {
    fn run(&self, context: &Context, output: &Output) -> Exit {
        match self {
            Self::Check(arguments) => output.finish(check::run(arguments, context)),
            Self::Plan(arguments) => output.finish(plan::run(arguments, context)),
            Self::Apply(arguments) => output.finish(apply::run(arguments, context)),
            Self::Prove(arguments) => output.finish(prove::run(arguments, context)),
            Self::Proof(verb) => output.finish(proof::run(verb, context)),
        }
    }
}

impl MigrationCommand {
    fn run(&self, context: &Context, output: &Output) -> Exit {
        match self {
            Self::Job(job) => job.run(context, output),
            Self::List(arguments) => output.finish(list::run(arguments)),
            Self::Path(arguments) => output.finish(path::run(arguments, context)),
            Self::New(arguments) => output.finish(new::run(arguments, context)),
            Self::Approve(arguments) => output.finish(approve::run(arguments, context)),
            Self::AcceptDrift(arguments) => output.finish(accept_drift::run(arguments, context)),
            Self::Resume(arguments) => output.finish(resume::run(arguments, context)),
            Self::Rollback(arguments) => output.finish(rollback::run(arguments, context)),
            Self::Report(arguments) => output.finish(report::run(arguments, context)),
            Self::Certificate(arguments) => output.finish(certificate::run(arguments, context)),
            Self::Trace(arguments) => output.finish(trace::run(arguments, context)),
        }
    }
}

impl Command {
    fn run(&self, context: &Context, output: &Output) -> Exit {
        match self {
            Self::Init(arguments) => output.finish(init::run(arguments, context)),
            Self::Status(arguments) => output.finish(status::run(arguments, context)),
            Self::Job(job) => job.run(context, output),
            Self::Demo(arguments) => output.finish(demo::run(arguments, context, output.paint())),
            Self::Undo(how) => output.finish(rollback::undo(how, context)),
            Self::Migration(command) => command.run(context, output),
            Self::Contract(command) => command.run(context, output),
            Self::Log(arguments) => output.finish(log::run(arguments, context)),
            Self::Show(arguments) => output.finish(show::run(arguments, context)),
            Self::VerifyChain(arguments) => output.finish(verify_chain::run(arguments, context)),
            Self::SelfTest(arguments) => output.finish(self_test::run(arguments, context)),
            Self::Replay(arguments) => output.finish(replay::run(arguments, context)),
            Self::Diff(arguments) => output.finish(diff::run(arguments, context)),
            Self::Image(verb) => output.finish(images::run(verb, context)),
            Self::Head(verb) => output.finish(heads::run(verb, context)),
            Self::Key(verb) => output.finish(keys::run(verb, context)),
            Self::Bundle(verb) => output.finish(bundle::run(verb, context)),
            Self::Audit(verb) => output.finish(audit::run(verb, context)),
            Self::Export(arguments) => output.finish(export::run(arguments, context)),
            Self::Explain(arguments) => output.finish(Ok(explain::run(arguments))),
            Self::Completions(arguments) => {
                output.finish(Ok(completions::run(*arguments, definition(output.program()))))
            }
            Self::Man(arguments) => {
                output.finish(man::run(arguments, definition(output.program())))
            }
        }
    }
}

/// Runs the program with the arguments `argv`, the first of which is the name it was started under,
/// and says how it ended. Writes to stdout and stderr; never panics.
pub fn run(argv: &[OsString]) -> Exit {
    log_to_stderr();
    let program = program_name(argv);
    let parsed = definition(program)
        .try_get_matches_from(argv)
        .and_then(|matches| Ok((innermost(&matches), Arguments::from_arg_matches(&matches)?)));
    let (name, Arguments { globals, command }) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return usage::refuse(&error, program, argv),
    };
    let output = Output::new(program, name, argv.get(1..).unwrap_or_default(), &globals);
    let context = Context::new(globals);
    match rim::guarded(|| command.run(&context, &output)) {
        Ok(exit) => exit,
        Err(defect) => output.fail(&defect),
    }
}

/// The definition that everything about the command line is made from.
fn definition(program: &'static str) -> clap::Command {
    Arguments::command().name(program).bin_name(program)
}

/// The name to answer to: the one started under if it is ours, else the full one.
fn program_name(argv: &[OsString]) -> &'static str {
    let started = argv.first().and_then(|path| Path::new(path).file_name());
    let [full, ..] = NAMES;
    NAMES.into_iter().find(|name| started.is_some_and(|started| started == *name)).unwrap_or(full)
}

/// Commands whose verbs answer in one form under the command's own name.
const WITH_VERBS: [&str; 8] =
    ["audit", "bundle", "certificate", "export", "head", "image", "key", "proof"];

/// The name of the command proper: `plan` for `migration plan`, `proof` for `proof verify`.
fn innermost(matches: &clap::ArgMatches) -> String {
    let mut name = String::new();
    let mut inside = matches.subcommand();
    while let Some((command, below)) = inside {
        command.clone_into(&mut name);
        inside = below.subcommand().filter(|_| !WITH_VERBS.contains(&command));
    }
    name
}

fn log_to_stderr() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env(LOG_VARIABLE) {
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        if let Err(error) = log.try_init() {
            tracing::debug!(%error, "somebody else takes the log already");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        definition("glyph-ledger").debug_assert();
    }

    #[test]
    fn the_program_answers_to_both_its_names() {
        let name = |path: &str| program_name(&[OsString::from(path)]);
        assert_eq!(name("/usr/bin/glyph"), "glyph");
        assert_eq!(name("./glyph-ledger"), "glyph-ledger");
        assert_eq!(name("renamed"), "glyph-ledger");
        assert_eq!(program_name(&[]), "glyph-ledger");
    }
}
