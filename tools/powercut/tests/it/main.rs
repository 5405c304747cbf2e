//! The tool, run as a whole.

#[cfg(test)]
mod cuts;
