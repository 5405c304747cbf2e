//! `fuzz`: what `tools/fuzz/run` asks of the targets. Knows no libFuzzer.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use fuzz::{Round, TARGETS, Target, document};

const USAGE: &str = "\
usage: fuzz list | limits TARGET | seeds TARGET FOLDER | document ROUNDS FILE

  list      names of all targets
  limits    longest input of a target, in bytes
  seeds     writes a target's seeds as files
  document  writes the page of results from a file of rounds";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("fuzz: {error}");
            ExitCode::FAILURE
        }
    }
}

/// False where the arguments ask for nothing known.
fn run(arguments: &[&str]) -> io::Result<bool> {
    match arguments {
        ["list"] => TARGETS.iter().for_each(|target| println!("{}", target.name)),
        ["limits", name] => {
            let Some(target) = Target::named(name) else { return Ok(false) };
            println!("{}", target.input_bytes_max);
        }
        ["seeds", name, folder] => {
            let Some(target) = Target::named(name) else { return Ok(false) };
            fs::create_dir_all(folder)?;
            for (number, seed) in (target.seeds)().iter().enumerate() {
                fs::write(Path::new(folder).join(format!("seed-{number:03}")), seed)?;
            }
        }
        ["document", rounds, file] => {
            let rounds: Vec<Round> =
                fs::read_to_string(rounds)?.lines().filter_map(Round::parse).collect();
            fs::write(file, document(&rounds))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
