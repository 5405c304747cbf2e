"""Converts every notebook of a folder to version 4 with the package nbformat, into another folder.

convert.py read-write|convert-only IN OUT

`read-write` is what the package's users write: read as version 4, write. `convert-only` leaves out the validation that
reading and writing add to that of the conversion itself. Prints one line of JSON for each notebook that it does not convert.
"""

import json
import logging
import sys
from pathlib import Path

import nbformat
from nbformat import converter, reader, v4
from traitlets import log

log.get_logger().setLevel(logging.CRITICAL)


def read_write(source, target):
    nbformat.write(nbformat.read(source, as_version=4), target)


def convert_only(source, target):
    notebook = reader.reads(Path(source).read_text(encoding="utf8"))
    Path(target).write_text(v4.writes_json(converter.convert(notebook, 4)) + "\n", encoding="utf8")


def main():
    way, source, target = sys.argv[1:]
    convert = {"read-write": read_write, "convert-only": convert_only}[way]
    for path in sorted(Path(source).glob("*.ipynb")):
        try:
            convert(str(path), str(Path(target) / path.name))
        except Exception as error:  # whatever it is, it is what the package says of this notebook
            why = f"{type(error).__name__}: {error}".splitlines()[0][:160]
            print(json.dumps({"name": path.name, "why": why}))


main()
