//! The program and the library from outside: the real binary in an empty environment, real folders.

#[cfg(test)]
mod cli_answers;
#[cfg(test)]
mod cli_failures;
#[cfg(test)]
mod support;
