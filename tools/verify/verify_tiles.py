#!/usr/bin/env python3
"""Verifies a published folder of a glyph ledger (tlog-tiles), without the program that made it.

    python3 verify_tiles.py FOLDER
    python3 verify_tiles.py FOLDER --trust head --ledger 6a50900c...

Needs Python 3.9 or newer and verify_export.py beside it. Written from the format's document alone (ledger-format/SPEC.md §7.2 and
§12.1).

Exit status, as of the program: 0 the folder is consistent, and complete as far as the trusted head covers; 7 it is consistent, and
completeness is not proven, for want of a head from elsewhere; 3 it is damaged, forged or not the history that was expected; 2 not
understood; 1 a file cannot be read, or there is no head.
"""

import argparse
import json
import os
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import verify_export as v  # noqa: E402

WIDTH = 256
HEADS_BYTES = 10000 * (v.NOTE_BYTES + 64)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description="Verifies a published folder of a glyph ledger without the program that made it.",
        epilog=v.EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("folder")
    parser.add_argument("--trust", metavar="HEAD", help="file with a head known from elsewhere")
    parser.add_argument("--ledger", metavar="ID", type=v.ledger_id, help="the ledger's id, as you know it")
    options = parser.parse_args(arguments)
    try:
        trust = v.read_trust(options.trust) if options.trust else None
    except OSError as error:
        print("verify_tiles: --trust: %s" % error, file=sys.stderr)
        return v.UNREADABLE
    except v.Fault as fault:
        print("verify_tiles: --trust %s is not a head: %s" % (options.trust, fault.cause), file=sys.stderr)
        return v.NOT_UNDERSTOOD
    try:
        report = verify(options.folder, trust, options.ledger)
    except FileNotFoundError as error:
        report = {"ok": False, "fault": {"code": "missing", "cause": str(error)}}
        if not os.path.exists(os.path.join(options.folder, "checkpoint")):
            print("verify_tiles: cannot read: %s" % error, file=sys.stderr)
            return v.UNREADABLE
    except OSError as error:
        print("verify_tiles: cannot read: %s" % error, file=sys.stderr)
        return v.UNREADABLE
    except v.Fault as fault:
        report = {"ok": False, "fault": {"code": fault.code, "cause": fault.cause}}
    print(json.dumps(report))
    status = v.status(report["ok"], report.get("complete_to"))
    if status == v.NOT_PROVEN:
        print("verify_tiles: consistent; completeness not proven: name a head from elsewhere, --trust", file=sys.stderr)
    return status


def verify(folder, trust=None, ledger=None):
    """§12.1; raises at the first fault."""
    head = v.read_note(read(folder, "checkpoint", v.NOTE_BYTES))
    if head.size == 0:
        raise v.Fault("head", "a head over no events")
    others = read_heads(read(folder, "heads/%d.json" % head.size, HEADS_BYTES), head)
    history = v.Verification(trust, ledger)
    signed_last = {}
    row = []  # of the level at hand: the ids of all events, then the roots of all full tiles below
    for name, width in names("entries", head.size):
        for data in entries(read(folder, name, WIDTH * (v.EVENT_BYTES + 2)), width):
            actor = event(history, data)
            signed_last[actor] = history.size - 1
            row.append(history.prev)
            if history.size in others:
                closes(history, others[history.size], signed_last)
    level = 0
    while row:
        for index, (name, width) in enumerate(names(str(level), len(row))):
            hashes = row[index * WIDTH:index * WIDTH + width]
            if read(folder, name, WIDTH * 32) != b"".join(hashes):
                raise v.Fault("tile", "%s has other hashes than those of the events" % name)
        row = [root(row[at:at + WIDTH]) for at in range(0, len(row) - WIDTH + 1, WIDTH)]
        level += 1
    closes(history, head, signed_last)
    for actor, seq in signed_last.items():
        own = head if seq == head.size - 1 else others.get(seq + 1)
        if own is None or own.actor != actor:
            raise v.Fault("head", "there is no head by key %s over event %d, so it may be anybody's" % (actor.hex(), seq))
    if len(others) + 1 != len(signed_last):
        raise v.Fault("head", "there are heads that nothing needs")
    if trust is not None and trust.size > history.size:
        history.check_trusted()
        raise v.Fault("trust", "the folder ends before the trusted head")
    return {"ok": True, "ledger": head.ledger.hex(), "events": history.size, "root": head.root.hex(),
            "complete_to": history.complete_to}


def closes(history, head, signed_last):
    """A head must be over the events so far, by whoever signed the last of them."""
    if head.ledger != history.ledger or head.root != history.tree.root() or head.size != history.size:
        raise v.Fault("head", "the head over %d events is not over these" % head.size)
    if signed_last.get(head.actor) != history.size - 1:
        raise v.Fault("head", "the head over %d events is not signed by whoever signed the last of them" % head.size)
    history.check_signature(head)


def read_heads(data, newest):
    """§7.2: those who signed events and not the newest head, each with their newest, by size."""
    try:
        notes = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise v.Fault("heads", "not JSON: %s" % error)
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise v.Fault("heads", "no array of texts")
    if (json.dumps(notes, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "surrogatepass") != data:
        raise v.Fault("heads", "not in the form of such a file")
    heads = [v.read_note(note.encode("utf-8")) for note in notes]
    sizes = [head.size for head in heads]
    if sizes != sorted(set(sizes)) or any(size >= newest.size for size in sizes):
        raise v.Fault("heads", "the heads do not ascend to the newest")
    return dict(zip(sizes, heads))


def event(history, data):
    """Takes an event in as `verify_export` does one of a line, only that no batch is known."""
    event = v.read_event(data)
    event_id = v.sha256(b"\x00" + data)
    if history.size == 0:
        history.begin(event, event["body"])
    history.link(event)
    history.state.step(event, event["body"], event_id)
    history.tree.append(event_id)
    history.size += 1
    history.prev, history.at = event_id, event["at"]
    if history.trust is not None and history.trust.size == history.size:
        history.compare_trusted()
    return event["actor"]


def names(level, count):
    """The tiles of a level that has so many hashes, each with its width."""
    for index in range((count + WIDTH - 1) // WIDTH):
        digits = "%03d" % index
        digits = digits.zfill((len(digits) + 2) // 3 * 3)
        groups = [digits[at:at + 3] for at in range(0, len(digits), 3)]
        path = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
        width = min(WIDTH, count - index * WIDTH)
        yield "tile/%s/%s%s" % (level, path, "" if width == WIDTH else ".p/%d" % width), width


def entries(data, width):
    found = []
    while data:
        length = int.from_bytes(data[:2], "big")
        if len(data) < 2 + length:
            raise v.Fault("bundle", "a bundle ends within an event")
        found.append(data[2:2 + length])
        data = data[2 + length:]
    if len(found) != width:
        raise v.Fault("bundle", "a bundle has %d events, its name says %d" % (len(found), width))
    return found


def root(hashes):
    while len(hashes) > 1:
        hashes = [v.sha256(b"\x01" + hashes[at] + hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def read(folder, name, longest):
    path = os.path.join(folder, *name.split("/"))
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise v.Fault("tile", "%s is no regular file" % name)
    with open(path, "rb") as file:
        data = file.read(longest + 1)
    if len(data) > longest:
        raise v.Fault("tile", "%s is longer than any of its kind" % name)
    return data


if __name__ == "__main__":
    sys.exit(main())
