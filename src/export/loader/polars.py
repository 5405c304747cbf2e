"""Reads what `COMMAND` writes, every column under its type and none guessed:

    scan("history.jsonl").filter(pl.col("kind") == "run.started").collect()

Integers are exact; "at" is in milliseconds: pl.from_epoch("at", "ms"). "body" is JSON in a text:
pl.col("body").str.json_path_match("$.plan"). A file of another form or version is an error and not a frame with holes.
"""

import json

import polars as pl

SCHEMA = {
    COLUMNS
}


def scan(path):
    """The events of the export at `path`, as a LazyFrame."""
    with open(path, encoding="utf-8") as lines:
        first = json.loads(lines.readline())
    if first.get("schema") != "FIRST_SCHEMA" or list(first) != list(SCHEMA):
        raise ValueError(f"{path} was not made by `COMMAND` of this version")
    # Only the line of types, before the events of a flat export, has no kind.
    return pl.scan_ndjson(path, schema=SCHEMA).filter(pl.col("kind") != "")
