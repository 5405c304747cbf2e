//! Notebooks of version 3 beside the converter of the `PyPI` package `nbformat`: the same files, each side in a process of its
//! own, results compared value by value.
//!
//! The package draws ids at random; they are left out. Every other difference is of a class that is explained, or the run
//! fails.

mod compare;
mod convert;
mod make;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::{Args, ValueEnum};

use crate::error::{Error, at};
use crate::in_place;
use crate::rounds::Rounds;
use compare::Comparison;

/// Rounds, in each of which every converter converts every notebook once. A round before them warms the caches.
const ROUNDS: usize = 5;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many notebooks to make up.
    #[arg(long, default_value_t = 2_000)]
    count: u64,
    /// The number that they are made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A folder with notebooks to convert in their place.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Convert {
    /// In which way.
    way: Way,
    /// The folder with notebooks.
    source: PathBuf,
    /// The folder for the results; of `apply`, for the ledger.
    target: PathBuf,
    /// Number of threads.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

/// What a process of our own does.
#[derive(Clone, Copy, ValueEnum)]
enum Way {
    /// Read, convert, write: what the package does.
    Convert,
    /// Plan and apply in place, with a ledger and every source kept.
    Apply,
}

/// One line about a notebook that was not converted.
#[derive(serde::Serialize, serde::Deserialize)]
struct Refused {
    name: String,
    why: String,
}

/// What refused which notebook, by name.
type Refusals = BTreeMap<String, String>;

/// Does what a process of our own is started for.
pub(crate) fn run(arguments: &Convert) -> Result<(), Error> {
    let Convert { way, source, target, jobs } = arguments;
    match way {
        Way::Convert => convert::convert(source, target, *jobs),
        Way::Apply => in_place::apply("nbformat", source, target, *jobs),
    }
}

/// Converts with both and prints what differs and what it took.
pub(crate) fn measure(arguments: &Arguments, place: &Path) -> Result<(), Error> {
    let source = place.join("source");
    match &arguments.from {
        Some(folder) => copy(folder, &source)?,
        None => make::write(&source, arguments.seed, arguments.count)?,
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("nbformat/.venv/bin/python");
    if !python.exists() {
        return Err(Error::Unexpected {
            what: "the package nbformat",
            expected: "installed by tools/bench/nbformat/setup".to_owned(),
            actual: format!("no {}", python.display()),
        });
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let contenders = [
        Contender::own("ours, one thread", "convert", 1),
        Contender::own("ours, all cores", "convert", threads),
        Contender::own("ours, plan and apply with a ledger", "apply", threads),
        Contender::package(&python, "nbformat, read and write", "read-write"),
        Contender::package(&python, "nbformat, converter alone", "convert-only"),
    ];
    let mut seconds = contenders.each_ref().map(|_| Rounds::default());
    let mut refused = contenders.each_ref().map(|_| Refusals::new());
    for round in 0..=ROUNDS {
        let mut left_out = Refusals::new();
        for ((contender, seconds), refused) in contenders.iter().zip(&mut seconds).zip(&mut refused)
        {
            eprintln!("round {round} of {ROUNDS}: {}", contender.name);
            let took;
            (took, *refused) = contender.convert(&source, place, &left_out)?;
            if !contender.in_place {
                left_out.clone_from(refused);
            }
            if round > 0 {
                seconds.push(took);
            }
        }
    }
    let [ours, _, _, package, _] = &contenders;
    let [our_refusals, _, _, package_refusals, _] = &refused;
    let sides = [(ours, our_refusals), (package, package_refusals)];
    let [ours, package] =
        sides.map(|(side, refused)| compare::Side { folder: side.target(place), refused });
    let comparison = Comparison::of(&source, &ours, &package)?;
    println!("{comparison}");
    let [.., package, alone] = &seconds;
    println!(
        "| converter | seconds | beside read and write | beside the converter alone |\n|---|---|---|---|"
    );
    for (contender, seconds) in contenders.iter().zip(&seconds) {
        let (whole, bare) = (package.over(seconds), alone.over(seconds));
        println!("| {} | {:.3} | {whole:.1} × | {bare:.1} × |", contender.name, seconds.median());
    }
    comparison.judge()
}

/// One that converts.
struct Contender {
    name: &'static str,
    /// The program and the arguments before its folders.
    program: PathBuf,
    before: Vec<String>,
    after: Vec<String>,
    in_place: bool,
}

impl Contender {
    fn own(name: &'static str, way: &str, jobs: usize) -> Self {
        let program = std::env::current_exe().unwrap_or_else(|_| "bench".into());
        let before = vec!["notebooks-convert".to_owned(), way.to_owned()];
        let after = vec!["--jobs".to_owned(), jobs.to_string()];
        Self { name, program, before, after, in_place: way == "apply" }
    }

    fn package(python: &Path, name: &'static str, way: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("nbformat/convert.py");
        let before = vec![script.display().to_string(), way.to_owned()];
        Self { name, program: python.to_owned(), before, after: Vec::new(), in_place: false }
    }

    fn target(&self, place: &Path) -> PathBuf {
        place.join(self.name.replace([' ', ','], "-"))
    }

    /// Seconds of the whole process, and what it refused.
    ///
    /// A plan is for all documents or for none, so who works in place gets no notebook of `left_out`.
    fn convert(
        &self,
        source: &Path,
        place: &Path,
        left_out: &Refusals,
    ) -> Result<(f64, Refusals), Error> {
        let target = self.target(place);
        if target.exists() {
            fs::remove_dir_all(&target).map_err(at(&target))?;
        }
        fs::create_dir_all(&target).map_err(at(&target))?;
        let copied = place.join("in-place");
        let source = if self.in_place {
            copy(source, &copied)?;
            for name in left_out.keys() {
                let path = copied.join(name);
                fs::remove_file(&path).map_err(at(&path))?;
            }
            &copied
        } else {
            source
        };
        let began = Instant::now();
        let output = Command::new(&self.program)
            .args(&self.before)
            .args([source, &target])
            .args(&self.after)
            .stderr(Stdio::inherit())
            .output()
            .map_err(at(&self.program))?;
        let seconds = began.elapsed().as_secs_f64();
        let lines = String::from_utf8_lossy(&output.stdout);
        let refused = lines.lines().map(serde_json::from_str::<Refused>);
        let refused = refused.map(|line| line.map(|refused| (refused.name, refused.why)));
        match refused.collect() {
            Ok(refused) if output.status.success() => Ok((seconds, refused)),
            _ => Err(Error::Unexpected {
                what: self.name,
                expected: "an end without trouble".to_owned(),
                actual: format!("{}: {}", output.status, lines.trim()),
            }),
        }
    }
}

/// A fresh copy of every notebook.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(at(to))?;
    }
    fs::create_dir_all(to).map_err(at(to))?;
    for path in convert::notebooks(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        fs::copy(&path, &target).map_err(at(&path))?;
    }
    Ok(())
}
