"""Has a program that is not ours read an export, and writes what it read: one JSON object a line, to be compared.

usage: read_back.py duckdb|polars FILE guess|LOADER [COLUMN...]

LOADER is what `glyph-ledger export --schema duckdb|polars` printed; with `guess` the program finds out the types by
itself, as it does when nobody tells it anything. Without COLUMN all columns are written. With
`--types` instead, what is written are the columns and the types that the program gives them.
"""

import json
import runpy
import sys


def duckdb_rows(file, how, columns, types):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    if how == "guess":
        source = "read_json(?)"
    else:
        with open(how, encoding="utf-8") as loader:
            connection.execute(loader.read())
        source = "ledger_events(?)"
    chosen = ", ".join(f'"{column}"' for column in columns) or "*"
    found = connection.execute(f"SELECT {chosen} FROM {source}", [file])
    names = [column[0] for column in found.description]
    if types:
        yield {name: str(column[1]) for name, column in zip(names, found.description)}
        return
    while rows := found.fetchmany(2_048):
        for row in rows:
            yield dict(zip(names, row))


def polars_rows(file, how, columns, types):
    import polars

    if how == "guess":
        # Guessing gives the columns an order that differs from run to run.
        with open(file, encoding="utf-8") as lines:
            columns = columns or list(json.loads(lines.readline()))
        frame = polars.scan_ndjson(file)
    else:
        frame = runpy.run_path(how)["scan"](file)
    if columns:
        frame = frame.select(columns)
    if types:
        yield {name: str(type) for name, type in frame.collect_schema().items()}
        return
    yield from frame.collect().iter_rows(named=True)


def main():
    reader, file, how, *columns = sys.argv[1:]
    rows = {"duckdb": duckdb_rows, "polars": polars_rows}[reader]
    types = columns == ["--types"]
    for row in rows(file, how, [] if types else columns, types):
        print(json.dumps(row, ensure_ascii=False, separators=(",", ":")))


main()
