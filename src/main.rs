//! The program `glyph-ledger`. Everything it does is in the library.

use std::process::ExitCode;

/// jemalloc, because the C library's allocator keeps more of what threads gave back, and takes longer, where there are many
/// documents. The library leaves the choice to whoever uses it.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    ExitCode::from(glyph_ledger::cli::run(&arguments) as u8)
}
