#!/usr/bin/env python3
"""Damaged exports, to try verifiers of exports on.

    python3 damage.py make EXPORT SECRET_KEY DIR            every kind of damage, a file each
    python3 damage.py bytes EXPORT SEED COUNT DIR           files with one byte changed
    python3 damage.py events EXPORT SECRET_KEY SEED COUNT DIR
                                                            files with one event changed, chained and signed anew
    python3 damage.py judge DIR                             what verify_export.py says to each file

The first three write DIR/cases.jsonl: one JSON object a file, with its name, whether it must be refused (absent where
the two verifiers only have to agree), and a head to trust. `judge` answers in the same order, one report a line.

The key is the one the export was signed with, so that some of the damage is what only its owner could do.
"""

import base64
import hashlib
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import verify_export as v  # noqa: E402


def main(arguments):
    command, rest = (arguments[:1] or [""])[0], arguments[1:]
    if command == "make" and len(rest) == 3:
        export, key, folder = rest
        write_cases(folder, every_kind(Export.read(export, bytes.fromhex(key))))
    elif command == "bytes" and len(rest) == 4:
        export, seed, count, folder = rest
        write_cases(folder, changed_bytes(read(export), random.Random(int(seed)), int(count)))
    elif command == "events" and len(rest) == 5:
        export, key, seed, count, folder = rest
        export = Export.read(export, bytes.fromhex(key))
        write_cases(folder, changed_events(export, random.Random(int(seed)), int(count)))
    elif command == "judge" and len(rest) == 1:
        judge(rest[0])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write_cases(folder, cases):
    os.makedirs(folder)
    with open(os.path.join(folder, "cases.jsonl"), "w", encoding="utf-8") as list_of_cases:
        for number, (name, refused, data, trust) in enumerate(cases):
            file = "%04d.jsonl" % number
            with open(os.path.join(folder, file), "wb") as out:
                out.write(data)
            case = {"file": file, "name": name, "trust": trust}
            if refused is not None:
                case["refused"] = refused
            print(json.dumps(case), file=list_of_cases)


def judge(folder):
    with open(os.path.join(folder, "cases.jsonl"), encoding="utf-8") as cases:
        for case in map(json.loads, cases):
            trust = v.read_note(case["trust"].encode()) if case["trust"] else None
            with open(os.path.join(folder, case["file"]), "rb") as export:
                print(json.dumps(v.verify(export, trust)))


# --- exports as something to bend -------------------------------------------------------------------------------------


class Export:
    """The lines of an export, and what they stand for."""

    def __init__(self, secret, events, ends, ledger=None):
        self.secret = secret
        self.ledger = ledger or v.decode(events[0])["ledger"]  # that of the heads
        self.events = events  # bytes
        self.ends = ends  # indexes of the last events of the batches

    @classmethod
    def read(cls, path, secret):
        columns = [json.loads(line) for line in read(path).decode().splitlines()]
        export = cls(secret, [bytes.fromhex(line["bytes"]) for line in columns],
                     [at for at, line in enumerate(columns) if line["head"] is not None])
        assert b"".join(export.lines()) == read(path), "the key is not the export's"
        return export

    def event(self, at):
        return v.decode(self.events[at])

    def lines(self, heads=None):
        """The export, with the heads given or those that the key would sign."""
        heads = heads or self.heads()
        return [line_of(data, heads.get(at)) for at, data in enumerate(self.events)]

    def heads(self, secret=None):
        tree, heads = v.Tree(), {}
        for at, data in enumerate(self.events):
            tree.append(v.sha256(b"\x00" + data))
            if at in self.ends:
                heads[at] = note(self.ledger, at + 1, tree.root(), secret or self.secret)
        return heads

    def with_event(self, at, data, rechain=True):
        """With other bytes for one event; those behind it are linked anew."""
        events = list(self.events)
        events[at] = data
        for behind in range(at + 1, len(events)) if rechain else ():
            events[behind] = v.encode({**v.decode(events[behind]), "prev": v.sha256(b"\x00" + events[behind - 1])})
        return Export(self.secret, events, self.ends, self.ledger)

    def cut(self, at, *instead):
        """With these kinds and bodies from event `at` on, and nothing behind them."""
        events = self.events[:at]
        for fields in instead:
            link = {"seq": len(events), "prev": v.sha256(b"\x00" + events[-1])}
            events.append(v.encode({**self.event(at), **link, **fields}))
        ends = [end for end in self.ends if end < at] + [len(events) - 1]
        return Export(self.secret, events, ends, self.ledger)

    def with_fields(self, at, /, **fields):
        return self.with_event(at, v.encode({**self.event(at), **fields}))


def line_of(data, head, like=None):
    """The line of an event, or of bytes that are none: then with the columns of the event it is made from."""
    event = like or v.decode(data)
    columns = v.implied_columns(event, v.sha256(b"\x00" + data), data, head)
    return v.implied_line(columns).encode() + b"\n"


def public_key(secret):
    return encode_point(times_base(clamped(secret)[0]))


def note(ledger, size, root, secret, name=None, public=None, signature=None):
    public = public or public_key(secret)
    name = name or "glyph-actor/" + v.sha256(public).hex()
    text = "glyph-ledger/%s\n%d\n%s\n" % (ledger.hex(), size, base64.b64encode(root).decode())
    signature = signature(text.encode()) if signature else sign(secret, text.encode())
    hint = v.sha256(name.encode() + b"\n\x01" + public)[:4]
    return "%s\n\u2014 %s %s\n" % (text, name, base64.b64encode(hint + signature).decode())


# --- Ed25519 with a secret key ----------------------------------------------------------------------------------------


def clamped(secret):
    digest = hashlib.sha512(secret).digest()
    scalar = int.from_bytes(digest[:32], "little") & ~7 & (1 << 254) - 1 | 1 << 254
    return scalar, digest[32:]


def sign(secret, message):
    scalar, prefix = clamped(secret)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % v.ORDER
    encoded_r = encode_point(times_base(r))
    return encoded_r + to_scalar(r + challenge(encoded_r, public_key(secret), message) * scalar)


def challenge(encoded_r, public, message):
    return int.from_bytes(hashlib.sha512(encoded_r + public + message).digest(), "little") % v.ORDER


def to_scalar(number):
    return (number % v.ORDER).to_bytes(32, "little")


def times_base(scalar):
    return v.multiply(v.base_table(), scalar % v.ORDER, v.NEUTRAL)


def encode_point(point):
    x, y, z, _ = point
    inverse = pow(z, v.P - 2, v.P)
    return (y * inverse % v.P | (x * inverse % v.P & 1) << 255).to_bytes(32, "little")


# --- every kind of damage ---------------------------------------------------------------------------------------------


