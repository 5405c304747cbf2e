//! `completions`: a script that teaches a shell the commands and options.

use std::io::{self, Write};

use clap::Args;
use clap_complete::Shell;
use serde::Serialize;

use super::output::{Answer, Done};
use super::terminal::Paint;

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

#[derive(Serialize)]
pub(super) struct Script {
    shell: String,
    script: String,
}

pub(super) fn run(Arguments { shell }: Arguments, mut definition: clap::Command) -> Done<Script> {
    let program = definition.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition, program, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Done::new(Script { shell: shell.to_string(), script })
}

impl Answer for Script {
    fn write(&self, out: &mut dyn Write, _: Paint) -> io::Result<()> {
        out.write_all(self.script.as_bytes())
    }
}
