//! Notebooks of version 3, made up from a number: the cells and outputs of ordinary ones, and now and then each oddity on
//! which converters could differ.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::{Error, at};

/// Writes `count` notebooks into a new folder. The same numbers give the same bytes.
pub(super) fn write(folder: &Path, seed: u64, count: u64) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    for number in 0..count {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number));
        let path = folder.join(format!("{number:06}.ipynb"));
        let text = serde_json::to_string_pretty(&notebook(&mut dice)).unwrap_or_default();
        fs::write(&path, text + "\n").map_err(at(&path))?;
    }
    Ok(())
}

fn notebook(dice: &mut Dice) -> Value {
    let sheets = if dice.one_in(100) { dice.below(3) } else { 1 };
    let worksheets: Vec<Value> = (0..sheets).map(|_| worksheet(dice)).collect();
    let mut metadata = Map::new();
    metadata.insert("name".into(), words(dice, 2).into());
    if dice.one_in(3) {
        metadata.insert("signature".into(), format!("sha256:{:016x}", dice.next()).into());
    }
    if dice.one_in(20) {
        let kernel = json!({"name": "python3", "language": "python", "codemirror_mode": "python"});
        metadata.insert("kernel_info".into(), kernel);
    }
    if dice.one_in(50) {
        metadata.insert("zoom".into(), json!([1.5, 100, -0.25, words(dice, 1)]));
    }
    let mut notebook =
        json!({"metadata": metadata, "nbformat": 3, "nbformat_minor": 0, "worksheets": worksheets});
    if dice.one_in(40) {
        put(&mut notebook, "orig_nbformat", json!(2));
    }
    notebook
}

fn worksheet(dice: &mut Dice) -> Value {
    let style = if dice.one_in(5) { Lines::WithoutEnds } else { Lines::WithEnds };
    let cells: Vec<Value> = (0..dice.below(14)).map(|_| cell(dice, style)).collect();
    let mut worksheet = json!({"cells": cells});
    if dice.one_in(2) {
        put(&mut worksheet, "metadata", json!({}));
    }
    worksheet
}

/// How the lines of a text are written; older programs left out their ends.
#[derive(Clone, Copy)]
enum Lines {
    WithEnds,
    WithoutEnds,
}

fn cell(dice: &mut Dice, style: Lines) -> Value {
    let mut cell = match dice.below(10) {
        0 => {
            let level = if dice.one_in(300) { 7 } else { dice.below(6) + 1 };
            json!({"cell_type": "heading", "level": level, "source": text(dice, style, 2)})
        }
        1..3 => json!({"cell_type": "markdown", "source": text(dice, style, 8)}),
        3 => {
            let kind = if dice.one_in(10) { "html" } else { "raw" };
            json!({"cell_type": kind, "source": text(dice, style, 3)})
        }
        _ => code(dice, style),
    };
    if !dice.one_in(10) {
        let metadata = if dice.one_in(10) {
            json!({"slideshow": {"slide_type": "slide"}, "trusted": dice.one_in(2)})
        } else {
            json!({})
        };
        put(&mut cell, "metadata", metadata);
    }
    cell
}

fn code(dice: &mut Dice, style: Lines) -> Value {
    let outputs: Vec<Value> = (0..dice.below(3)).map(|_| output(dice, style)).collect();
    let mut cell = json!({"cell_type": "code", "input": text(dice, style, 12), "language": "python", "outputs": outputs});
    if !dice.one_in(10) {
        put(&mut cell, "collapsed", dice.one_in(5).into());
    }
    if dice.one_in(2) {
        put(&mut cell, "prompt_number", dice.below(200).into());
    }
    cell
}

fn output(dice: &mut Dice, style: Lines) -> Value {
    match dice.below(8) {
        0..3 => {
            let stream = if dice.one_in(6) { "stderr" } else { "stdout" };
            json!({"output_type": "stream", "stream": stream, "text": text(dice, style, 10)})
        }
        3 => {
            let traceback: Vec<String> = (0..dice.below(5)).map(|_| words(dice, 8)).collect();
            json!({"output_type": "pyerr", "ename": "ValueError", "evalue": words(dice, 4), "traceback": traceback})
        }
        4..6 => {
            let mut output = json!({"output_type": "pyout", "prompt_number": dice.below(200)});
            contents(dice, style, &mut output);
            output
        }
        _ => {
            let mut output = json!({"output_type": "display_data"});
            contents(dice, style, &mut output);
            output
        }
    }
}

fn contents(dice: &mut Dice, style: Lines, output: &mut Value) {
    if !dice.one_in(8) {
        put(output, "text", text(dice, style, 4));
    }
    for (one_in, name) in
        [(4, "html"), (15, "svg"), (10, "latex"), (30, "javascript"), (100, "text/plain")]
    {
        if dice.one_in(one_in) && !(name == "text/plain" && output.get("text").is_some()) {
            put(output, name, text(dice, style, 6));
        }
    }
    for (one_in, name) in [(4, "png"), (20, "jpeg"), (200, "pdf")] {
        if dice.one_in(one_in) {
            put(output, name, picture(dice).into());
            if dice.one_in(4) {
                put(output, "metadata", json!({name: {"width": dice.below(800)}}));
            }
        }
    }
    if dice.one_in(40) {
        let said = match dice.below(12) {
            0 => "no JSON".to_owned(),
            1 => "[1.50, 1e3]".to_owned(),
            _ => json!({"count": dice.below(1000), "words": words(dice, 3)}).to_string(),
        };
        put(output, "json", said.into());
    }
    if dice.one_in(3) && output.get("metadata").is_none() {
        put(output, "metadata", json!({}));
    }
}

/// A text of up to `most` lines: as a list of them, or now and then as one string.
fn text(dice: &mut Dice, style: Lines, most: u64) -> Value {
    let count = dice.below(most + 1);
    let lines: Vec<String> = (0..count)
        .map(|_| {
            let length = dice.below(9);
            words(dice, length)
        })
        .collect();
    if dice.one_in(12) {
        return lines.join("\n").into();
    }
    let last = lines.len().saturating_sub(1);
    let ended = lines.into_iter().enumerate().map(|(place, line)| match style {
        Lines::WithEnds if place < last => line + "\n",
        _ => line,
    });
    ended.collect()
}

fn words(dice: &mut Dice, count: u64) -> String {
    const WORDS: [&str; 16] = [
        "import",
        "numpy",
        "as",
        "np",
        "x = 1.0",
        "# a remark",
        "plot(x, y)",
        "für",
        "日本",
        "\\alpha^2",
        "\"quoted\"",
        "for i in range(10):",
        "the",
        "data",
        "\t",
        "😀",
    ];
    let word = |_| {
        WORDS.get(usize::try_from(dice.below(16)).unwrap_or_default()).copied().unwrap_or_default()
    };
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

/// What a picture looks like in base 64.
fn picture(dice: &mut Dice) -> String {
    let words = (0..dice.below(120)).map(|_| format!("{:016x}", dice.next()));
    words.collect::<Vec<_>>().concat()
}

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

/// Numbers that follow from the first (splitmix64).
struct Dice(u64);

impl Dice {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    const fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}
