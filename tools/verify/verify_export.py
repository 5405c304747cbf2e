#!/usr/bin/env python3
"""Verifies an export of a glyph ledger, without the program that made it.

    python3 verify_export.py history.jsonl
    python3 verify_export.py history.jsonl --trust head --ledger 6a50900c...
    python3 verify_export.py some.jsonl --signer 3b6a27bc...

This file needs Python 3.9 or newer and nothing else. It was written from the format's document (ledger-format/SPEC.md;
the sections are named beside the code) and shares no code with the program, so that an error would have to be made
twice to go unseen. Read it from the top: the command line, the verification, then what it stands on: lines, events,
what may come when, states, heads, the tree, CBOR, Ed25519.

A filtered export (§11.2), in which each event has a proof of its own, is known by its first bytes and verified as such: against the key
that is named, or the trusted head if that is the one that the events are under.

It reads the export line by line. Memory grows with the number of objects and runs that the history tells of, not with
the number of events.

Exit status, as of the program: 0 the export is consistent, and complete as far as the trusted head covers (the answer says what was
checked, and what was not); 7 it is consistent, and completeness is not proven, for want of a head from elsewhere; 3 it is damaged, forged
or not the history that was expected (the answer names line, event, cause, and how much still stands); 2 not understood; 1 a
file cannot be read.
"""

import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import sys

# Limits, §13.
VALUE_DEPTH = 32
EVENT_BYTES = 4096
SEQ_MAX = 2**53 - 1
AT_MAX = 253402300799999
NUMBER_MAX = 2**53 - 1
NOTE_BYTES = 3500
LINE_BYTES = 69464
PROVED_LINE_BYTES = 73688
PROOF_NODES = 64
BATCH_EVENTS = 1000
ROUTE_EDGES = 64
RENAMED_MOST = 16

MIXED = "mixed"  # the version of every open store, §6.2

# Exit statuses, those of the program.
DONE = 0
UNREADABLE = 1
NOT_UNDERSTOOD = 2  # also argparse's
REFUSED = 3
NOT_PROVEN = 7
EPILOG = ("Exit status: 0 consistent, and complete as far as the trusted head covers; 7 consistent, completeness not proven; "
          "3 damaged or another history than expected; 2 not understood; 1 unreadable. What a key signed that was called suspect is "
          "told, and changes none of these: whether its owner signed it, people judge.")

FAULTS_SHOWN = 100  # with --keep-going; the rest is counted

CHECKED = [
    "every line has the columns of the format in their one form, and each column follows from the event's bytes",
    "every event is canonical CBOR of a known kind with exactly the fields of that kind",
    "ids, links, sequence numbers, times that never go back, and that the ledger's id commits to its key",
    "every batch has at most 1,000 events and ends with a head of the right size, root, actor and Ed25519 signature",
    "every event may stand where it stands: adoption, observations, contracts, runs from start to end",
    "certificates of runs and recorded digests of the state, recomputed from the events",
]
NOT_CHECKED = [
    "the contents that events name by hash: an export does not hold them",
    "whether the steps of a run really turn the recorded sources into the recorded targets",
    "whether recorded times, reasons and environments are true: they are what the signer wrote",
    "signature lines on heads beside the one of the key that signed the events: cosignatures of witnesses, and log keys",
]
PROVED_CHECKED = [
    "every line has the columns of the format in their one form, and each column follows from the event's bytes, the head, the key and the nodes",
    "every event is canonical CBOR of a known kind with exactly the fields of that kind",
    "the nodes of every line lead from its event to the root of one head, and its Ed25519 signature is that of the key beside it",
    "the events are in order and none is there twice",
]
PROVED_NOT_CHECKED = [
    "that no other event fits what was asked for: any of these lines can be left out unseen",
    "who recorded each event: whoever signed the head says so of all of them",
    "links between the events, and whether each may stand where it stands: that takes all events before",
    "the contents that events name by hash: an export does not hold them",
    "whether recorded times, reasons and environments are true: they are what the signer wrote",
]
NOT_COMPLETE = (
    "completeness: whether events came after the last of these, and whether the key signed another history; "
    "only a head from elsewhere shows that (--trust)"
)
COMPLETE = "the history is the one that the trusted head closes, up to its size"
NOT_AFTER = "completeness after the trusted head's size"


class Fault(Exception):
    """What is wrong: a short code for programs, and the cause for people. The line, where it is not the one at hand."""

    def __init__(self, code, cause, line=None):
        super().__init__(cause)
        self.code = code
        self.cause = cause
        self.line = line


# --- the command line -------------------------------------------------------------------------------------------------