def every_kind(export):
    """Cases: name, whether it must be refused, the bytes, a head to trust."""
    for part in (unharmed, texts, columns, lines, signatures, signed_by_the_owner, cbor, trusted, whole_ledgers):
        for case in part(export):
            yield tuple(case) + (None,) * (4 - len(case))


def unharmed(export):
    lines = export.lines()
    first_end = export.ends[0]
    last = export.heads()[export.ends[-1]]
    yield "unharmed", False, b"".join(lines)
    yield "unharmed, with its head", False, b"".join(lines), last
    yield "cut after a batch: a harmless prefix", False, b"".join(lines[:first_end + 1])
    yield "cut after a batch, with the head of the whole", True, b"".join(lines[:first_end + 1]), last


def texts(export):
    """Damage to the file as text."""
    lines = export.lines()
    whole = b"".join(lines)
    middle = len(lines) // 2

    def at(number, change):
        return b"".join(lines[:number] + [change(lines[number])] + lines[number + 1:])

    def swap(old, new):
        def change(line):
            assert old in line, old
            return line.replace(old, new, 1)
        return change

    seq = b'"seq":%d,' % middle
    yield "empty", True, b""
    yield "an empty line only", True, b"\n"
    yield "cut in the middle of a line", True, whole[:len(whole) - len(lines[-1]) // 2]
    yield "cut before the last newline", True, whole[:-1]
    yield "an empty line at the end", True, whole + b"\n"
    yield "garbage at the end", True, whole + b"garbage"
    yield "garbage at the end of a line", True, at(middle, lambda line: line[:-1] + b"x\n")
    yield "a space at the end of a line", True, at(middle, lambda line: line[:-1] + b" \n")
    yield "CRLF", True, whole.replace(b"\n", b"\r\n")
    yield "a byte order mark", True, b"\xef\xbb\xbf" + whole
    yield "not UTF-8", True, at(middle, swap(b"glyph-ledger", b"glyph-\xffedger"))
    yield "a surrogate in UTF-8", True, at(middle, swap(b"glyph-ledger", b"glyph-\xed\xa0\x80ledger"))
    yield "an escaped surrogate", True, at(middle, swap(b"glyph-ledger", b"\\ud800glyph-ledger"))
    yield "a NUL", True, at(middle, swap(b"glyph-ledger", b"glyph\0ledger"))
    yield "UTF-16", True, whole.decode().encode("utf-16")
    yield "an array for an object", True, at(middle, lambda line: b"[" + line[:-1] + b"]\n")
    yield "deeply nested", True, at(middle, lambda line: b"[" * 60000 + b"\n")
    yield "a huge number", True, at(middle, swap(seq, b'"seq":%s,' % (b"1" * 6000)))
    yield "a line too long", True, at(middle, lambda line: line[:-1] + b" " * v.LINE_BYTES + b"\n")
    yield "white space in a line", True, at(middle, swap(b'"seq":', b'"seq": '))
    yield "an escape where none is needed", True, at(middle, swap(b'"glyph', b'"\\u0067lyph'))
    yield "an escaped slash", True, at(middle, swap(b"glyph-ledger/", b"glyph-ledger\\/"))
    yield "a key twice, equal", True, at(middle, swap(seq, seq + seq))
    yield "a key twice, the first wrong", True, at(middle, swap(seq, b'"seq":0,' + seq))
    yield "a key twice, the last wrong", True, at(middle, swap(seq, seq + b'"seq":0,'))
    yield "an unknown column", True, at(middle, swap(seq, seq + b'"more":null,'))
    yield "an unknown column at the end", True, at(middle, lambda line: line[:-2] + b',"more":null}\n')
    yield "a column missing", True, at(middle, swap(seq, b""))
    yield "columns in another order", True, at(middle, swap(
        b'{"schema":"glyph-ledger/event/1",' + seq, b"{" + seq + b'"schema":"glyph-ledger/event/1",'))
    for name, number in (("a fraction", b"%d.0"), ("a leading zero", b"0%d"), ("an exponent", b"%de0"),
                         ("a plus", b"+%d"), ("text", b'"%d"'), ("minus", b"-%d")):
        yield "a number with " + name, True, at(middle, swap(seq, b'"seq":' + number % middle + b","))
    data = export.events[middle].hex().encode()
    yield "upper-case hex", True, at(middle, swap(data, data.upper()))
    yield "hex with a space", True, at(middle, swap(data, data[:2] + b" " + data[2:]))
    yield "hex of odd length", True, at(middle, swap(data, data[:-1]))
    yield "no bytes", True, at(middle, swap(data, b""))
    yield "bytes that are null", True, at(middle, swap(b'"' + data + b'"', b"null"))
    flipped = data[:-1] + b"%x" % (int(data[-1:], 16) ^ 1)
    yield "a bit flipped in an event's bytes", True, at(middle, swap(data, flipped))


def columns(export):
    """Each column changed in a line that is otherwise right."""
    last = export.ends[len(export.ends) // 2]
    lines = export.lines()
    right = json.loads(lines[last])
    for name, value in right.items():
        other = {
            int: lambda: value + 1,
            type(None): lambda: "0" * 64,
            str: lambda: value[:-2] + ("1" if value[-2] != "1" else "2") + value[-1],
        }[type(value)]()
        for wrong in (other, None if value is not None else 0, 1, "", [], {}):
            if wrong != value or type(wrong) is not type(value):
                line = json.dumps({**right, name: wrong}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
                yield "column %s is %s" % (name, json.dumps(wrong)[:20]), True, b"".join(
                    lines[:last] + [line] + lines[last + 1:])


def lines(export):
    """Lines and batches that are not where they were."""
    lines = export.lines()
    # The end of a batch of three or more.
    wide = next(end for before, end in zip(export.ends, export.ends[1:]) if end > before + 2)
    for name, at in (("within a batch", wide - 2), ("over a batch's end", wide), ("at the beginning", 0)):
        yield "lines swapped " + name, True, b"".join(
            lines[:at] + [lines[at + 1], lines[at]] + lines[at + 2:])
    last = len(lines) - 1
    for name, at in (("within a batch", wide - 1), ("with a head", wide), ("the first", 0), ("the last", last)):
        if at < len(lines) - 1 or export.ends[-1] - export.ends[-2] > 1:
            yield "a line removed, " + name, True, b"".join(lines[:at] + lines[at + 1:])
        yield "a line doubled, " + name, True, b"".join(lines[:at + 1] + lines[at:])
    start, end = export.ends[1] + 1, export.ends[2] + 1
    yield "a batch removed", True, b"".join(lines[:start] + lines[end:])
    yield "a batch doubled", True, b"".join(lines[:end] + lines[start:])
    yield "batches swapped", True, b"".join(
        lines[:start] + lines[end:export.ends[3] + 1] + lines[start:end] + lines[export.ends[3] + 1:])
    yield "the first batch removed: a part", True, b"".join(lines[export.ends[0] + 1:])
    yield "the whole twice", True, b"".join(lines + lines)
    heads = export.heads()
    ends = export.ends
    for name, changed in (
        ("a head is that of another batch", {**heads, ends[2]: heads[ends[1]]}),
        ("a head stands within a batch", {**heads, wide - 1: heads[wide]}),
        ("the last head is missing", {at: head for at, head in heads.items() if at != ends[-1]}),
    ):
        yield name, True, b"".join(export.lines(changed))
    # The next head covers its events too; where batches ended is not part of what is signed.
    yield "a head within is missing", False, b"".join(export.lines(
        {at: head for at, head in heads.items() if at != ends[2]}))
    # Changed as somebody without the key can change it: columns, links and roots follow, signatures cannot.
    at = wide - 1
    late = export.event(at)["at"] + 0
    other = export.with_event(at, v.encode({**export.event(at), "at": late + 1}), rechain=False)
    yield "an event changed, its line follows", True, b"".join(other.lines(heads))
    yield "the last event of a batch changed, its line follows", True, b"".join(export.with_event(
        wide, v.encode({**export.event(wide), "at": late + 2}), rechain=False).lines(heads))
    other = export.with_fields(at, at=late + 1)
    yield "an event changed, the chain behind it made anew", True, b"".join(other.lines(heads))
    forged = {end: new.rsplit(" ", 1)[0] + " " + heads[end].rsplit(" ", 1)[1] for end, new in other.heads().items()}
    yield "an event changed, chain and roots made anew, old signatures", True, b"".join(other.lines(forged))


def signatures(export):
    """Heads that their signer did not sign, and notes that are none."""
    heads = export.heads()
    end = export.ends[2]
    event = export.event(end)
    ledger, size = event["ledger"], end + 1
    right = heads[end]
    text, block = right.split("\n\n")
    text += "\n"
    root = base64.b64decode(text.split("\n")[2])
    scalar = clamped(export.secret)[0]
    public = public_key(export.secret)
    name = "glyph-actor/" + v.sha256(public).hex()

    def case(what, new, refused=True):
        return what, refused, b"".join(export.lines({**heads, end: new}))

    def signed(signature):
        return note(ledger, size, root, export.secret, signature=signature)

    def own(message):
        return sign(export.secret, message)

    def high_s(message):
        signature = own(message)
        return signature[:32] + (int.from_bytes(signature[32:], "little") + v.ORDER).to_bytes(32, "little")

    def small_r(point):
        # R of order 1, 2, 4 or 8: where k times A and R fit together, a check that is not strict is content.
        def make(message):
            return point + to_scalar(challenge(point, public, message) * scalar)
        return make

    yield case("a signature changed", signed(lambda m: bytes([own(m)[0] ^ 1]) + own(m)[1:]))
    yield case("a signature of zeros", signed(lambda m: bytes(64)))
    yield case("S above the group's order", signed(high_s))
    yield case("R is the neutral point", signed(small_r((1).to_bytes(32, "little"))))
    yield case("R is the neutral point, not canonical", signed(small_r((1 | 1 << 255).to_bytes(32, "little"))))
    yield case("R is the neutral point, y above p", signed(small_r((v.P + 1).to_bytes(32, "little"))))
    yield case("R is of order 2", signed(small_r((v.P - 1).to_bytes(32, "little"))))
    yield case("a signature over another text", signed(lambda m: own(m + b"\n")))
    other = bytes([0x77]) * 32
    yield case("another key's signature under the actor's name and hint", signed(lambda m: sign(other, m)))
    yield case("another key's signature and hint under the actor's name",
               note(ledger, size, root, other, name=name))
    yield case("another key's head under its own name", note(ledger, size, root, other))
    yield case("another root, signed by the key", note(ledger, size, v.sha256(b"other"), export.secret))
    other_root = base64.b64encode(v.sha256(b"o")).decode()
    yield case("another root, old signature", right.replace(text.split("\n")[2], other_root))
    yield case("another size, signed by the key", note(ledger, size + 1, root, export.secret))
    yield case("another ledger, signed by the key", note(v.sha256(b"other"), size, root, export.secret))
    other_hint = base64.b64encode(b"\0\0\0\0" + own(text.encode())).decode() + "\n"
    hint_of_other = right.replace(block.split(" ")[2], other_hint)
    yield case("another hint", hint_of_other)
    witness = "\u2014 witness.example/w %s\n" % base64.b64encode(b"hint" + bytes(64)).decode()
    yield case("a witness beside the actor", right + witness, False)
    yield case("a witness before the actor", text + "\n" + witness + block, False)
    yield case("a witness with a short signature", right + "\u2014 w %s\n" % base64.b64encode(b"hint1").decode(), False)
    yield case("a witness with no signature", right + "\u2014 w %s\n" % base64.b64encode(b"hint").decode())
    yield case("a witness without a name", right + "\u2014  %s\n" % base64.b64encode(b"hint1").decode())
    yield case("a witness with a plus", right + "\u2014 w+w %s\n" % base64.b64encode(b"hint1").decode())
    white = "\x85\xa0\u1680\u2000\u2028\u202f\u205f\u3000"
    for space in white + "\u180e\u200b\ufeff\x7f":
        line = "\u2014 w%sw %s\n" % (space, base64.b64encode(b"hint1").decode())
        yield case("U+%04X in a name" % ord(space), right + line, space in white)
    yield case("the actor twice", right + block)
    yield case("a second actor", right + "\u2014 glyph-actor/%s %s\n" % ("0" * 64, base64.b64encode(b"hint1").decode()))
    yield case("an actor that is no key id", right + "\u2014 glyph-actor/w %s\n" % base64.b64encode(b"hint1").decode())
    yield case("no actor", text + "\n" + witness)
    yield case("no signature", text + "\n")
    yield case("no final newline", right[:-1])
    yield case("an empty line at the end", right + "\n")
    yield case("an extension line", right.replace("\n\n", "\nextension\n\n"))
    yield case("a hyphen for a dash", right.replace("\u2014", "-"))
    yield case("two spaces before the signature", right.replace(block.split(" ")[2], " " + block.split(" ")[2]))
    yield case("a tab in the note", right.replace("\u2014 ", "\u2014\t"))
    yield case("CRLF in the note", right.replace("\n", "\r\n"))
    yield case("size with a leading zero", right.replace("\n%d\n" % size, "\n0%d\n" % size))
    yield case("size with a plus", right.replace("\n%d\n" % size, "\n+%d\n" % size))
    yield case("size beyond 64 bits", right.replace("\n%d\n" % size, "\n%d\n" % (size + 2**64)))
    yield case("upper-case ledger id", right.replace(ledger.hex(), ledger.hex().upper()))
    yield case("a root with bits after its end", right.replace(
        text.split("\n")[2], spare_bits(text.split("\n")[2])))
    yield case("a signature with bits after its end", right.replace(
        block.split(" ")[2], spare_bits(block.split(" ")[2])))
    yield case("a root without padding", right.replace(text.split("\n")[2], text.split("\n")[2].rstrip("=")))
    yield case("a signature without padding", right.replace(block.split(" ")[2], block.split(" ")[2].replace("=", "")))
    yield case("a long signature", signed(lambda m: own(m) + b"\0"))
    yield case("a short signature", signed(lambda m: own(m)[:-1]))
    fill = (v.NOTE_BYTES - len(right.encode()) - len("\u2014 w \n".encode())) // 4 * 3
    long = right + "\u2014 w %s\n" % base64.b64encode(bytes(fill)).decode()
    yield case("a note as long as allowed", long + "", len(long.encode()) > v.NOTE_BYTES)
    yield case("a note longer than allowed", right + "\u2014 w %s\n" % base64.b64encode(bytes(fill + 6)).decode())


def spare_bits(text):
    """The same base64 with a bit set that stands for nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bare = text.rstrip("=\n")
    assert bare != text.rstrip("\n"), "no spare bits in this length"
    return bare[:-1] + alphabet[alphabet.index(bare[-1]) + 1] + text[len(bare):]


def signed_by_the_owner(export):
    """What only the owner of the key could do, and what even it may not. All of it is chained and signed anew."""
    last = len(export.events) - 1
    middle = export.ends[2]
    event = export.event(middle)

    def case(what, changed):
        return what, True, b"".join(changed.lines())

    yield case("time goes back", export.with_fields(middle, at=export.event(middle - 1)["at"] - 1))
    yield case("a later seq", export.with_fields(last, seq=last + 1))
    yield case("an earlier seq", export.with_fields(last, seq=last - 1))
    yield case("another prev", export.with_fields(last, prev=v.sha256(b"other")))
    yield case("another ledger", export.with_fields(last, ledger=v.sha256(b"other")))
    yield case("another actor", export.with_fields(last, actor=v.sha256(b"other")))
    yield case("another actor in event 0", export.with_fields(0, actor=v.sha256(b"other")))
    yield case("another nonce", export.with_fields(0, body={**export.event(0)["body"], "nonce": bytes(16)}))
    yield case("ledger.created again", export.with_fields(last, kind="ledger.created", body=export.event(0)["body"]))
    other = bytes([0x77]) * 32
    rogue = export.with_fields(last, actor=v.sha256(public_key(other)))
    heads = rogue.heads()
    heads[last] = rogue.heads(other)[last]
    yield "an event by a key that may not sign", True, b"".join(rogue.lines(heads))
    foreign = export.with_fields(0, ledger=v.commit_hash("ledger_id", [public_key(export.secret), bytes(16)]),
                                 body={"nonce": bytes(16), "public_key": public_key(export.secret)}).lines()[0]
    lines = export.lines()
    yield "another ledger's event in its place", True, b"".join([foreign] + lines[1:])
    yield "another ledger's event between", True, b"".join(lines[:2] + [foreign] + lines[2:])
    for name, fields in (
        ("format 0", {"format": 0}), ("format 2", {"format": 2}), ("format true", {"format": True}), ("a time too late", {"at": v.AT_MAX + 1}),
        ("a negative time", {"at": -1}), ("a seq too large", {"seq": v.SEQ_MAX + 1}),
        ("an unknown kind", {"kind": "state.remembered"}), ("a kind of another body", {"kind": "run.aborted"}),
        ("an empty body", {"body": {}}), ("a body that is a list", {"body": []}), ("prev as text", {"prev": "0" * 32}),
        ("a short prev", {"prev": bytes(31)}), ("an unknown field", {"note": "x"}),
        ("too large", {"kind": "run.aborted", "body": {"run": bytes(32), "code": "X", "message": "x" * 4096}}),
        ("an unknown field in the body", {"body": {**event["body"], "zzz": None}}),
    ):
        changed = export.with_event(middle, v.encode({**event, **fields}))
        heads = changed.heads()
        try:
            lines = changed.lines(heads)
        except (KeyError, AttributeError, TypeError):  # no columns follow from it; then those of the event it was
            lines = [line_of(data, heads.get(at), event if at == middle else None)
                     for at, data in enumerate(changed.events)]
        yield "an event with " + name, True, b"".join(lines)
    for case in out_of_place(export):
        yield case
    for case in documents_out_of_place(export):
        yield case
    for field in event:
        fields = {name: value for name, value in event.items() if name != field}
        changed = export.with_event(middle, v.encode(fields))
        heads = changed.heads()
        yield "an event without " + field, True, b"".join(
            line_of(data, heads.get(at), event if at == middle else None) for at, data in enumerate(changed.events))


def out_of_place(export):
    """Events that are well-formed and may not stand where they stand."""
    kinds = [export.event(at)["kind"] for at in range(len(export.events))]

    def of(at):
        return {"kind": kinds[at], "body": export.event(at)["body"]}

    def case(what, at, *instead, refused=True):
        return what, refused, b"".join(export.cut(at, *instead).lines())

    adopted = kinds.index("store.adopted")
    log = next(at for at in range(adopted) if "log" in export.event(at)["body"].get("state", {}))
    one_more = {"kind": "store.adopted", "body": {**export.event(adopted)["body"], "objects": 4}}
    document = next(at for at in range(adopted) if "document" in export.event(at)["body"].get("state", {}))
    for what, like, refused in (("log", log, True), ("document", document, False)):
        other = {"kind": "object.observed", "body": {**export.event(like)["body"], "object": "other"}}
        yield case("a second %s" % what, adopted, other, one_more, refused=refused)
    staged = kinds.index("object.staged")
    committed = next(at for at in range(staged, len(kinds)) if kinds[at] == "run.committed")
    started = max(at for at in range(committed) if kinds[at] == "run.started")
    run = v.sha256(b"\x00" + export.events[started])
    step = {"kind": "object.staged", "body": {**export.event(staged)["body"], "run": run, "object": "other", "step": 0}}
    yield case("a run up to its commit", committed, of(committed), refused=False)
    yield case("steps of an object that is not migrated", committed, step, of(committed))
    yield case("steps of an object that is not migrated, before the commit", committed, step, refused=False)
    yield case("two commits", committed, of(committed), of(committed))
    yield case("a run within a run", committed, of(started))
    yield case("a run aborted after its commit", committed, of(committed), {
        "kind": "run.aborted", "body": {"run": run, "code": "X", "message": ""}})
    commit = export.event(committed)["body"]
    for name, fields in (("another certificate", {"certificate": bytes(32)}), ("a place more", {"places": 4}), (
            "another audit file", {"audit": {**commit["audit"], "content": bytes(32)}})):
        yield case("a commit with " + name, committed, {"kind": "run.committed", "body": {**commit, **fields}})
    state = v.State()
    for event, data in zip(map(v.decode, export.events[:committed]), export.events):
        state.step(event, event["body"], v.sha256(b"\x00" + data))
    for name, size, digest, refused in (
        ("a state recorded", committed, state.digest(), False), ("another state recorded", committed, bytes(32), True),
        ("a state recorded of another size", committed - 1, state.digest(), True),
    ):
        yield case(name, committed, {"kind": "state.recorded", "body": {"size": size, "digest": digest}}, refused=refused)
    database = next(at for at in range(adopted) if "database" in export.event(at)["body"].get("state", {}))
    frozen = export.event(kinds.index("contract.frozen"))["body"]["digest"]
    held, version = state.store["objects"][export.event(database)["body"]["object"]], state.store["version"]
    drifted = {"database": {**held["database"], "schema": v.sha256(b"another structure")}}

    def accepted(**fields):
        return {"kind": "drift.accepted", "body": {
            "object": export.event(database)["body"]["object"], "reason": "by hand", "version": version,
            "contract": frozen, "state": drifted, **fields}}

    yield case("drift accepted", started, accepted(), refused=False)
    yield case("drift to another version accepted", started, accepted(state=held, version="9"), refused=False)
    yield case("drift accepted where there is none", started, accepted(state=held))
    yield case("drift accepted twice", started, accepted(), accepted())
    yield case("drift of an object unknown", started, accepted(object="other"))
    yield case("drift of a document", started, accepted(object=export.event(document)["body"]["object"]))
    yield case("drift to a document", started, accepted(state=export.event(document)["body"]["state"]))
    yield case("drift under a contract that is not frozen", started, accepted(contract=bytes(32)))
    yield case("drift accepted while a run is open", committed, accepted())
    yield case("drift accepted before the store is published", committed, of(committed), accepted())
    given_up = {"kind": "run.abandoned", "body": {"run": run, "places": 0, "reason": "", "version": "9"}}
    yield case("drift accepted before what a run left", committed, of(committed), given_up, accepted())
    yield case("a run abandoned before its commit", committed, given_up)
    yield case("a run abandoned after its commit", committed, of(committed), given_up, refused=False)
    yield case("an abandoned run's objects not observed", committed, of(committed), given_up, of(started))
    seen = {"kind": "object.observed", "body": {**export.event(log)["body"], "cause": "abandoned"}}
    yield case("an abandoned run's log observed, shorter", committed, of(committed), given_up, seen, refused=False)
    yield case("an abandoned run's log observed twice", committed, of(committed), given_up, seen, seen)
    yield case("a log that shrinks", committed, {
        "kind": "object.observed", "body": {**seen["body"], "cause": "data_change", "state": {
            "log": {**seen["body"]["state"]["log"], "bytes": 0}}}})
    yield case("an observation that a run left, without one", committed, seen)


def documents_out_of_place(export):
    """The same for what an open store and its runs have, told behind the first contract that is frozen."""
    kinds = [export.event(at)["kind"] for at in range(len(export.events))]
    adopted, frozen = kinds.index("store.adopted"), kinds.index("contract.frozen")
    begun = next((at for at in range(frozen) if kinds[at] == "run.started"), None)
    assert begun is None, "the export's first run is before its first contract"
    log = next(at for at in range(adopted) if "log" in export.event(at)["body"].get("state", {}))
    contract = export.event(frozen)["body"]["digest"]
    of = {at: {"kind": kinds[at], "body": export.event(at)["body"]} for at in range(frozen + 1)}
    is_open = {"kind": "store.adopted", "body": {**of[adopted]["body"], "open": True, "version": v.MIXED}}
    edge = v.sha256(b"edge")
    content = v.sha256(b"")

    def history(*instead, store=is_open):
        """With another store.adopted, and these behind the frozen contract."""
        before = [at for at in range(adopted, frozen + 1) if kinds[at] != "state.recorded"]
        before = [store if at == adopted else of[at] for at in before]
        return export.cut(adopted, *before, *instead)

    def case(what, *instead, refused=True, store=is_open):
        return "documents: " + what, refused, b"".join(history(*instead, store=store).lines())

    def joined(name="a.json", state=None, cause="joined"):
        state = state or {"document": {"mode": 420, "bytes": 0, "content": content}}
        return {"kind": "object.observed", "body": {"cause": cause, "state": state, "object": name}}

    started_body = {
        "to": v.MIXED, "from": v.MIXED, "plan": edge, "seed": edge, "policy": edge, "objects": 1, "purpose": "migrate",
        "clock_ms": 0, "environment": content}

    def started(**fields):
        return {"kind": "run.started", "body": {**started_body, **fields}}

    def run_of(*before):
        """The id of the run that the last of these starts."""
        return v.sha256(b"\x00" + history(*before).events[-1])

    def route(run, **fields):
        return {"kind": "run.route", "body": {
            "to": "2", "run": run, "from": "1", "edges": [edge], "route": 0, "contract": contract, **fields}}

    def migrated(run, **fields):
        body = {"run": run, "loss": edge, "lost": 0, "route": 0, "object": "a.json",
                "source": joined()["body"]["state"], "target": {"document": {"mode": 420, "bytes": 1, "content": edge}}, "operator": "o", "verdicts": {},
                "reads_inputs": False, **fields}
        return {"kind": "object.migrated", "body": {name: item for name, item in body.items() if item is not None}}

    def state_behind(*instead):
        state = v.State()
        for data in history(*instead).events:
            event = v.decode(data)
            state.step(event, event["body"], v.sha256(b"\x00" + data))
        return state

    def committed(run, *before, **fields):
        certificate = v.certificate_of(state_behind(*before).certificates["claims"])
        return {"kind": "run.committed", "body": {"run": run, "places": 1, "certificate": certificate, **fields}}

    def recorded(*before):
        events = history(*before).events
        return {"kind": "state.recorded", "body": {"size": len(events), "digest": state_behind(*before).digest()}}

    closed = of[adopted]
    yield case("an open store", refused=False)
    yield case("an open store of a version", store={**is_open, "body": {**is_open["body"], "version": "1"}})
    yield case("a store that is said not to be open", store={**is_open, "body": {**is_open["body"], "open": False}})
    yield case("one joins", joined(), refused=False)
    yield case("one joins a store that is not open", joined(), store=closed)
    yield case("one joins twice", joined(), joined())
    yield case("one joins that has a baseline", joined("manifest.yaml"))
    yield case("a database joins", joined(state={"database": {"rows": edge, "schema": edge, "page_root": edge}}))
    yield case("a log joins", joined(state={"log": {"tail": content, "bytes": 0, "content": content}}))
    yield case("one joins before the store is adopted", refused=True, store=joined())
    yield case("a baseline behind store.adopted", joined(cause="baseline"))
    yield case("one joins during a run", joined(), started(), joined("b.json"))
    yield case("a run without a contract", started(), refused=False)
    yield case("a run without a contract in a store that is not open", started(
        **{"from": closed["body"]["version"]}), store=closed)
    yield case("a run with a contract", started(contract=contract), refused=False)
    yield case("a run with a contract that is not frozen", started(contract=edge))
    yield case("a run to a version", started(to="2"))
    begin = (joined(), started())
    run = run_of(*begin)
    first = (*begin, route(run))
    yield case("a route", *first, refused=False)
    yield case("a route of no edge", *begin, route(run, edges=[]), refused=False)
    yield case("a route of 64 edges", *begin, route(run, edges=[edge] * 64), refused=False)
    yield case("a route of 65 edges", *begin, route(run, edges=[edge] * 65))
    yield case("a route that begins at 1", *begin, route(run, route=1))
    yield case("a route of a contract that is not frozen", *begin, route(run, contract=edge))
    yield case("a route of another run", *begin, route(edge))
    yield case("a route without a run", joined(), route(edge))
    yield case("a route that goes on", *first, route(run), refused=False)
    yield case("a second route", *first, route(run, route=1, to="3"), refused=False)
    yield case("a route left out", *first, route(run, route=2))
    yield case("an earlier route goes on", *first, route(run, route=1), route(run))
    for name in ("to", "from"):
        yield case("a route goes on with another " + name, *first, route(run, **{name: "9"}))
    follows = (joined(), started(contract=contract))
    yield case("a route in a run with a contract", *follows, route(run_of(*follows)))
    back = (joined(), started(purpose="rollback", changes="keep"))
    yield case("a route in a rollback", *back, route(run_of(*back)))
    moved = (*first, migrated(run))
    yield case("an object that takes a route", *moved, refused=False)
    yield case("an object that takes no route", *first, migrated(run, route=None))
    yield case("an object that takes a route that is not there", *first, migrated(run, route=1))
    yield case("an object that takes a route without any", *begin, migrated(run))
    yield case("an object with a route in a run with a contract", *follows, migrated(run_of(*follows)))
    yield case("an object with a route in a rollback", *back, migrated(run_of(*back)))
    one = {"naming": "file_bytes", "old_hash": content, "new_hash": edge}
    other = {"naming": "object_digest", "old_hash": content, "new_hash": edge}
    yield case("an object with another name", *first, migrated(run, renamed=[one]), refused=False)
    yield case("an object with two", *first, migrated(run, renamed=[one, other]), refused=False)
    sixteen = [{**one, "naming": "%02d" % at} for at in range(17)]
    yield case("an object with 16", *first, migrated(run, renamed=sixteen[:16]), refused=False)
    yield case("an object with 17", *first, migrated(run, renamed=sixteen))
    yield case("an object with no other name that says so", *first, migrated(run, renamed=[]))
    yield case("an object with another name twice", *first, migrated(run, renamed=[one, one]))
    yield case("an object with other names out of order", *first, migrated(run, renamed=[other, one]))
    yield case("an object renamed to what it was", *first, migrated(run, renamed=[{**one, "new_hash": content}]))
    yield case("an object renamed that stays", *first, migrated(
        run, renamed=[one], target=joined()["body"]["state"]))
    yield case("an object renamed without a route", *back, migrated(run_of(*back), route=None, renamed=[one]))
    returned = (*back, migrated(run_of(*back), route=None))
    yield case("an object without one in a rollback", *returned, refused=False)
    yield case("a rollback by no contract", *returned, committed(run_of(*back), *returned), refused=False)
    two = (joined(), joined("b.json"), started(objects=2))
    other = run_of(*two)
    yield case("a route behind an object", *two, route(other), migrated(other), route(other, route=1))
    yield case("a step in a run without a contract", *first, {"kind": "object.staged", "body": {
        "run": run, "edge": edge, "step": 0, "object": "a.json", "result": {"document": {"content": edge}}}})
    done = (*moved, committed(run, *moved))
    yield case("a run is committed", *done, refused=False)
    yield case("with another certificate", *moved, committed(run, *moved, certificate=edge))
    # The certificate of the same object by another route.
    detour = (*begin, route(run, edges=[edge, edge]), migrated(run))
    yield case("with the certificate of another route", *detour, committed(run, *moved))
    yield case("with the certificate of that route", *detour, committed(run, *detour), refused=False)
    yield case("one joins before a run is published", *done, joined("b.json"))
    yield case("a run is published", *done, {"kind": "run.published", "body": {"run": run, "places": 1}}, refused=False)
    given_up = {"kind": "run.abandoned", "body": {"run": run, "places": 0, "reason": "", "version": v.MIXED}}
    gone = (*done, given_up)
    yield case("a run is abandoned", *gone, refused=False)
    yield case("a run is abandoned at a version", *done, {**given_up, "body": {**given_up["body"], "version": "2"}})
    yield case("an abandoned run's object not observed", *gone, joined("b.json"))
    settled = (*gone, joined(cause="abandoned"))
    yield case("an abandoned run's object observed, and no other", *settled, joined("b.json"), refused=False)
    yield case("an object that is not the abandoned run's", *gone, joined("manifest.yaml", cause="abandoned"))
    yield case("an abandoned run's object observed twice", *settled, joined(cause="abandoned"))
    held = of[log]["body"]["state"]["log"]
    line = {"line": "x\n", "bytes": held["bytes"], "object": of[log]["body"]["object"], "content": held["content"]}
    noted = (*moved, committed(run, *moved, audit=line), given_up)
    seen = {"kind": "object.observed", "body": {**of[log]["body"], "cause": "abandoned"}}
    yield case("an abandoned run's log not observed", *noted, joined(cause="abandoned"), joined("b.json"))
    noted = (*noted, joined(cause="abandoned"), seen)
    yield case("an abandoned run's log observed", *noted, joined("b.json"), refused=False)
    proof = {"kind": "proof.recorded", "body": {
        "pass": True, "proof": edge, "object": "a.json", "contract": edge, "fingerprint": edge}}
    yield case("a proof", proof, refused=False)
    yield case("a proof within a run", *first, proof, refused=False)
    yield case("a proof before an abandoned run's objects", *gone, proof)
    for name, before in (("a route", first), ("an object", moved), ("a commit", done), ("a run given up", gone),
                         ("one who joined", (joined(),)), ("the rest", settled)):
        right = recorded(*before)
        other = {**right, "body": {**right["body"], "digest": edge}}
        yield case("a state recorded behind " + name, *before, right, refused=False)
        yield case("another state recorded behind " + name, *before, other)


def cbor(export):
    """The same event in another encoding, chained and signed anew."""
    at = export.ends[2]
    event, right = export.event(at), export.events[at]
    items = {name: (v.encode(name), v.encode(value)) for name, value in event.items()}
    in_order = [items[name] for name in sorted(items, key=v.encode)]

    def joined(entries, head=b"\xa8", tail=b""):
        return head + b"".join(name + value for name, value in entries) + tail

    def changed(name, value):
        return joined([(key, value if key == v.encode(name) else item) for key, item in in_order])

    assert joined(in_order) == right
    kind = event["kind"].encode()
    for name, data in (
        ("a number in a longer form", changed("format", b"\x18\x01")),
        ("a number in 64 bits", changed("seq", b"\x1b" + at.to_bytes(8, "big"))),
        ("a length in a longer form", changed("kind", b"\x79" + len(kind).to_bytes(2, "big") + kind)),
        ("a map's size in a longer form", joined(in_order, b"\xb8\x08")),
        ("keys in another order", joined(in_order[1:] + in_order[:1])),
        ("a key twice", joined(in_order[:1] + in_order, b"\xa9")),
        ("an indefinite map", joined(in_order, b"\xbf", b"\xff")),
        ("an indefinite text", changed("kind", b"\x7f" + v.encode(event["kind"]) + b"\xff")),
        ("a byte behind it", right + b"\0"),
        ("a byte too few", right[:-1]),
        ("a tag", b"\xd9\xd9\xf7" + right),
        ("a tagged number", changed("format", b"\xc1\x01")),
        ("a short float", changed("format", b"\xf9\x3c\x00")),
        ("a float", changed("format", b"\xfb" + bytes(8))),
        ("undefined", changed("format", b"\xf7")),
        ("null", changed("format", b"\xf6")),
        ("a simple value in two bytes", changed("format", b"\xf8\x14")),
        ("text that is not UTF-8", changed("kind", b"\x62\xff\xfe")),
        ("text as bytes", changed("kind", v.encode(kind))),
        ("a number below -2^63", changed("format", b"\x3b" + b"\xff" * 8)),
        ("a reserved form", changed("format", b"\x1c")),
        ("a length beyond its end", changed("kind", b"\x7b" + b"\xff" * 8)),
        ("a map beyond its end", changed("body", b"\xbb" + b"\xff" * 8)),
        ("a list for the event", v.encode([event[name] for name in sorted(event, key=v.encode)])),
        ("deep nesting", changed("body", b"\xa1\x61x" + b"\x81" * 40 + b"\x00")),
        ("a number as key", joined(in_order + [(b"\x00", b"\x00")], b"\xa9")),
    ):
        damaged = export.with_event(at, data)
        heads = damaged.heads()
        yield "CBOR with " + name, True, b"".join(
            line_of(bytes_of, heads.get(place), event if place == at else None)
            for place, bytes_of in enumerate(damaged.events))
    # The same truth in two bytes: nothing but the encoding is wrong with it.
    at = next(at for at in range(len(export.events)) if export.event(at)["kind"] == "object.migrated")
    before = v.encode("reads_inputs")
    right = export.events[at]
    truth = right.index(before) + len(before)
    data = right[:truth] + bytes([0xf8, right[truth] & 31]) + right[truth + 1:]
    lines = [line_of(right, None) for right in export.events[:at]]
    heads = export.heads()
    for end in [end for end in export.ends if end < at]:
        lines[end] = line_of(export.events[end], heads[end])
    tree = v.Tree()
    for before in export.events[:at] + [data]:
        tree.append(v.sha256(b"\x00" + before))
    head = note(export.ledger, at + 1, tree.root(), export.secret)
    yield "CBOR with true or false in two bytes", True, b"".join(lines) + line_of(data, head, export.event(at))


def trusted(export):
    """A good export, and a head to trust that is not of this history."""
    whole = b"".join(export.lines())
    ledger, size = export.event(0)["ledger"], len(export.events)
    heads = export.heads()
    root = base64.b64decode(heads[size - 1].split("\n")[2])
    other = bytes([0x77]) * 32
    yield "an earlier head is trusted", False, whole, heads[export.ends[1]]
    yield "a head of another history is trusted", True, whole, note(ledger, size, v.sha256(b"other"), export.secret)
    yield "an earlier head of another history is trusted", True, whole, note(ledger, 2, v.sha256(b"o"), export.secret)
    yield "a later head is trusted", True, whole, note(ledger, size + 1, root, export.secret)
    yield "a head of another ledger is trusted", True, whole, note(v.sha256(b"other"), size, root, export.secret)
    yield "a head by another key is trusted", True, whole, note(ledger, size, root, other)
    forged = note(ledger, size, root, export.secret, signature=lambda m: bytes(64))
    yield "a head that nobody signed is trusted", True, whole, forged
    yield "a head over 0 events is trusted", True, whole, note(ledger, 0, v.sha256(b""), export.secret)
    for case in trusted_of_several_keys(export.secret, other):
        yield case


def trusted_of_several_keys(secret, other):
    """Heads over a ledger's own roots, by the key that signed the last event under them and by another one of the ledger."""
    owner, key = public_key(secret), public_key(other)
    ledger = v.commit_hash("ledger_id", [owner, bytes(16)])
    frozen = {"bundle": bytes(32), "digest": bytes(32), "contract": "c", "contract_version": "1"}
    signers, events, tree, roots = (secret, secret, other, secret, secret), [], v.Tree(), []
    for signer, kind, body in zip(
        signers, ("ledger.created", "key.authorized", "contract.frozen", "key.revoked", "contract.frozen"), (
            {"nonce": bytes(16), "public_key": owner}, {"roles": ["append"], "public_key": key}, frozen,
            {"key": v.sha256(key), "reason": ""}, {**frozen, "contract_version": "2"})):
        events.append(v.encode({
            "at": 0, "seq": len(events), "body": body, "kind": kind, "format": 1, "ledger": ledger,
            "actor": v.sha256(public_key(signer)), "prev": v.sha256(b"\x00" + events[-1]) if events else bytes(32)}))
        tree.append(v.sha256(b"\x00" + events[-1]))
        roots.append(tree.root())
    made = Export(secret, events, [1, 2, 4])
    whole = b"".join(made.lines({**made.heads(), 2: made.heads(other)[2]}))
    for size, root in enumerate(roots, 1):
        for whose, by in (("the owner's", secret), ("another key's", other)):
            # Within a batch too: a head over event 0 alone is one that an export may leave out.
            yield "%s head over %d events is trusted" % (whose, size), by != signers[size - 1], whole, note(
                ledger, size, root, by)


def whole_ledgers(export):
    """Ledgers made for the purpose."""
    key = export.secret

    def created(public):
        nonce = bytes(16)
        return v.encode({
            "at": 0, "seq": 0, "body": {"nonce": nonce, "public_key": public}, "kind": "ledger.created",
            "prev": bytes(32), "actor": v.sha256(public), "format": 1, "ledger": v.commit_hash("ledger_id", [public, nonce])})

    def frozen(count):
        events = [created(public_key(key))]
        for seq in range(1, count):
            events.append(v.encode({**v.decode(events[0]), "seq": seq, "prev": v.sha256(b"\x00" + events[-1]),
                                    "kind": "contract.frozen", "body": {
                "bundle": bytes(32), "digest": bytes(32), "contract": "c", "contract_version": str(seq)}}))
        return events

    for size in (v.EVENT_BYTES, v.EVENT_BYTES + 1):
        events = frozen(2)
        body = v.decode(events[1])["body"]
        for _ in range(2):  # the length's own length grows once
            name = "c" * (len(body["contract"]) + size - len(events[1]))
            body = {**body, "contract": name}
            events[1] = v.encode({**v.decode(events[1]), "body": body})
        assert len(events[1]) == size
        yield "an event of %d bytes" % size, size > v.EVENT_BYTES, b"".join(Export(key, events, [1]).lines())
    events = frozen(2002)
    yield "batches of 1,000", False, b"".join(Export(key, events[:2000], [999, 1999]).lines())
    yield "a batch of 1,001", True, b"".join(Export(key, events[:1001], [1000]).lines())
    yield "a second batch of 1,001", True, b"".join(Export(key, events, [1000 - 1, 2000, 2001]).lines())
    yield "1,000 events without a head", True, b"".join(Export(key, events[:1000], []).lines({-1: None}))
    # A key of small order: anybody can sign for it, unless the check is strict.
    for name, public in (
        ("the neutral point", (1).to_bytes(32, "little")), ("a point of order 2", (v.P - 1).to_bytes(32, "little")),
        ("a point of order 4", bytes(32)), ("the neutral point, not canonical", (v.P + 1).to_bytes(32, "little")),
        ("the neutral point with a sign", (1 | 1 << 255).to_bytes(32, "little")),
        ("no point", (2).to_bytes(32, "little")), ("a number above p", b"\xff" * 32),
    ):
        def anybody(message, public=public):
            for r in range(1, 100):
                encoded_r = encode_point(times_base(r))
                if challenge(encoded_r, public, message) % 8 == 0:
                    return encoded_r + to_scalar(r)
            raise AssertionError("no such challenge")
        event = created(public)
        head = note(v.decode(event)["ledger"], 1, v.sha256(b"\x00" + event), key, public=public, signature=anybody)
        yield "the key is " + name, True, line_of(event, head)


# --- random damage ----------------------------------------------------------------------------------------------------


def changed_bytes(whole, dice, count):
    for _ in range(count):
        at = dice.randrange(len(whole))
        other = dice.choice([whole[at] ^ 1 << dice.randrange(8), dice.randrange(256), ord(dice.choice('0"\\ ,9af\n'))])
        name = "byte %d from %02x to %02x" % (at, whole[at], other)
        yield name, other != whole[at], whole[:at] + bytes([other]) + whole[at + 1:], None


def changed_events(export, dice, count):
    """One value somewhere in one event is changed, taken away, added or replaced, or another event stands in its
    place. Chained and signed anew, so that only schemas and rules can tell; whether they must is for the verifiers to
    agree about."""
    for _ in range(count):
        if dice.randrange(3) == 0:
            yield transplanted(export, dice)
            continue
        at = dice.randrange(len(export.events))
        event = export.event(at)
        before = v.encode(event)
        while v.encode(event) == before:
            event = changed_value(event, dice, dice.choice([1, 2, 2, 2, 3, 3, 3, 4]))
        changed = export.with_event(at, v.encode(event))
        heads = changed.heads()
        try:
            lines = changed.lines(heads)
        except (KeyError, AttributeError, TypeError, IndexError):
            lines = [line_of(data, heads.get(place), export.event(at) if place == at else None)
                     for place, data in enumerate(changed.events)]
        yield "event %d is %s" % (at, repr(event)[:400]), None, b"".join(lines), None


def transplanted(export, dice):
    """What happened elsewhere happens here, to the run that is open here. Nothing comes after it."""
    at, donor = dice.randrange(1, len(export.events)), dice.randrange(len(export.events))
    kind, body = export.event(donor)["kind"], dict(export.event(donor)["body"])
    starts = [run for run in range(at) if export.event(run)["kind"] == "run.started"]
    if "run" in body and starts:
        body["run"] = v.sha256(b"\x00" + export.events[starts[-1]])
    changed = export.cut(at, {"kind": kind, "body": body})
    return "event %d (%s) is %s" % (at, export.event(at)["kind"], kind), None, b"".join(changed.lines()), None


OPTIONAL = ["to_size", "audit", "loss_list", "accepted_loss", "open", "route", "contract", "changes", "renamed", "x"]


def changed_value(value, dice, depth):
    if isinstance(value, dict) and value and depth > 0 and dice.randrange(8):
        name = dice.choice(sorted(value))
        if depth == 1 and dice.randrange(6) == 0:
            return {key: item for key, item in value.items() if key != name}
        if depth == 1 and dice.randrange(8) == 0:
            return {**value, dice.choice(OPTIONAL): any_value(dice)}
        return {**value, name: changed_value(value[name], dice, depth - 1)}
    if dice.randrange(3) == 0:
        return any_value(dice)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return dice.choice([max(value + dice.choice([-1, 1]), -2**63), value + 2**32, 0, 2**53, 2**64 - 1, -1])
    if isinstance(value, bytes):
        return dice.choice([value[:-1], value + b"\0", value[:-1] + b"\0", value.hex(), list(value)])
    if isinstance(value, str):
        return dice.choice([value + "x", "", value.encode(), value.upper(), {value: None}, [value], "baseline", "log",
                            "data_change", "abandoned", "joined", "created", "rollback", "mixed", "keep",
                            "manifest.yaml", "\u2028\x1f\"\\"])
    if isinstance(value, dict):
        return dice.choice([list(value.values()), {}, None, {**value, "x": 0}, dict(list(value.items())[1:])])
    return any_value(dice)


def any_value(dice):
    return dice.choice([None, True, 0, 1, -1, "", "log", b"", bytes(32), [], {}, {"log": None}, [[]], 2**64 - 1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
