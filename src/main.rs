//! The program `glyph-ledger`. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    ExitCode::from(glyph_ledger::cli::run(&arguments) as u8)
}