def main(arguments=None):
    options = read_options(arguments)
    try:
        trust = read_trust(options.trust) if options.trust else None
        if options.export == "-":
            report = verify(sys.stdin.buffer, trust, options.ledger, options.keep_going, options.signer)
        else:
            with open(options.export, "rb") as export:
                report = verify(export, trust, options.ledger, options.keep_going, options.signer)
    except OSError as error:
        print("verify_export: cannot read: %s" % error, file=sys.stderr)
        return UNREADABLE
    except Fault as fault:  # of the trusted head's file: nothing was verified yet
        print("verify_export: --trust %s is not a head: %s" % (options.trust, fault.cause), file=sys.stderr)
        return NOT_UNDERSTOOD
    try:
        print(json.dumps(report, ensure_ascii=True) if options.json else in_words(report), flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # else nobody reads on; the verdict stays the exit status
            print("verify_export: cannot write the answer: %s" % error, file=sys.stderr)
            return UNREADABLE
    return status(report["ok"], report["selection"]["known_by"] if "selection" in report else report["complete_to"])


def status(ok, shown):
    """The exit status of a verdict; shown is what somebody from elsewhere showed, or None."""
    if not ok:
        return REFUSED
    return DONE if shown is not None else NOT_PROVEN


def read_options(arguments):
    parser = argparse.ArgumentParser(
        description="Verifies an export of a glyph ledger (JSON lines) without the program that made it.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("export", help="the export's file; - for standard input")
    parser.add_argument("--trust", metavar="HEAD", help="file with a head that did not come with the export")
    parser.add_argument("--ledger", metavar="ID", type=ledger_id, help="the ledger's id, 64 hex digits, as you know it")
    parser.add_argument("--signer", metavar="KEY", type=public_key,
                        help="the public key, 64 hex digits, that is to have signed the head of a filtered export")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.add_argument("--keep-going", action="store_true", help="look for more faults behind the first")
    return parser.parse_args(arguments)


def ledger_id(text):
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError("not 64 lower-case hex digits")
    return text


def public_key(text):
    return bytes.fromhex(ledger_id(text))


def read_trust(path):
    with open(path, "rb") as file:
        head = read_note(file.read(NOTE_BYTES + 1))
    if head.size == 0:
        raise Fault("trust", "a head over 0 events says nothing of any ledger")
    return head


def in_words(report):
    if "selection" in report:
        return selection_in_words(report)
    out = []
    good = report["good"]
    if report["ok"]:
        out.append("consistent: %d events in %d batches of ledger %s" % (
            report["events"], report["batches"], report["ledger"]))
    else:
        out.append("REFUSED")
        for fault in report["faults"]:
            event = "" if fault["event"] is None else ", event %d" % fault["event"]
            out.append("  line %d%s: %s (%s)" % (fault["line"], event, fault["cause"], fault["code"]))
        if report["faults_left_out"]:
            out.append("  and %d more faults" % report["faults_left_out"])
    if "part" in report:
        out.append("read: %d events from event %d on%s; nothing else can be said of them" % (
            report["part"]["events"], report["part"]["first"],
            ", which follow each other" if len(report["faults"]) == 1 else ", until something was wrong in themselves"))
    elif good["events"]:
        distrusted = report["faults"] and report["faults"][0]["code"] == "trust"
        out.append("%s: events 0 to %d (lines 1 to %d) under the head of size %d, root %s" % (
            "covered" if report["ok"] else "consistent in itself" if distrusted else "still good",
            good["events"] - 1, good["events"], good["events"], good["root"]))
    else:
        out.append("still good: nothing; no head before the fault verifies")
    for found in report["suspect"]:
        out.append("suspect: events %d to %d: key %s signed them, perhaps not its owner, who was revoked since" % (
            found["first"], found["last"], found["key"]))
    out.append("complete up to %d events, by the trusted head" % report["complete_to"]
               if report["complete_to"] is not None
               else "completeness: not proven%s" % ("; name a head from elsewhere: --trust" if report["ok"] else ""))
    out.append("checked%s:" % ("" if report["ok"] else ", of what is still good"))
    out.extend("  - " + line for line in report["checked"])
    out.append("not checked:")
    out.extend("  - " + line for line in report["not_checked"])
    return "\n".join(out)


def selection_in_words(report):
    selection = report["selection"]
    out = []
    if report["ok"]:
        out.append("consistent: %d events of ledger %s, each under the head of size %d, root %s" % (
            report["events"], report["ledger"], selection["size"], selection["root"]))
        out.append("from event %d to %d; the head is signed by %s" % (
            selection["first"], selection["last"], selection["signer"]))
    else:
        out.append("REFUSED")
        out.extend("  line %d: %s (%s)" % (fault["line"], fault["cause"], fault["code"]) for fault in report["faults"])
        if report["faults_left_out"]:
            out.append("  and %d more faults" % report["faults_left_out"])
    if selection["known_by"] is not None:
        out.append("known by: %s" % selection["known_by"])
    elif report["ok"]:
        out.append("whose key signed the head was not compared with anything: --signer, or --trust with that head")
    out.append("checked:")
    out.extend("  - " + line for line in report["checked"])
    out.append("not checked:")
    out.extend("  - " + line for line in report["not_checked"])
    return "\n".join(out)


# --- verification, §12 ------------------------------------------------------------------------------------------------


def verify(export, trust=None, ledger=None, keep_going=False, signer=None):
    """Verifies the export in the binary stream and answers with a report (a dict). Raises only what reading raises."""
    beginning = export.read(len(PROVED_BEGINNING))
    export = Begun(beginning, export)
    if beginning == PROVED_BEGINNING:
        return verify_selection(export, Selection(trust, ledger, signer), keep_going)
    check = Verification(trust, ledger)
    faults = Faults()
    number = 0
    behind = None
    while True:
        line = export.readline(LINE_BYTES + 2)
        if not line:
            break
        number += 1
        try:
            if behind is None:
                check.line(line)
            else:
                behind.line(line)
        except Fault as fault:
            faults.add(number, fault)
            if fault.code == "part":
                behind = Behind(check)
                behind.line(line)  # does not fail: the line was read, and none is before it
            elif not keep_going:
                break
            behind = behind or Behind(check)
        if not line.endswith(b"\n"):
            skip_rest_of_line(export)
    if not faults.shown:
        try:
            check.end()
        except Fault as fault:
            faults.add(number + 1, fault)
    report = check.report(faults)
    if behind is not None and faults.shown[0]["code"] == "part":
        report["part"] = {"first": behind.first, "events": behind.events}
    return report


class Begun:
    """A stream of which the first bytes were read."""

    def __init__(self, beginning, export):
        self.beginning = beginning
        self.export = export

    def readline(self, most):
        end = self.beginning.find(b"\n") + 1 or len(self.beginning)
        line, self.beginning = self.beginning[:end], self.beginning[end:]
        if line.endswith(b"\n"):
            return line
        return line + self.export.readline(most - len(line))


def skip_rest_of_line(export):
    while True:
        rest = export.readline(1 << 16)
        if not rest or rest.endswith(b"\n"):
            return


class Faults:
    def __init__(self):
        self.shown = []
        self.left_out = 0

    def add(self, line, fault):
        line = line if fault.line is None else fault.line
        if len(self.shown) >= FAULTS_SHOWN:
            self.left_out += 1
            return
        # Lines stand in order of seq, so the line says which event was due.
        self.shown.append({"line": line, "event": line - 1, "code": fault.code, "cause": fault.cause})


class Verification:
    """The history as far as it is good. The first fault ends it."""

    def __init__(self, trust, expected_ledger):
        self.trust = trust
        self.expected_ledger = expected_ledger
        self.ledger = None
        self.actor = None  # of the batch under way
        self.last_actor = None  # of the last event
        self.size = 0  # events read
        self.at = 0
        self.prev = bytes(32)
        self.tree = Tree()
        self.state = State()
        self.batches = 0
        self.good = {"events": 0, "root": None, "note": None}  # newest verified head
        self.complete_to = None
        self.signed = []  # of each stretch of events under verified heads: key, first event, last event

    def line(self, line):
        event, body, event_id, head = read_line(line)
        if self.size == 0:
            self.begin(event, body)
        self.link(event)
        if self.actor is None:
            self.actor = event["actor"]
        if event["actor"] != self.actor:
            raise Fault("actor", "the actor %s is not that of the batch, %s" % (event["actor"].hex(), self.actor.hex()))
        self.state.step(event, body, event_id)
        self.tree.append(event_id)
        self.size += 1
        self.prev = event_id
        self.at = event["at"]
        if head is None and self.size - self.good["events"] == BATCH_EVENTS:
            raise Fault("batch", "%d events without a head" % BATCH_EVENTS, self.first_unsigned_line())
        if head is not None:
            self.head(head)
        if self.trust is not None and self.trust.size == self.size:
            self.compare_trusted()

    def begin(self, event, body):
        """Event 0 brings the key, and the ledger's id commits to it (§5.2)."""
        if event["seq"] != 0:
            raise Fault("part", "the export begins at event %d: key, tree and state come from the events before, so a "
                        "part of a history cannot be verified" % event["seq"])
        if event["kind"] != "ledger.created":
            raise Fault("genesis", "the history does not begin with ledger.created, but with %s" % event["kind"])
        ledger = commit_hash("ledger_id", [body["public_key"], body["nonce"]])
        if event["ledger"] != ledger:
            raise Fault("genesis", "the ledger's id is not that of its key and nonce, %s" % ledger.hex())
        actor = sha256(body["public_key"])
        if event["actor"] != actor:
            raise Fault("genesis", "the actor of event 0 is not its key's id, %s" % actor.hex())
        if self.expected_ledger is not None and ledger.hex() != self.expected_ledger:
            raise Fault("ledger", "this is ledger %s, not the expected one" % ledger.hex())
        if self.trust is not None and self.trust.size == 0:
            raise Fault("trust", "the trusted head is over 0 events and says nothing of any ledger")
        if self.trust is not None and self.trust.ledger != ledger:
            raise Fault("trust", "this is ledger %s, and the trusted head is of %s" % (
                ledger.hex(), self.trust.ledger.hex()))
        self.ledger = ledger

    def link(self, event):
        """§5.3"""
        if event["ledger"] != self.ledger:
            raise Fault("chain", "the event is of ledger %s" % event["ledger"].hex())
        if event["seq"] != self.size:
            raise Fault("chain", "seq is %d, expected %d" % (event["seq"], self.size))
        if event["prev"] != self.prev:
            raise Fault("chain", "prev is %s, but the event before has the id %s: one of the two is not what was "
                        "signed" % (event["prev"].hex(), self.prev.hex()))
        if event["at"] < self.at:
            raise Fault("chain", "time goes back from %d to %d" % (self.at, event["at"]))
        self.last_actor = event["actor"]

    def head(self, text):
        head = read_note(text.encode("utf-8"))
        if head.ledger != self.ledger:
            raise Fault("head", "the head is of ledger %s" % head.ledger.hex())
        if head.size != self.size:
            raise Fault("head", "the head's size is %d, and %d events are before it" % (head.size, self.size))
        root = self.tree.root()
        if head.root != root:
            raise Fault("head", "the head's root is %s, the events have %s" % (head.root.hex(), root.hex()))
        if head.actor != self.actor:
            raise Fault("head", "the head is signed as %s, the events as %s" % (head.actor.hex(), self.actor.hex()))
        self.check_signature(head)
        self.actor = None
        self.batches += 1
        first, key = self.good["events"], head.actor.hex()
        if self.signed and self.signed[-1][0] == key:
            first = self.signed.pop()[1]
        self.signed.append((key, first, self.size - 1))
        self.good = {"events": self.size, "root": root.hex(), "note": text}

    def check_signature(self, head):
        """By a key that the history has authorised, also where it has ended it since."""
        known = self.state.keys["keys"].get(head.actor.hex())
        if known is None:
            raise Fault("head", "the key %s is not one of this ledger" % head.actor.hex())
        key = known["public_key"]
        if head.hint != sha256(head.name.encode() + b"\n\x01" + key)[:4]:
            raise Fault("head", "the hint beside the signature is not that of the name and the key")
        check_ed25519(key, head.text, head.signature)

    def check_trusted(self):
        try:
            self.check_signature(self.trust)
        except Fault as fault:
            raise Fault("trust", "the trusted head is not signed by a key of this ledger: %s" % fault.cause)

    def compare_trusted(self):
        self.check_trusted()
        root = self.tree.root()
        if root != self.trust.root:
            raise Fault("trust", "another history: at size %d the trusted head has the root %s, these events %s" % (
                self.size, self.trust.root.hex(), root.hex()))
        if self.trust.actor != self.last_actor:  # a batch has one actor, that of its head (§7)
            raise Fault("trust", "the trusted head is signed by the key %s, the last event under it by %s" % (
                self.trust.actor.hex(), self.last_actor.hex()))
        self.complete_to = self.size

    def end(self):
        if self.size == 0:
            raise Fault("end", "the export is empty")
        if self.good["events"] != self.size:
            raise Fault("end", "the export ends within a batch: events %d to %d are signed by nobody" % (
                self.good["events"], self.size - 1), self.first_unsigned_line())
        if self.trust is not None and self.trust.size > self.size:
            if self.trust.actor.hex() not in self.state.keys["keys"]:
                raise Fault("trust", "the export has %d events, the trusted head closes %d: it was cut off, or that head is of no "
                            "history that goes on from it. Its signer, %s, is nobody up to here: whether a later event lets that key "
                            "in cannot be known" % (self.size, self.trust.size, self.trust.actor.hex()))
            self.check_trusted()
            raise Fault("trust", "the export has %d events and was cut off: the trusted head closes %d" % (
                self.size, self.trust.size))

    def suspect(self):
        """What was signed since the event from which on the signer's owner may not have been who signs (§6.1)."""
        found = []
        for key, first, last in self.signed:
            since = self.state.keys["keys"][key].get("ended", {}).get("suspect_since")
            if since is not None and since <= last:
                found.append({"key": key, "first": max(first, since), "last": last})
        return found

    def first_unsigned_line(self):
        return self.good["events"] + 1

    def report(self, faults):
        ok = not faults.shown
        complete_to = self.complete_to if ok or (self.complete_to or 0) <= self.good["events"] else None
        checked = list(CHECKED)
        not_checked = list(NOT_CHECKED)
        if complete_to is None:
            not_checked.append(NOT_COMPLETE)
        else:
            checked.append(COMPLETE)
            not_checked.append(NOT_AFTER)
        return {
            "ok": ok,
            "ledger": self.ledger.hex() if self.ledger and self.good["events"] else None,
            "events": self.good["events"],
            "batches": self.batches,
            "good": self.good,
            "complete_to": complete_to,
            "suspect": self.suspect(),
            "checked": checked if self.good["events"] else [],
            "not_checked": not_checked,
            "faults": faults.shown,
            "faults_left_out": faults.left_out,
        }


class Behind:
    """What --keep-going can still say behind the first fault: each line for itself, its link to the line before, and
    the signature of its head. Roots and what may come when depend on everything before and are left out."""

    def __init__(self, check):
        self.check = check
        self.before = None
        self.first = None
        self.events = 0

    def line(self, line):
        before, self.before = self.before, None
        event, _, event_id, head = read_line(line)
        self.before = (event["seq"], event_id, event["at"])
        self.first = event["seq"] if self.first is None else self.first
        self.events += 1
        if self.check.ledger is not None and event["ledger"] != self.check.ledger:
            raise Fault("chain", "the event is of ledger %s" % event["ledger"].hex())
        if before is not None and (event["seq"], event["prev"]) != (before[0] + 1, before[1]):
            raise Fault("chain", "event %d does not follow the line before it" % event["seq"])
        if before is not None and event["at"] < before[2]:
            raise Fault("chain", "time goes back from %d to %d" % (before[2], event["at"]))
        if head is not None and self.check.ledger is not None:
            self.check.check_signature(read_note(head.encode("utf-8")))


# --- filtered exports, §11.2 ------------------------------------------------------------------------------------------

PROVED_BEGINNING = b'{"schema":"glyph-ledger/proved-event/1"'


def verify_selection(export, check, keep_going):
    faults = Faults()
    number = 0
    while True:
        line = export.readline(PROVED_LINE_BYTES + 2)
        if not line:
            break
        number += 1
        try:
            check.line(line)
        except Fault as fault:
            faults.add(number, fault)
            if not keep_going:
                break
        if not line.endswith(b"\n"):
            skip_rest_of_line(export)
    for fault in faults.shown:
        fault["event"] = None  # which event was due, nobody knows
    return check.report(faults)


class Selection:
    """Events, each proved to be under one head."""

    def __init__(self, trust, expected_ledger, expected_signer):
        self.trust = trust
        self.expected_ledger = expected_ledger
        self.expected_signer = expected_signer
        self.note = None  # of the first line that is good
        self.head = None
        self.signer = None
        self.events = 0
        self.first = None
        self.last = None
        self.known_by = None

    def line(self, line):
        event, event_id, note, head, signer, nodes = read_proved_line(line)
        if not leads_to_root(event_id, event["seq"], head.size, nodes, head.root):
            raise Fault("inclusion", "the nodes do not lead from event %d to the root of the head over %d events" % (
                event["seq"], head.size))
        wrong = None
        if self.note is None:
            self.note, self.head, self.signer = note, head, signer
            wrong = self.wrong_head()
        elif note != self.note:
            raise Fault("head", "another head than that of the first line")
        if self.last is not None and event["seq"] <= self.last:
            raise Fault("order", "event %d stands behind event %d: repeated, or not in order" % (event["seq"], self.last))
        self.first = event["seq"] if self.first is None else self.first
        self.last = event["seq"]
        self.events += 1
        if wrong is not None:
            raise wrong

    def wrong_head(self):
        """What is wrong with the one head, as a fault."""
        head = self.head
        if self.expected_ledger is not None and head.ledger.hex() != self.expected_ledger:
            return Fault("ledger", "this is ledger %s, not the expected one" % head.ledger.hex())
        try:
            check_note(head, self.signer)
        except Fault as fault:
            return fault
        if self.expected_signer is not None:
            if self.signer != self.expected_signer:
                return Fault("signature", "the head is signed by the key %s, not by the one named" % self.signer.hex())
            self.known_by = "signer"
        return None if self.trust is None else self.wrong_trust()

    def wrong_trust(self):
        head, trust = self.head, self.trust
        if trust.ledger != head.ledger:
            return Fault("trust", "this is ledger %s, and the trusted head is of %s" % (
                head.ledger.hex(), trust.ledger.hex()))
        if trust.size != head.size:
            return None  # nothing here leads from one to the other
        if trust.root != head.root:
            return Fault("trust", "another history: at size %d the trusted head has the root %s, this head %s" % (
                head.size, trust.root.hex(), head.root.hex()))
        if trust.actor != head.actor:
            return Fault("trust", "the trusted head is signed by the key %s, this one by %s" % (
                trust.actor.hex(), head.actor.hex()))
        try:
            check_note(trust, self.signer)
        except Fault as fault:
            return Fault("trust", "the trusted head: %s" % fault.cause)
        self.known_by = "trust"
        return None

    def report(self, faults):
        ok = not faults.shown
        return {
            "ok": ok,
            "ledger": None if self.head is None else self.head.ledger.hex(),
            "events": self.events,
            "batches": 0,
            "good": {"events": 0, "root": None, "note": None},
            "complete_to": None,
            "selection": {
                "size": None if self.head is None else self.head.size,
                "root": None if self.head is None else self.head.root.hex(),
                "signer": None if self.signer is None else self.signer.hex(),
                "first": self.first,
                "last": self.last,
                "known_by": self.known_by if ok else None,
            },
            "checked": PROVED_CHECKED if ok else [],
            "not_checked": PROVED_NOT_CHECKED,
            "faults": faults.shown,
            "faults_left_out": faults.left_out,
        }


def check_note(head, key):
    if head.hint != sha256(head.name.encode() + b"\n\x01" + key)[:4]:
        raise Fault("signature", "the hint beside the signature is not that of the name and the key")
    check_ed25519(key, head.text, head.signature)


def leads_to_root(leaf, index, size, nodes, root):
    """RFC 9162 §2.1.3.2"""
    if index >= size:
        return False
    at, last, found = index, size - 1, leaf
    for node in nodes:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = sha256(b"\x01" + node + found)
            while not at & 1 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            found = sha256(b"\x01" + found + node)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


# --- lines, §11 -------------------------------------------------------------------------------------------------------

COLUMNS = ("schema", "seq", "id", "at", "time", "kind", "actor", "prev", "ledger", "format", "run", "object", "body",
           "bytes", "size", "head")
PROVED_COLUMNS = COLUMNS + ("signer", "inclusion")


def read_line(line):
    """A line's event, body, id and head's text or None. The line is what its bytes and its head imply, to the byte."""
    text = text_of(line, LINE_BYTES)
    columns = read_json_object(text, COLUMNS)
    data, head = columns["bytes"], columns["head"]
    if head is not None and not isinstance(head, str):
        raise Fault("columns", "the column head is neither text nor null")
    data = read_hex("bytes", data)
    event = read_event(data)
    event_id = sha256(b"\x00" + data)
    implied = implied_columns(event, event_id, data, head)
    must_be(implied, columns, text, COLUMNS)
    return event, event["body"], event_id, head


def read_proved_line(line):
    """A line's event, id, note, head, public key and nodes. The line is what these imply, to the byte."""
    text = text_of(line, PROVED_LINE_BYTES)
    columns = read_json_object(text, PROVED_COLUMNS)
    if columns["schema"] != "glyph-ledger/proved-event/1":
        raise Fault("columns", "not a line of a filtered export")
    data = read_hex("bytes", columns["bytes"])
    signer = read_hex("signer", columns["signer"])
    inclusion = read_hex("inclusion", columns["inclusion"])
    if len(signer) != 32:
        raise Fault("columns", "the column signer has not 32 bytes")
    if len(inclusion) % 32 or len(inclusion) > 32 * PROOF_NODES:
        raise Fault("columns", "the column inclusion is not at most %d nodes of 32 bytes" % PROOF_NODES)
    note = columns["head"]
    if not isinstance(note, str):
        raise Fault("columns", "the column head is not text")
    head = read_note(note.encode("utf-8", "surrogatepass"))
    event = read_event(data)
    event_id = sha256(b"\x00" + data)
    implied = {**implied_columns(event, event_id, data, note), "schema": "glyph-ledger/proved-event/1",
               "size": head.size, "signer": signer.hex(), "inclusion": inclusion.hex()}
    must_be(implied, columns, text, PROVED_COLUMNS)
    if head.ledger != event["ledger"]:
        raise Fault("head", "the head is of ledger %s" % head.ledger.hex())
    if head.actor != sha256(signer):
        raise Fault("head", "the head is signed as %s, which is not the key beside it" % head.actor.hex())
    nodes = [inclusion[at:at + 32] for at in range(0, len(inclusion), 32)]
    return event, event_id, note, head, signer, nodes


def text_of(line, most):
    if len(line) > most + 1:
        raise Fault("line", "longer than %d bytes" % most)
    if not line.endswith(b"\n"):
        raise Fault("line", "the last line is not ended by a newline: it was cut")
    try:
        return line[:-1].decode("utf-8")
    except UnicodeDecodeError as error:
        raise Fault("line", "not UTF-8 at byte %d" % error.start)


def read_hex(name, digits):
    if not isinstance(digits, str) or not re.fullmatch("(?:[0-9a-f]{2})*", digits):
        raise Fault("columns", "the column %s is not lower-case hex" % name)
    return bytes.fromhex(digits)


def must_be(implied, columns, text, names):
    if implied_line(implied, names) != text:
        raise Fault("columns", difference(implied, columns, names))


def read_json_object(text, expected):
    try:
        pairs = json.loads(text, object_pairs_hook=Pairs, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Fault("json", "not JSON: %s" % error)
    if not isinstance(pairs, Pairs):
        raise Fault("json", "not a JSON object")
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Fault("columns", "the column %s stands twice" % next(n for n in names if names.count(n) > 1))
    for name in names:
        if name not in expected:
            raise Fault("columns", "unknown column %s" % json.dumps(name))
    for name in expected:
        if name not in names:
            raise Fault("columns", "the column %s is missing" % name)
    return dict(pairs)


class Pairs(list):
    """A JSON object as it is written, with keys that stand twice."""


def refuse_constant(name):
    raise ValueError("%s is not JSON" % name)


def implied_columns(event, event_id, data, head):
    body, kind = event["body"], event["kind"]
    return {
        "schema": "glyph-ledger/event/1",
        "seq": event["seq"],
        "id": event_id.hex(),
        "at": event["at"],
        "time": rfc3339(event["at"]),
        "kind": kind,
        "actor": event["actor"].hex(),
        "prev": event["prev"].hex(),
        "ledger": event["ledger"].hex(),
        "format": event["format"],
        "run": event_id.hex() if kind == "run.started" else body["run"].hex() if "run" in body else None,
        "object": body.get("object"),
        "body": to_json(body),
        "bytes": data.hex(),
        "size": None if head is None else event["seq"] + 1,
        "head": head,
    }


def implied_line(columns, names=COLUMNS):
    return "{%s}" % ",".join('"%s":%s' % (name, to_json(columns[name])) for name in names)


def difference(implied, columns, names):
    for name in names:
        if implied[name] != columns[name] or type(implied[name]) is not type(columns[name]):
            return "the column %s is not what the event's bytes imply" % name
    if tuple(columns) != names:
        return "the columns stand in another order"
    return "the columns are right and written in another form: white space, escapes or numbers"


def to_json(value):
    """The one JSON form (§4) of a value without floats."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if abs(value) <= NUMBER_MAX else '"%d"' % value
    if isinstance(value, bytes):
        return '"%s"' % value.hex()
    if isinstance(value, str):
        # With ensure_ascii off Python escapes exactly what §4 escapes, in the same way.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[%s]" % ",".join(map(to_json, value))
    return "{%s}" % ",".join("%s:%s" % (to_json(name), to_json(item)) for name, item in value.items())


def rfc3339(at):
    """Milliseconds since 1970 as a date, by counting days in years that begin in March (so the leap day comes last)."""
    days, ms = divmod(at, 86400000)
    era, day = divmod(days + 719468, 146097)
    year_of_era = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day_of_year = day - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    seconds, ms = divmod(ms, 1000)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (
        year, month, day_of_month, seconds // 3600, seconds // 60 % 60, seconds % 60, ms)


# --- events and their bodies, §5.1 and §6.1 ---------------------------------------------------------------------------
#
# A schema is a function that says what is wrong with a value, or None.


def read_event(data):
    if len(data) > EVENT_BYTES:
        raise Fault("event", "the event has %d bytes, at most %d are allowed" % (len(data), EVENT_BYTES))
    event = decode(data)
    wrong = EVENT(event)
    if wrong:
        raise Fault("event", "not an event: %s" % wrong)
    schema = BODIES.get(event["kind"])
    if schema is None:
        raise Fault("event", "unknown kind %s" % json.dumps(event["kind"]))
    wrong = schema(event["body"])
    if wrong:
        raise Fault("event", "not a body of %s: %s" % (event["kind"], wrong))
    return event


def number(low, high):
    wrong = "not an integer from %d to %d" % (low, high)
    return lambda value: None if type(value) is int and low <= value <= high else wrong


def octets(size):
    return lambda value: None if type(value) is bytes and len(value) == size else "not %d bytes" % size


def text(value):
    return None if type(value) is str else "not text"


def boolean(value):
    return None if type(value) is bool else "not true or false"


def true(value):
    return None if value is True else "not true"


def one_of(*words):
    return lambda value: None if type(value) is str and value in words else "not one of %s" % ", ".join(words)


def any_map(value):
    return None if type(value) is dict else "not a map"


def map_to(schema):
    def check(value):
        if type(value) is not dict:
            return "not a map"
        return first("%s: %s", ((name, schema(item)) for name, item in value.items()))
    return check


def list_of(schema, most):
    def check(value):
        if type(value) is not list or len(value) > most:
            return "not a list of at most %d" % most
        return first("item %d: %s", ((at, schema(item)) for at, item in enumerate(value)))
    return check


def some(schema):
    """A list that is not empty."""
    return lambda value: "an empty list" if value == [] else schema(value)


def closed(required, optional=None):
    """A map with all the required fields, any of the optional, and no others."""
    fields = {**required, **(optional or {})}

    def check(value):
        if type(value) is not dict:
            return "not a map"
        for name in value:
            if name not in fields:
                return "unknown field %s" % json.dumps(name)
        for name in required:
            if name not in value:
                return "the field %s is missing" % name
        return first("%s: %s", ((name, fields[name](item)) for name, item in value.items()))
    return check


def variant(**cases):
    """A map with one field, whose name says what the value is."""
    def check(value):
        if type(value) is not dict or len(value) != 1:
            return "not a map with one field"
        name, item = next(iter(value.items()))
        if name not in cases:
            return "unknown case %s" % json.dumps(name)
        return cases[name](item)
    return check


def first(form, named):
    return next((form % (name, wrong) for name, wrong in named if wrong), None)


UINT = number(0, 2**64 - 1)
HASH = octets(32)
OBJECT_STATE = variant(
    document=closed({"mode": number(0, 2**32 - 1), "bytes": UINT, "content": HASH}),
    database=closed({"rows": HASH, "schema": HASH, "page_root": HASH}),
    log=closed({"tail": HASH, "bytes": UINT, "content": HASH}),
)
STAGED_CONTENT = variant(document=closed({"content": HASH}), database=closed({"page_root": HASH}))
AUDIT_APPEND = closed({"line": text, "bytes": UINT, "object": text, "content": HASH})
RENAMED = list_of(closed({"naming": text, "new_hash": HASH, "old_hash": HASH}), RENAMED_MOST)
VERDICTS = map_to(one_of("true", "false", "not_applicable"))

EVENT = closed({
    "at": number(0, AT_MAX), "seq": number(0, SEQ_MAX), "body": any_map, "kind": text, "prev": HASH, "actor": HASH,
    "format": number(1, 1), "ledger": HASH,
})

ROLES = ("administer", "append", "approve", "publish")


def roles(value):
    """One at least, in ascending order, none twice."""
    wrong = list_of(one_of(*ROLES), len(ROLES))(value)
    if wrong:
        return wrong
    return None if value and value == sorted(set(value)) else "roles that are not in ascending order, or none"


BODIES = {
    "ledger.created": closed({"nonce": octets(16), "public_key": HASH}, {
        "recovery": HASH, "continues": closed({"root": HASH, "size": UINT, "ledger": HASH})}),
    "key.authorized": closed({"roles": roles, "public_key": HASH}, {"possession": octets(64)}),
    "key.rotated": closed({"possession": octets(64), "public_key": HASH}),
    "key.revoked": closed({"key": HASH, "reason": text}, {"suspect_since": UINT}),
    "approvals.set": closed({"count": UINT}),
    "plan.approved": closed({"plan": HASH}, {"reason": text}),
    "store.adopted": closed({
        "origin": one_of("created", "adopted"), "objects": UINT, "version": text, "contract": text}, {"open": true}),
    "object.observed": closed({
        "cause": one_of("baseline", "data_change", "abandoned", "joined"), "state": OBJECT_STATE, "object": text}),
    "object.pruned": closed({"keep": UINT, "bytes": UINT, "images": UINT, "object": text, "reason": text}),
    "drift.accepted": closed({
        "state": OBJECT_STATE, "object": text, "reason": text, "version": text, "contract": HASH}),
    "contract.frozen": closed({"bundle": HASH, "digest": HASH, "contract": text, "contract_version": text}),
    "proof.recorded": closed({"pass": boolean, "proof": HASH, "object": text, "contract": HASH, "fingerprint": HASH}),
    "run.started": closed({
        "to": text, "from": text, "plan": HASH, "seed": HASH, "policy": HASH, "objects": UINT,
        "purpose": one_of("migrate", "rollback"), "clock_ms": UINT, "environment": HASH,
    }, {"changes": one_of("keep", "discard"), "to_size": UINT, "contract": HASH, "accepted_loss": HASH}),
    "run.route": closed({
        "to": text, "run": HASH, "from": text, "edges": list_of(HASH, ROUTE_EDGES), "route": UINT, "contract": HASH}),
    "object.staged": closed({"run": HASH, "edge": HASH, "step": UINT, "object": text, "result": STAGED_CONTENT}),
    "object.migrated": closed({
        "run": HASH, "loss": HASH, "lost": UINT, "object": text, "source": OBJECT_STATE, "target": OBJECT_STATE,
        "operator": text, "verdicts": VERDICTS, "reads_inputs": boolean,
    }, {"route": UINT, "renamed": some(RENAMED), "loss_list": HASH}),
    "run.committed": closed({"run": HASH, "places": UINT, "certificate": HASH}, {"audit": AUDIT_APPEND}),
    "run.published": closed({"run": HASH, "places": UINT}, {"audit": OBJECT_STATE}),
    "run.aborted": closed({"run": HASH, "code": text, "message": text}),
    "run.abandoned": closed({"run": HASH, "places": UINT, "reason": text, "version": text}),
    "state.recorded": closed({"size": UINT, "digest": HASH}),
}


# --- what may come when, and the states that follow, §6.2 and §6.3 ----------------------------------------------------


def need(condition, cause):
    if not condition:
        raise Fault("order", cause)


VERSIONS = {"keys": 2, "contracts": 1, "store": 1, "runs": 2, "certificates": 2, "audit": 1}


# What a key must be allowed to sign each kind; None for anything but to publish.
SIGNED_BY = {
    "key.authorized": "administer", "key.revoked": "administer", "approvals.set": "administer",
    "plan.approved": "approve", "key.rotated": None, "state.recorded": None,
}


class State:
    """The six projections, each in the form of which its digest is taken, only that lists in byte order are sets here.
    What an event may do is asked of them."""

    def __init__(self):
        self.keys = {"keys": {}, "approvals": {}, "approvals_required": 0}
        self.contracts = {"contracts": {}}
        self.store = {"staged": {}, "objects": {}, "version": "", "pending_publish": False,
                      "unsettled": set(), "unpublished": set()}
        self.runs = {"finished": [], "pruned": {}, "accepted": []}
        self.certificates = {"lost": 0, "paths": {}, "claims": {}, "issued": []}
        self.audit = {"lines": [], "events": {}}

    def step(self, event, body, event_id):
        kind = event["kind"]
        self.need_role(event)
        if self.store["unsettled"] and kind != "state.recorded":
            settles = kind == "object.observed" and body["cause"] == "abandoned"
            need(settles and body["object"] in self.store["unsettled"],
                 "after an abandoned run each object is observed once, with cause abandoned, before anything else")
        if "run" in body:
            need("open" in self.runs, "%s without an open run" % kind)
            need(body["run"] == self.runs["open"]["run"], "%s names another run than the open one" % kind)
        getattr(self, kind.replace(".", "_"))(event, body, event_id)
        self.audit["events"][kind] = self.audit["events"].get(kind, 0) + 1

    def digest(self):
        return commit_hash("projection_state", {
            name: commit_hash("projection/%s/%d" % (name, version), self.form(name))
            for name, version in VERSIONS.items()
        })

    def form(self, name):
        """A projection's state as §6.3 has it: with lists for sets, and without those that are absent where empty."""
        state = dict(getattr(self, name))
        if name == "keys":
            state["approvals"] = {plan: sorted(keys) for plan, keys in state["approvals"].items()}
        if name == "store":
            for field in ("unsettled", "unpublished"):
                if state[field]:
                    state[field] = in_byte_order(state[field])
                else:
                    del state[field]
        if name == "runs":
            for field in ("pruned", "accepted"):
                if not state[field]:
                    del state[field]
        if name == "runs" and "open" in state:
            state["open"] = {**state["open"], "migrated": in_byte_order(state["open"]["migrated"])}
        return state

    def may_sign(self, key):
        """The key of that id, unless it was never authorised or has ended."""
        known = self.keys["keys"].get(key.hex())
        return known if known is not None and "ended" not in known else None

    def need_role(self, event):
        if event["kind"] == "ledger.created":
            return
        known = self.may_sign(event["actor"])
        need(known is not None, "the key %s is not authorised to sign here" % event["actor"].hex())
        role = SIGNED_BY.get(event["kind"], "append")
        fits = known["roles"] != ["publish"] if role is None else role in known["roles"]
        need(fits, "the key %s may not sign %s" % (event["actor"].hex(), event["kind"]))

    def need_new_key(self, public_key):
        need(is_usable(public_key), "the new key is no Ed25519 key")
        need(sha256(public_key).hex() not in self.keys["keys"], "the new key was authorised before")

    def need_possession(self, event, body):
        statement = commit_hash("key_possession", [event["ledger"], body["public_key"]])
        try:
            check_ed25519(body["public_key"], statement, body["possession"])
        except Fault as fault:
            raise Fault("order", "it is not shown that somebody holds the new key: %s" % fault.cause)

    def add_key(self, public_key, roles, since):
        self.keys["keys"][sha256(public_key).hex()] = {"public_key": public_key, "roles": roles, "since": since}

    def ledger_created(self, event, body, _):
        need(event["seq"] == 0, "ledger.created stands only at the beginning")
        need(is_usable(body["public_key"]), "the key that the ledger begins with is no Ed25519 key")
        self.add_key(body["public_key"], ["administer", "append", "approve"], 0)
        if "recovery" in body:
            need(body["recovery"] != body["public_key"], "the key to recover with is the ledger's own")
            need(is_usable(body["recovery"]), "the key to recover with is no Ed25519 key")
            self.add_key(body["recovery"], ["administer"], 0)
        if "continues" in body:
            need(body["continues"]["ledger"] != event["ledger"], "a ledger does not go on from itself")

    def key_authorized(self, event, body, _):
        self.need_new_key(body["public_key"])
        if "possession" in body:
            self.need_possession(event, body)
        self.add_key(body["public_key"], body["roles"], event["seq"])

    def key_rotated(self, event, body, _):
        self.need_new_key(body["public_key"])
        self.need_possession(event, body)
        old, new = event["actor"], sha256(body["public_key"])
        self.add_key(body["public_key"], self.keys["keys"][old.hex()]["roles"], event["seq"])
        self.keys["keys"][old.hex()]["ended"] = {"at": event["seq"], "successor": new}
        for keys in self.keys["approvals"].values():
            if old.hex() in keys:
                keys.remove(old.hex())
                keys.add(new.hex())

    def key_revoked(self, event, body, _):
        known = self.keys["keys"].get(body["key"].hex())
        before = (known or {}).get("ended")
        told_later = before is not None and "suspect_since" not in before and "suspect_since" in body
        need(known is not None and (before is None or told_later), "the key %s may not sign here" % body["key"].hex())
        administer = [key for key in self.keys["keys"].values() if "ended" not in key and "administer" in key["roles"]]
        need(administer != [known], "the key %s is the last one that administers" % body["key"].hex())
        ended = before or {"at": event["seq"]}
        if "suspect_since" in body:
            need(body["suspect_since"] < event["seq"], "a key is suspect since an event that lies ahead")
            ended["suspect_since"] = body["suspect_since"]
        known["ended"] = ended

    def approvals_set(self, event, body, _):
        self.keys["approvals_required"] = body["count"]

    def plan_approved(self, event, body, _):
        keys = self.keys["approvals"].setdefault(body["plan"].hex(), set())
        need(event["actor"].hex() not in keys, "the key %s agreed to the plan before" % event["actor"].hex())
        keys.add(event["actor"].hex())

    def need_approvals(self, event, body):
        keys = self.keys["approvals"].get(body["plan"].hex(), set()) - {event["actor"].hex()}
        given = [key for key in map(bytes.fromhex, keys) if "approve" in (self.may_sign(key) or {"roles": ()})["roles"]]
        required = self.keys["approvals_required"]
        need(len(given) >= required, "the plan needs %d approvals by others and has %d" % (required, len(given)))

    def contract_frozen(self, event, body, _):
        frozen = self.contracts["contracts"].setdefault(body["contract"], [])
        need(all(one["contract_version"] != body["contract_version"] for one in frozen),
             "contract %s version %s was frozen before" % (body["contract"], body["contract_version"]))
        frozen.append({name: body[name] for name in ("bundle", "digest", "contract_version")})

    def is_frozen(self, digest):
        return any(one["digest"] == digest for versions in self.contracts["contracts"].values() for one in versions)

    def proof_recorded(self, event, body, _):
        """Nothing is asked of it, and no state changes."""

    def store_adopted(self, event, body, _):
        need("origin" not in self.store, "the store was adopted before")
        need(body["objects"] == len(self.store["objects"]),
             "store.adopted counts %d objects, %d have a baseline" % (body["objects"], len(self.store["objects"])))
        for name in ("origin", "version", "contract", "open"):
            if name in body:
                self.store[name] = body[name]
        self.need_mixed(body["version"])

    def is_open(self):
        return "open" in self.store

    def need_mixed(self, version):
        need(not self.is_open() or version == MIXED, "the version of an open store is %s, not %s" % (MIXED, version))

    def object_observed(self, event, body, _):
        name, state, cause = body["object"], body["state"], body["cause"]
        held = self.store["objects"].get(name)
        if cause == "baseline":
            need("origin" not in self.store, "a baseline after the store was adopted")
            need(held is None, "a second baseline of %s" % name)
            need(kind_of(state) != "log" or all(kind_of(one) != "log" for one in self.store["objects"].values()),
                 "%s is a second log, a store has one at most" % name)
        elif cause == "joined":
            need(self.is_open(), "%s joins a store that is not open" % name)
            need(held is None, "%s joins and was observed before" % name)
            need(kind_of(state) == "document", "%s joins and is a %s" % (name, kind_of(state)))
            need("open" not in self.runs, "%s joins while a run is open" % name)
        else:
            need(held is not None, "%s has no baseline" % name)
            need(kind_of(held) == kind_of(state), "%s was a %s and is observed as a %s" % (
                name, kind_of(held), kind_of(state)))
            need("open" not in self.runs or kind_of(state) == "log", "while a run is open only logs are observed")
            if cause == "abandoned":
                need(name in self.store["unsettled"], "cause abandoned without an abandoned run")
                self.store["unsettled"].remove(name)
            elif kind_of(state) == "log":
                need(state["log"]["bytes"] >= held["log"]["bytes"], "the log %s shrinks" % name)
        self.store["objects"][name] = state

    def object_pruned(self, event, body, _):
        name, keep = body["object"], body["keep"]
        held = self.store["objects"].get(name)
        need("origin" in self.store, "images of %s are pruned before the store was adopted" % name)
        need(held is not None and kind_of(held) == "database", "%s is no database in the store's care" % name)
        need("open" not in self.runs, "images of %s are pruned while a run is open" % name)
        need(keep <= event["seq"], "event %d, from which on images of %s stay, lies ahead" % (keep, name))
        before = self.runs["pruned"].get(name, 0)
        need(keep >= before, "images of %s before event %d were pruned, not only those before %d" % (
            name, before, keep))
        self.runs["pruned"][name] = keep

    def drift_accepted(self, event, body, _):
        name, state, version = body["object"], body["state"], body["version"]
        held = self.store["objects"].get(name)
        need("origin" in self.store, "drift of %s is accepted before the store was adopted" % name)
        need(held is not None and kind_of(held) == "database", "%s is no database in the store's care" % name)
        need(kind_of(state) == "database", "%s was a database and is accepted as a %s" % (name, kind_of(state)))
        need("open" not in self.runs, "drift of %s is accepted while a run is open" % name)
        need(self.is_frozen(body["contract"]), "no contract of the accepted drift's digest was frozen")
        self.need_mixed(version)
        need(state["database"]["schema"] != held["database"]["schema"] or version != self.store["version"],
             "%s has the structure and the version that the ledger has" % name)
        self.store["objects"][name] = state
        self.store["version"] = version
        self.runs["accepted"].append({"seq": event["seq"], "contract": body["contract"]})

    def run_started(self, event, body, event_id):
        if body["purpose"] == "migrate":
            self.need_approvals(event, body)
        need("origin" in self.store, "a run before the store was adopted")
        need("open" not in self.runs, "a run is open")
        need(body["from"] == self.store["version"], "the run starts from version %s, the store has %s" % (
            body["from"], self.store["version"]))
        self.need_mixed(body["to"])
        if "contract" in body:
            need(self.is_frozen(body["contract"]), "no contract of the run's digest was frozen")
        else:
            need(self.is_open(), "a run without a contract in a store that is not open")
        self.store["staged_version"] = body["to"]
        self.certificates["started"] = body
        self.runs["open"] = {
            "run": event_id, "phase": "staging", "steps": {}, "started": body, "migrated": set(),
            "started_seq": event["seq"]}

    def staging(self, what):
        need(self.runs["open"]["phase"] == "staging", "%s after the run was committed" % what)
        return self.runs["open"]

    def run_route(self, event, body, _):
        run = self.staging("run.route")
        need(has_routes(run["started"]), "the run's objects take no routes")
        need(not run["migrated"], "a route behind the first object that is migrated")
        need(self.is_frozen(body["contract"]), "no contract of the route's digest was frozen")
        known = len(run.get("routes", ()))
        named = {name: body[name] for name in ("to", "from", "contract")}
        if known and body["route"] == known - 1:
            need(all(run["routes"][-1][name] == named[name] for name in named),
                 "route %d goes on with another contract or version" % body["route"])
        else:
            need(body["route"] == known, "route %d, expected %d" % (body["route"], known))
        for state in (run, self.certificates):
            routes = state.setdefault("routes", [])
            if body["route"] == known:
                routes.append({**named, "edges": []})
            routes[-1]["edges"].extend(body["edges"])

    def object_staged(self, event, body, _):
        run = self.staging("object.staged")
        need("contract" in run["started"], "a step in a run without a contract")
        name = body["object"]
        need(name not in run["migrated"], "a step of %s, which is migrated" % name)
        steps = run["steps"].setdefault(name, [])
        need(body["step"] == len(steps), "step %d of %s, expected %d" % (body["step"], name, len(steps)))
        steps.append(body["result"])
        path = self.certificates["paths"].setdefault(name, [])
        if path[-1:] != [body["edge"]]:
            path.append(body["edge"])

    def object_migrated(self, event, body, _):
        run = self.staging("object.migrated")
        name, source, target = body["object"], body["source"], body["target"]
        need(name not in run["migrated"], "%s is migrated twice" % name)
        need(len(run["migrated"]) < run["started"]["objects"], "more objects than the run announced")
        need(("route" in body) == has_routes(run["started"]), "an object takes a route exactly where its run has routes")
        route = None
        if "route" in body:
            routes = run.get("routes", ())
            need(body["route"] < len(routes), "%s takes route %d of %d" % (name, body["route"], len(routes)))
            route = routes[body["route"]]
        need_renamed(body)
        need(self.store["objects"].get(name) == source, "the source of %s is not what the ledger holds" % name)
        need(kind_of(source) == kind_of(target), "%s changes its kind" % name)
        if name in run["steps"]:
            (kind, content), = run["steps"][name][-1].items()
            need(kind == kind_of(target) and all(target[kind][field] == content[field] for field in content),
                 "the target of %s is not what its last step made" % name)
        run["migrated"].add(name)
        self.store["staged"][name] = target
        claim = claim_of(run["started"], body, self.certificates["paths"].pop(name, []), route)
        self.certificates["claims"][name] = commit_hash("migration_certificate", claim)
        self.certificates["lost"] = min(self.certificates["lost"] + body["lost"], 2**64 - 1)

    def run_committed(self, event, body, _):
        run = self.staging("run.committed")
        started, lost = run["started"], self.certificates["lost"]
        need(len(run["migrated"]) == started["objects"], "%d objects are migrated, %d were announced" % (
            len(run["migrated"]), started["objects"]))
        need(not self.certificates["paths"], "an object with steps was not migrated")
        certificate = certificate_of(self.certificates["claims"])
        need(body["certificate"] == certificate, "the certificate is not that of the claims, %s" % certificate.hex())
        places = sum(self.store["objects"][name] != target for name, target in self.store["staged"].items())
        need(body["places"] == places, "%d places, %d objects change" % (body["places"], places))
        if "audit" in body:
            audit = body["audit"]
            log = self.store["objects"].get(audit["object"], {}).get("log", {})
            need((log.get("bytes"), log.get("content")) == (audit["bytes"], audit["content"]),
                 "the audit file is not a log as the ledger holds it")
            self.audit["lines"].append({"run": body["run"], "line": sha256(audit["line"].encode())})
        accepted = started.get("accepted_loss") == started["plan"]
        need(lost == 0 or accepted, "%d values are lost, and that was not accepted" % lost)
        self.certificates["issued"].append({
            "to": started["to"], "from": started["from"], "lost": lost, "objects": len(run["migrated"]),
            "certificate": certificate})
        self.forget_claims()
        if self.is_open():
            self.store["unpublished"] = set(self.store["staged"])
            if "audit" in body:
                self.store["unpublished"].add(body["audit"]["object"])
        self.store["objects"].update(self.store["staged"])
        self.store["staged"] = {}
        self.store["version"] = self.store.pop("staged_version")
        self.store["pending_publish"] = True
        publishing = {"places": body["places"], "certificate": certificate, "committed_seq": event["seq"]}
        if "audit" in body:
            publishing["audit"] = body["audit"]
        run["phase"] = {"publishing": publishing}

    def publishing(self, what):
        need(self.runs["open"]["phase"] != "staging", "%s before the run was committed" % what)
        return self.runs["open"]["phase"]["publishing"]

    def run_published(self, event, body, _):
        commit = self.publishing("run.published")
        need(body["places"] == commit["places"], "%d places, committed were %d" % (body["places"], commit["places"]))
        need(("audit" in body) == ("audit" in commit), "run.committed and run.published do not both have an audit file")
        if "audit" in body:
            line = commit["audit"]
            need(kind_of(body["audit"]) == "log", "the audit file is not a log")
            need(body["audit"]["log"]["bytes"] >= line["bytes"] + len(line["line"].encode()),
                 "the audit file is too short to hold the run's line")
            self.store["objects"][line["object"]] = body["audit"]
        self.store["pending_publish"] = False
        self.store["unpublished"] = set()
        self.finish(event, {"published": outcome(commit)})

    def run_aborted(self, event, body, _):
        self.staging("run.aborted")
        self.store["staged"] = {}
        del self.store["staged_version"]
        self.forget_claims()
        self.finish(event, {"aborted": {"code": body["code"]}})

    def run_abandoned(self, event, body, _):
        commit = self.publishing("run.abandoned")
        self.store["pending_publish"] = False
        self.need_mixed(body["version"])
        self.store["version"] = body["version"]
        self.store["unsettled"] = self.store["unpublished"] if self.is_open() else set(self.store["objects"])
        self.store["unpublished"] = set()
        self.finish(event, {"abandoned": outcome(commit)})

    def state_recorded(self, event, body, _):
        need(body["size"] == event["seq"], "a state of %d events, recorded after %d" % (body["size"], event["seq"]))
        digest = self.digest()
        need(body["digest"] == digest, "the recorded state is not that of the events, %s" % digest.hex())

    def forget_claims(self):
        self.certificates.update(lost=0, paths={}, claims={})
        del self.certificates["started"]
        self.certificates.pop("routes", None)

    def finish(self, event, outcome):
        run = self.runs.pop("open")
        finished = {name: run["started"][name] for name in ("to", "from", "plan", "purpose")}
        finished.update(run=run["run"], outcome=outcome, started_seq=run["started_seq"], ended_seq=event["seq"])
        self.runs["finished"].append(finished)


def need_renamed(body):
    """What an object.migrated may say of other names."""
    if "renamed" not in body:
        return
    name, renamed = body["object"], body["renamed"]
    need("route" in body and body["source"] != body["target"], "%s is renamed without a route to another content" % name)
    need(all(one["old_hash"] != one["new_hash"] for one in renamed), "%s is renamed to what it was called" % name)
    keys = [(one["naming"].encode(), one["old_hash"], one["new_hash"]) for one in renamed]
    need(all(before < after for before, after in zip(keys, keys[1:])), "the renamings of %s are not in order" % name)


def in_byte_order(names):
    return sorted(names, key=str.encode)


def has_routes(started):
    return "contract" not in started and started["purpose"] == "migrate"


def outcome(commit):
    return {"certificate": commit["certificate"], "committed_seq": commit["committed_seq"]}


def kind_of(state):
    return next(iter(state))


def claim_of(started, migrated, path, route):
    """What the run claims of one object (§8.5): of one that took a route, by that route."""
    way = route or {**started, "edges": path}
    inputs = {"seed": started["seed"], "clock_ms": started["clock_ms"]}
    return {
        "to": way["to"], "from": way["from"], "path": way["edges"], "verdicts": migrated["verdicts"],
        "loss_hash": migrated["loss"], "object_id": migrated["object"], "object_kind": kind_of(migrated["source"]),
        "operator_id": migrated["operator"], "source_hash": claimed(migrated["source"]),
        "target_hash": claimed(migrated["target"]), "contract_digest": way.get("contract"),
        "migration_policy_hash": started["policy"],
        "inputs_hash": commit_hash("migration_inputs", inputs) if migrated["reads_inputs"] else None,
    }


def claimed(state):
    (kind, fields), = state.items()
    return fields["rows" if kind == "database" else "content"]


def certificate_of(claims):
    return commit_hash("migration_run", [claims[name] for name in in_byte_order(claims)])


# --- heads, §7 --------------------------------------------------------------------------------------------------------

# Unicode's White_Space. Those below U+0020 are refused everywhere but as newlines.
WHITE_SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


class Head:
    """A signed note: text is what was signed; name, actor, hint and signature are of the actor's line."""


def read_note(data):
    if len(data) > NOTE_BYTES:
        raise Fault("head", "the note has more than %d bytes" % NOTE_BYTES)
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("head", "the note is not UTF-8")
    if any(ord(character) < 0x20 and character != "\n" for character in note):
        raise Fault("head", "a control character in the note")
    lines = note.split("\n")
    if len(lines) < 6 or lines[-1] != "" or lines[3] != "":
        raise Fault("head", "not a note of three lines, an empty one, and signatures, ended by a newline")
    origin, size, root = lines[:3]
    head = Head()
    if not re.fullmatch("glyph-ledger/[0-9a-f]{64}", origin):
        raise Fault("head", "the first line does not name a ledger")
    if not re.fullmatch("0|[1-9][0-9]{0,19}", size) or int(size) >= 2**64:
        raise Fault("head", "the size is not a number below 2^64 without leading zeros")
    head.ledger = bytes.fromhex(origin[-64:])
    head.size = int(size)
    head.root = read_base64(root)
    if len(head.root) != 32:
        raise Fault("head", "the root has not 32 bytes")
    head.text = "\n".join(lines[:3] + [""]).encode()
    actors = [line for line in map(read_signature_line, lines[4:-1]) if line[0].startswith("glyph-actor/")]
    if len(actors) != 1:
        raise Fault("head", "%d signatures by actors, expected one" % len(actors))
    head.name, signature = actors[0]
    if not re.fullmatch("glyph-actor/[0-9a-f]{64}", head.name):
        raise Fault("head", "the actor's name does not end in a key id")
    if len(signature) != 4 + 64:
        raise Fault("head", "the actor's signature has not 64 bytes")
    head.actor = bytes.fromhex(head.name[-64:])
    head.hint, head.signature = signature[:4], signature[4:]
    return head


def read_signature_line(line):
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\u2014":
        raise Fault("head", "not a signature line: a dash, a name, and base64")
    _, name, signature = parts
    if not name or "+" in name or WHITE_SPACE.search(name):
        raise Fault("head", "a name in the note is empty or holds white space or a plus sign")
    signature = read_base64(signature)
    if len(signature) < 5:
        raise Fault("head", "a signature in the note is too short for its hint")
    return name, signature


def read_base64(text):
    """RFC 4648 §4 in its one canonical spelling: what is read must be written the same way again."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise Fault("head", "not base64")
    if base64.b64encode(data).decode() != text:
        raise Fault("head", "base64 that is not canonical")
    return data


# --- hashes and the tree, §3 and §7 -----------------------------------------------------------------------------------


def sha256(data):
    return hashlib.sha256(data).digest()


def commit_hash(tag, value):
    return sha256(encode([tag, value]))


class Tree:
    """The Merkle tree of RFC 6962 over event ids. Kept are the roots of the perfect subtrees that make it up, largest
    first: one for each bit that is set in the size."""

    def __init__(self):
        self.size = 0
        self.roots = []

    def append(self, leaf):
        node = leaf
        size = self.size
        while size & 1:
            node = sha256(b"\x01" + self.roots.pop() + node)
            size >>= 1
        self.roots.append(node)
        self.size += 1

    def root(self):
        if not self.roots:
            return sha256(b"")
        node = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            node = sha256(b"\x01" + left + node)
        return node


# --- canonical CBOR, §2 -----------------------------------------------------------------------------------------------
#
# Events hold no floats, so the decoder knows none.


def decode(data):
    value, end = decode_at(data, 0, VALUE_DEPTH)
    if end != len(data):
        raise Fault("cbor", "bytes follow the value at byte %d" % end)
    return value


def decode_at(data, start, depth):
    major, argument, at = decode_initial(data, start)
    if major == 0:
        return argument, at
    if major == 1:
        if argument >= 2**63:
            raise Fault("cbor", "a negative integer out of range at byte %d" % start)
        return -1 - argument, at
    if major == 2:
        return take(data, at, argument), at + argument
    if major == 3:
        try:
            return take(data, at, argument).decode("utf-8"), at + argument
        except UnicodeDecodeError:
            raise Fault("cbor", "text that is not UTF-8 at byte %d" % start)
    if major == 7:
        if argument not in SIMPLE or at != start + 1:
            raise Fault("cbor", "a float or a simple value that does not occur in events at byte %d" % start)
        return SIMPLE[argument], at
    if major == 6:
        raise Fault("cbor", "a tag at byte %d" % start)
    if depth == 0:
        raise Fault("cbor", "nested more than %d deep at byte %d" % (VALUE_DEPTH, start))
    if argument > len(data):  # so that no count makes us reserve or loop for what is not there
        raise Fault("cbor", "the bytes end within a value at byte %d" % start)
    if major == 4:
        items = []
        for _ in range(argument):
            item, at = decode_at(data, at, depth - 1)
            items.append(item)
        return items, at
    return decode_map(data, at, argument, depth)


def decode_map(data, at, count, depth):
    entries = {}
    before = b""
    for _ in range(count):
        key, end = decode_at(data, at, depth - 1)
        encoded = data[at:end]
        if type(key) is not str:
            raise Fault("cbor", "a key that is not text at byte %d" % at)
        if encoded <= before:
            raise Fault("cbor", "a key out of order or twice at byte %d" % at)
        before = encoded
        entries[key], at = decode_at(data, end, depth - 1)
    return entries, at


SIMPLE = {20: False, 21: True, 22: None}


def decode_initial(data, at):
    """Major type, argument in its shortest form, and where the rest begins."""
    major, short = divmod(take(data, at, 1)[0], 32)
    if short < 24:
        return major, short, at + 1
    if short > 27:
        raise Fault("cbor", "an indefinite length or reserved form at byte %d" % at)
    width = 1 << (short - 24)
    argument = int.from_bytes(take(data, at + 1, width), "big")
    if argument < (24, 2**8, 2**16, 2**32)[short - 24] and major != 7:
        raise Fault("cbor", "a number not in its shortest form at byte %d" % at)
    return major, argument, at + 1 + width


def take(data, at, count):
    if at + count > len(data):
        raise Fault("cbor", "the bytes end within a value at byte %d" % at)
    return data[at:at + count]


def encode(value):
    if value is None or value is True or value is False:
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return encode_initial(0, value) if value >= 0 else encode_initial(1, -1 - value)
    if isinstance(value, bytes):
        return encode_initial(2, len(value)) + value
    if isinstance(value, str):
        data = value.encode("utf-8")
        return encode_initial(3, len(data)) + data
    if isinstance(value, list):
        return encode_initial(4, len(value)) + b"".join(map(encode, value))
    entries = sorted((encode(key), encode(item)) for key, item in value.items())
    return encode_initial(5, len(value)) + b"".join(key + item for key, item in entries)


def encode_initial(major, argument):
    if argument < 24:
        return bytes([major * 32 + argument])
    for short, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * width):
            return bytes([major * 32 + short]) + argument.to_bytes(width, "big")
    raise ValueError("no such integer in this CBOR")


# --- Ed25519, RFC 8032 §5.1, strict as §7 asks for --------------------------------------------------------------------
#
# Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)


def check_ed25519(public_key, message, signature):
    """Raises unless S·B = R + k·A, with S below the order, A and R canonical and not of small order, no cofactor."""
    key = key_table(public_key)
    encoded_r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        raise Fault("signature", "the signature does not verify: S is not below the group's order")
    r = decode_point(encoded_r)
    if r is None:
        raise Fault("signature", "the signature does not verify: R is no canonical point")
    if is_small(r):
        raise Fault("signature", "the signature does not verify: R is of small order")
    k = int.from_bytes(hashlib.sha512(encoded_r + public_key + message).digest(), "little") % ORDER
    # The table is that of −A.
    if not same_point(multiply(key, k, multiply(base_table(), s, NEUTRAL)), r):
        raise Fault("signature", "the signature does not verify")


def key_table(public_key, tables={}):  # the default is the cache
    if public_key not in tables:
        point = decode_point(public_key)
        if point is None:
            raise Fault("signature", "the public key is no canonical point")
        if is_small(point):
            raise Fault("signature", "the public key is of small order")
        x, y, z, t = point
        tables[public_key] = table_of((-x % P, y, z, -t % P))
    return tables[public_key]


def base_table(cache=[]):
    if not cache:
        cache.append(table_of(decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))))
    return cache[0]


def table_of(point):
    """For each of the 64 hex digits of a scalar, the 16 multiples of the point that the digit can stand for."""
    table = []
    for _ in range(64):
        row = [NEUTRAL]
        for _ in range(15):
            row.append(add(row[-1], point))
        table.append(row)
        point = add(row[-1], point)
    return table


def multiply(table, scalar, total):
    for row in table:
        total = add(total, row[scalar & 15])
        scalar >>= 4
    return total


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e = (y1 - x1) * (y2 - x2) % P
    f = (y1 + x1) * (y2 + x2) % P
    g = 2 * D * t1 * t2 % P
    h = 2 * z1 * z2 % P
    i, j, k, l = f - e, h - g, h + g, f + e
    return i * j % P, k * l % P, j * k % P, i * l % P


def same_point(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def is_small(point):
    for _ in range(3):
        point = add(point, point)
    return same_point(point, NEUTRAL)


def is_usable(public_key):
    point = decode_point(public_key)
    return point is not None and not is_small(point)


def decode_point(data):
    """The point, or None if the 32 bytes are not the canonical encoding of one."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    # x² = (y² − 1) / (d y² + 1); the root as in RFC 8032 §5.1.3.
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * SQRT_MINUS_1 % P
    if v * x * x % P != u:
        return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


if __name__ == "__main__":
    sys.exit(main())
