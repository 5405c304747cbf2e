//! `contract schema`: the JSON Schema of contracts.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use super::output::{Answer, Done};
use super::terminal::Paint;
use crate::contract::SCHEMA;
use crate::diagnostic::{Failure, INTERNAL};

#[derive(Serialize)]
pub(super) struct Published {
    schema: Box<RawValue>,
}

pub(super) fn run() -> Result<Done<Published>, Failure> {
    let defect = |error: serde_json::Error| Failure::new(&INTERNAL, error.to_string());
    let schema = serde_json::from_str(SCHEMA.trim_end()).map_err(defect)?;
    Ok(Done::new(Published { schema }))
}

impl Answer for Published {
    fn write(&self, out: &mut dyn Write, _paint: Paint) -> io::Result<()> {
        writeln!(out, "{}", self.schema.get())
    }
}
