//! Tests from outside: processes, files, whole jobs.

#[cfg(test)]
mod cli_answers;
#[cfg(test)]
mod cli_evidence;
#[cfg(test)]
mod cli_failures;
#[cfg(test)]
mod cli_store;
#[cfg(test)]
mod log_kill;
#[cfg(test)]
mod support;
