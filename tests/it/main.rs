//! Tests from outside: processes, files, whole jobs.

#[cfg(test)]
mod log_kill;
