#!/usr/bin/env python3
"""Holds verify_export.py's parts against the known answers of the format.

    python3 check_vectors.py ledger-format/vectors

Prints how many answers of each file were right and exits 1 at the first that is not.
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import damage  # noqa: E402
import verify_bundle as b  # noqa: E402
import verify_export as v  # noqa: E402


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    for name, check in (("cbor", cbor), ("hashes", hashes), ("events", events), ("proofs", roots), ("heads", heads),
                        ("bundle", bundles)):
        with open(os.path.join(arguments[0], name + ".json"), encoding="utf-8") as file:
            right = 0
            for expected, actual in check(json.load(file)):
                if expected != actual:
                    print("%s: expected %r, found %r" % (name, expected, actual))
                    return 1
                right += 1
        print("%s: %d right" % (name, right))
    return 0


def cbor(vectors):
    for vector in vectors["accept"]:
        data = bytes.fromhex(vector["cbor"])
        if vector["json"].strip('"') in ("NaN", "Infinity", "-Infinity") or "." in vector["json"]:
            yield True, refused(v.decode, data)  # a float, and events hold none
            continue
        value = v.decode(data)
        yield vector["json"], v.to_json(value)
        yield data, v.encode(value)
    for vector in vectors["reject"]:
        yield (True, vector["cbor"]), (refused(v.decode, bytes.fromhex(vector["cbor"])), vector["cbor"])
    deepest = b"\x81" * (vectors["depth"]["event"] - 1) + b"\x80"
    yield False, refused(v.decode, deepest)
    yield True, refused(v.decode, b"\x81" + deepest)


def hashes(vectors):
    for vector in vectors["commit_hash"]:
        value = bytes.fromhex(vector["value"])
        yield vector["hash"], v.sha256(b"\x82" + v.encode(vector["tag"]) + value).hex()
        if not refused(v.decode, value):
            yield vector["hash"], v.commit_hash(vector["tag"], v.decode(value)).hex()
    for vector in vectors["content_hash"]:
        yield vector["hash"], v.sha256(bytes.fromhex(vector["bytes"])).hex()
    ledger = vectors["ledger_id"]
    parts = [bytes.fromhex(ledger["public_key"]), bytes.fromhex(ledger["nonce"])]
    yield ledger["id"], v.commit_hash("ledger_id", parts).hex()
    yield vectors["key_id"]["id"], v.sha256(bytes.fromhex(vectors["key_id"]["public_key"])).hex()
    yield vectors["event_id"]["id"], v.sha256(b"\x00" + bytes.fromhex(vectors["event_id"]["bytes"])).hex()
    tree = v.Tree()
    yield vectors["empty_root"], tree.root().hex()
    tree.append(bytes.fromhex(vectors["node"]["left"]))
    tree.append(bytes.fromhex(vectors["node"]["right"]))
    yield vectors["node"]["node"], tree.root().hex()


def events(vectors):
    for vector in vectors["events"]:
        data = bytes.fromhex(vector["bytes"])
        event = v.read_event(data)
        yield vector["kind"], event["kind"]
        yield vector["id"], v.sha256(b"\x00" + data).hex()
        yield data, v.encode(event)
        body = vector["body"] if isinstance(vector["body"], dict) else json.loads(vector["body"])
        yield body, json.loads(v.to_json(event["body"]))


def roots(vectors):
    tree = v.Tree()
    yield vectors["roots"][0], tree.root().hex()
    for leaf, root in zip(vectors["leaves"], vectors["roots"][1:]):
        tree.append(bytes.fromhex(leaf))
        yield root, tree.root().hex()


def heads(vectors):
    secret, public = bytes.fromhex(vectors["secret_key"]), bytes.fromhex(vectors["public_key"])
    yield public, damage.public_key(secret)
    for vector in vectors["heads"]:
        head = v.read_note(vector["note"].encode())
        yield vector["text"].encode(), head.text
        yield (vector["size"], vector["root"]), (head.size, head.root.hex())
        yield False, refused(v.check_ed25519, public, head.text, head.signature)
        yield True, refused(v.check_ed25519, public, head.text + b"\n", head.signature)
        yield vector["note"], damage.note(head.ledger, head.size, head.root, secret)
    # What is no canonical point: y not below p, no x for y, and x = 0 with a sign. y = 3 has an x, so y = p + 3 is only
    # another spelling of a point of large order.
    three = (3).to_bytes(32, "little")
    yield False, v.decode_point(three) is None or v.is_small(v.decode_point(three))
    for y in (v.P, v.P + 1, v.P + 3, 2, 1 | 1 << 255, v.P - 1 | 1 << 255):
        yield (y, None), (y, v.decode_point(y.to_bytes(32, "little")))


def bundles(vectors):
    data = vectors["bundle"].encode()
    payload, signer, signature = b.read_bundle(data)
    yield vectors["statement"].encode(), payload
    yield bytes.fromhex(vectors["signed"]), b"DSSEv1 %d %s %d %s" % (len(b.TYPE), b.TYPE.encode(), len(payload), payload)
    report = b.verify(data, vectors["ledger"])
    yield (signer.hex(), 2), (report["signer"]["key"], report["objects"])
    yield True, refused(b.verify, data, "0" * 64)
    for at in range(0, len(data), 97):
        yield (at, True), (at, refused(b.verify, data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]))


def refused(function, *arguments):
    try:
        function(*arguments)
    except v.Fault:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
