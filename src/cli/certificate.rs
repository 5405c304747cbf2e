//! `migration certificate`: what a run claims of each object, computed anew from its events.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::certificate_export::{self, Exported};
use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::trace::WhichRun;
use super::words::count;
use crate::diagnostic::{Failure, NOTHING_HERE, REPLAY_DIVERGENCE};
use crate::migrate::account::{CertificateView, ObjectCertificate, certificate};

/// Most objects whose claims are listed unless one is named.
const LISTED_MAX: usize = 1_000;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    which: WhichRun,
    /// Show what is claimed of this object alone
    #[arg(long, value_name = "ID")]
    object: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the certificate as one file that proves itself to whoever knows the ledger's id.
    Export(certificate_export::Arguments),
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answered {
    Shown(Certified),
    Exported(Exported),
}

#[derive(Serialize)]
pub(super) struct Certified {
    #[serde(flatten)]
    view: CertificateView,
    /// Whether what was recorded is what follows from the events; none if nothing was recorded.
    same: Option<bool>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Answered>, Failure> {
    match &arguments.verb {
        Some(Verb::Export(export)) => {
            Ok(certificate_export::run(export, context)?.map(Answered::Exported))
        }
        None => Ok(show(arguments, context)?.map(Answered::Shown)),
    }
}

fn show(arguments: &Arguments, context: &Context) -> Result<Done<Certified>, Failure> {
    let ledger = context.open()?;
    let span = arguments.which.find(&ledger)?;
    let object = arguments.object.as_deref();
    let view = certificate(&ledger, &span, object, LISTED_MAX)?;
    if let (Some(object), true) = (object, view.claims.is_empty()) {
        let told = format!("run {} migrated no object {object:?}", view.run.short());
        return Err(Failure::new(&NOTHING_HERE, told).at("--object"));
    }
    let same = view.recorded.map(|recorded| recorded == view.recomputed);
    let differs = (same == Some(false)).then(|| {
        let told = "the certificate that was recorded does not follow from the run's events";
        Failure::new(&REPLAY_DIVERGENCE, told).at(format!("run {}", view.run))
    });
    let done = Done::new(Certified { view, same });
    Ok(match differs {
        Some(failure) => done.found(failure),
        None => done,
    })
}

impl Answer for Answered {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Shown(shown) => shown.write(out, paint),
            Self::Exported(exported) => exported.write(out, paint),
        }
    }
}

impl Answer for Certified {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let CertificateView { run, recorded, recomputed, objects, claims } = &self.view;
        writeln!(out, "{}", paint.strong(format_args!("certificate of run {}", run.short())))?;
        match recorded {
            Some(recorded) => writeln!(out, "  recorded    {recorded}")?,
            None => writeln!(out, "  recorded    none: the run was not committed")?,
        }
        writeln!(out, "  recomputed  {recomputed}, over {}", count(*objects, "object"))?;
        if claims.is_empty() && *objects > 0 {
            writeln!(out, "  too many to list; --object ID shows what is claimed of one")?;
        }
        claims.iter().try_for_each(|claim| write_claim(claim, out))
    }
}

fn write_claim(of: &ObjectCertificate, out: &mut dyn Write) -> io::Result<()> {
    let ObjectCertificate { certificate, replay, claim } = of;
    let (from, to) = (one_line(&claim.from), one_line(&claim.to));
    writeln!(out, "  {}: {from} -> {to}", one_line(&claim.object_id))?;
    writeln!(out, "    certificate  {certificate}")?;
    writeln!(out, "    source       {}", replay.source_hash)?;
    writeln!(out, "    target       {}", replay.target_hash)?;
    writeln!(out, "    operator     {}", one_line(&replay.migration_operator_id))?;
    writeln!(out, "    policy       {}", replay.migration_policy_hash)
}
