//! `head`: heads for others. One file a verb.

use std::io::{self, Write};

use clap::Subcommand;
use serde::Serialize;

use super::context::Context;
use super::head_publish::{self, Published};
use super::head_verify::{self, Verified};
use super::output::{Answer, Done};
use super::terminal::Paint;
use crate::diagnostic::Failure;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Bring a folder up to the newest head: the head, the tree in tiles and the events, for any web host to serve.
    Publish(head_publish::Arguments),
    /// Check such a folder, without the ledger.
    Verify(head_verify::Arguments),
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answered {
    Published(Published),
    Verified(Verified),
}

pub(super) fn run(verb: &Verb, context: &Context) -> Result<Done<Answered>, Failure> {
    match verb {
        Verb::Publish(arguments) => {
            Ok(head_publish::run(arguments, context)?.map(Answered::Published))
        }
        Verb::Verify(arguments) => {
            Ok(head_verify::run(arguments, context)?.map(Answered::Verified))
        }
    }
}

impl Answer for Answered {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Published(published) => published.write(out, paint),
            Self::Verified(verified) => verified.write(out, paint),
        }
    }
}
