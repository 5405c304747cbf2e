#!/usr/bin/env python3
"""Verifies a certificate bundle of a glyph ledger, without the program that made it and without the ledger.

    python3 verify_bundle.py certificate.sigstore.json --ledger 6a50900c... --subject document.json

Needs Python 3.9 or newer and verify_export.py beside it. Written from the format's document alone (ledger-format/SPEC.md §8.8 and
§12.2).

Exit status, as of the program: 0 the bundle proves what it says (the answer says what that is, and what it is not); 7 nothing is wrong
with it, and whose ledger it is was not compared (--ledger), or its claims were not there to look at (--claims); 3 it proves nothing, or
is of another ledger or file than expected; 2 not understood; 1 a file cannot be read. That the key which committed the run was called
suspect since is told, and changes none of these: whether its owner signed it, people judge.
"""

import argparse
import binascii
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import verify_export as v  # noqa: E402

BUNDLE_BYTES = 32 * 1024 * 1024
CLAIMS = 1000
EVENTS = 1000
NODES = 64
TYPE = "application/vnd.in-toto+json"
PREDICATE = "urn:glyph-ledger:migration-certificate:1"
KEY_KINDS = ("ledger.created", "key.authorized", "key.rotated", "key.revoked", "approvals.set", "plan.approved")
RUN_KINDS = ("run.committed", "run.published", "run.abandoned")
HASHES = ("loss_hash", "source_hash", "target_hash", "migration_policy_hash")
OR_NULL = ("inputs_hash", "contract_digest")
TEXTS = ("to", "from", "object_id", "object_kind", "operator_id")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description="Verifies a certificate bundle of a glyph ledger.",
        epilog="Exit status: 0 it proves what it says, 7 it was not compared with all that it takes (--ledger, --claims), "
               "3 it does not, 2 not understood, 1 unreadable.",
        allow_abbrev=False,
    )
    parser.add_argument("bundle")
    parser.add_argument("--ledger", metavar="ID", type=v.ledger_id, help="the ledger's id, as you know it")
    parser.add_argument("--subject", metavar="FILE", help="a document that the certificate is to be about")
    parser.add_argument("--claims", metavar="FILE", help="the claims, where they stand in a file of their own")
    options = parser.parse_args(arguments)
    try:
        data = read(options.bundle)
        listed = read(options.claims) if options.claims else None
        subject = hashlib.sha256(read(options.subject)).hexdigest() if options.subject else None
    except OSError as error:
        print("verify_bundle: cannot read: %s" % error, file=sys.stderr)
        return v.UNREADABLE
    try:
        report = verify(data, options.ledger, listed)
        if subject is not None and subject not in report["documents"]:
            raise v.Fault("subject", "the file is no object as the run left it")
        report["ok"] = True
    except v.Fault as fault:
        report = {"ok": False, "fault": {"code": fault.code, "cause": fault.cause}}
    print(json.dumps(report))
    if not report["ok"]:
        return v.REFUSED
    committed = report["committed"]
    if "suspect_since" in committed:
        print("verify_bundle: the run was committed by event %d with key %s, which was revoked: what it signed since event %d may "
              "not be its owner's" % (committed["seq"], committed["key"], committed["suspect_since"]), file=sys.stderr)
    missing = [told for told, there in (
        ("whose ledger it is was not compared with anything: --ledger", options.ledger is not None),
        ("of the objects nothing was seen: --claims", report["claims_seen"])) if not there]
    for told in missing:
        print("verify_bundle: %s" % told, file=sys.stderr)
    return v.NOT_PROVEN if missing else v.DONE


def read(path):
    with open(path, "rb") as file:
        return file.read()


def verify(data, ledger=None, listed=None):
    """§12.2; raises at the first fault."""
    payload, signer, signature = read_bundle(data)
    statement = parse(payload)
    predicate = field(statement, "predicate", dict)
    named = octets(predicate, "ledger")
    if ledger is not None and named.hex() != ledger:
        raise v.Fault("ledger", "the bundle is of ledger %s" % named.hex())
    evidence = field(predicate, "evidence", dict)
    head = v.read_note(field(evidence, "head", str).encode("utf-8"))
    if head.ledger != named:
        raise v.Fault("head", "the head is another ledger's")
    run = octets(predicate, "run")
    heads = read_heads(field(evidence, "heads", list), head)
    judge = Evidence(run)
    for item in field(evidence, "events", list):
        judge.event(item, head)
    judge.end()
    judge.check_heads(heads + [head])
    key = judge.keys.may_sign(signer)
    if key is None or "append" not in key["roles"]:
        raise v.Fault("signature", "the key %s may not append" % signer.hex())
    signed = b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE.encode(), len(payload), payload)
    v.check_ed25519(key["public_key"], signed, signature)
    count, subjects, claims = read_claims(predicate, listed)
    certificate = octets(predicate, "certificate")
    if claims is not None and certificate_of(claims) != certificate:
        raise v.Fault("claims", "the claims have another certificate")
    if judge.committed["body"]["certificate"] != certificate or judge.started["body"]["objects"] != count:
        raise v.Fault("claims", "the certificate is not the one that the run was committed with")
    predicate = {**predicate, "claims": predicate["claims"]}
    implied = {"_type": "https://in-toto.io/Statement/v1", "subject": subjects, "predicate": predicate,
               "predicateType": PREDICATE}
    closed(predicate, ("run", "claims", "ledger", "evidence", "certificate"))
    closed(evidence, ("head", "heads", "events"))
    if canonical(implied).encode() != payload:
        raise v.Fault("form", "subjects that do not follow from the claims, or not in canonical form")
    return {
        "ledger": named.hex(), "run": run.hex(), "certificate": certificate.hex(), "size": head.size,
        "signer": {"key": signer.hex(), "since": key["since"]}, "committed": judge.committed_by(), "objects": count, "claims_seen": claims is not None,
        "documents": [claim["target_hash"] for claim in claims or () if claim["object_kind"] != "database"],
        "not_checked": ["whether the key was revoked after size %d, or by an event that was left out" % head.size],
    }


def read_bundle(data):
    if len(data) > BUNDLE_BYTES:
        raise v.Fault("form", "the bundle is too long")
    bundle = parse(data)
    envelope = field(bundle, "dsseEnvelope", dict)
    signatures = field(envelope, "signatures", list)
    if len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise v.Fault("form", "not exactly one signature")
    key, sig, body = (field(signatures[0], "keyid", str), field(signatures[0], "sig", str),
                      field(envelope, "payload", str))
    implied = ('{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":'
               '{"hint":%s},"tlogEntries":[]},"dsseEnvelope":{"payload":%s,"payloadType":"%s","signatures":'
               '[{"sig":%s,"keyid":%s}]}}\n' % (json.dumps(key), json.dumps(body), TYPE, json.dumps(sig), json.dumps(key)))
    if implied.encode() != data:
        raise v.Fault("form", "not the form of a bundle")
    signer, signature = octet_text(key), v.read_base64(sig)
    if len(signature) != 64:
        raise v.Fault("form", "the signature has not 64 bytes")
    return v.read_base64(body), signer, signature


class Evidence:
    """What the events in a bundle come to, by the rules about keys, which need no other events than these."""

    def __init__(self, run):
        self.run = run
        self.keys = v.State()
        self.seq = -1
        self.actors = {}
        self.plan = self.started = self.committed = self.over = None

    def event(self, item, head):
        if not isinstance(item, dict):
            raise v.Fault("evidence", "an event of the evidence is none")
        closed(item, ("bytes", "proof"))
        data = octet_text(field(item, "bytes", str), None)
        event = v.read_event(data)
        event_id = v.sha256(b"\x00" + data)
        proof = [octet_text(node) for node in field(item, "proof", list)]
        if event["ledger"] != head.ledger or event["seq"] <= self.seq:
            raise v.Fault("evidence", "an event is another ledger's, or the events do not ascend")
        if len(proof) > NODES or root_of(event_id, event["seq"], head.size, proof) != head.root:
            raise v.Fault("evidence", "event %d is not under the head" % event["seq"])
        self.seq = event["seq"]
        if self.seq == 0 and event["prev"] != bytes(32):
            raise v.Fault("evidence", "the first event has one before it")
        self.actors[self.seq] = event["actor"]
        self.take(event, event["body"], event_id)

    def take(self, event, body, event_id):
        kind = event["kind"]
        if not self.keys.keys["keys"]:
            if kind != "ledger.created":
                raise v.Fault("evidence", "the evidence does not begin with ledger.created")
            v.Verification(None, None).begin(event, body)
        self.keys.need_role(event)
        if kind in KEY_KINDS:
            if kind == "plan.approved":
                if self.plan not in (None, body["plan"]) or self.started:
                    raise v.Fault("evidence", "an approval of another plan, or after the run began")
                self.plan = body["plan"]
            getattr(self.keys, kind.replace(".", "_"))(event, body, event_id)
        elif kind == "run.started" and event_id == self.run and not self.started:
            if body["purpose"] == "migrate":
                self.keys.need_approvals(event, body)
            if self.plan not in (None, body["plan"]):
                raise v.Fault("evidence", "an approval of another plan")
            self.started = event
        elif kind in RUN_KINDS and body["run"] == self.run and self.started and not self.over:
            if (kind == "run.committed") != (self.committed is None):
                raise v.Fault("evidence", "the run's events are out of order")
            if kind == "run.committed":
                self.committed = event
            else:
                self.over = event
        else:
            raise v.Fault("evidence", "event %d (%s) does not belong to the evidence" % (event["seq"], kind))

    def end(self):
        if self.committed is None:
            raise v.Fault("evidence", "the evidence has no run.started, or no run.committed")

    def committed_by(self):
        """Who committed the run, and since which event that key is suspect, if it is."""
        event = self.committed
        found = {"seq": event["seq"], "key": event["actor"].hex()}
        ended = self.keys.keys["keys"][found["key"]].get("ended", {})
        return {**found, **{name: ended[name] for name in ("suspect_since",) if name in ended}}

    def check_heads(self, heads):
        """Each event must be covered by a head that its actor signed: it carries no signature of its own."""
        covered = {}
        for head in heads:
            self.check_head(head)
            if head.actor in covered:
                raise v.Fault("head", "two heads by one key")
            covered[head.actor] = head.size
        for seq, actor in self.actors.items():
            if seq >= covered.get(actor, 0):
                raise v.Fault("head", "no head by key %s covers event %d, so it may be anybody's" % (actor.hex(), seq))
        if any(head.actor not in self.actors.values() for head in heads[:-1]):
            raise v.Fault("head", "a head that no event needs")

    def check_head(self, head):
        known, last = self.keys.keys["keys"].get(head.actor.hex()), head.size - 1
        if known is None or known["roles"] == ["publish"] or known["since"] > last or known.get("ended", {"at": last})["at"] < last:
            raise v.Fault("head", "the key %s may not sign the head" % head.actor.hex())
        if self.actors.get(last, head.actor) != head.actor:
            raise v.Fault("head", "the head over %d events is not by whoever signed the last of them" % head.size)
        history = v.Verification(None, None)
        history.state = self.keys
        history.check_signature(head)


def read_heads(found, newest):
    heads = []
    for item in found:
        if not isinstance(item, dict):
            raise v.Fault("evidence", "a head of the evidence is none")
        closed(item, ("note", "proof"))
        head = v.read_note(field(item, "note", str).encode("utf-8"))
        proof = [octet_text(node) for node in field(item, "proof", list)]
        if head.ledger != newest.ledger or head.size >= newest.size or (heads and head.size <= heads[-1].size):
            raise v.Fault("evidence", "heads are another ledger's, or do not ascend to the newest")
        if len(proof) > NODES or not leads(head, newest, proof):
            raise v.Fault("evidence", "the head over %d events does not lead to the newest" % head.size)
        heads.append(head)
    return heads


def leads(old, new, proof):
    """RFC 9162 §2.1.4.2, of two heads with different sizes"""
    if old.size == 0:
        return False
    if old.size & (old.size - 1) == 0:
        proof = [old.root] + proof
    if not proof:
        return False
    first, last = old.size - 1, new.size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    one = other = proof[0]
    for node in proof[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            one, other = v.sha256(b"\x01" + node + one), v.sha256(b"\x01" + node + other)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            other = v.sha256(b"\x01" + other + node)
        first, last = first >> 1, last >> 1
    return last == 0 and one == old.root and other == new.root


def root_of(leaf, index, size, proof):
    """RFC 9162 §2.1.3.2"""
    if index >= size:
        return None
    node, last = leaf, size - 1
    for sibling in proof:
        if last == 0:
            return None
        if index & 1 or index == last:
            node = v.sha256(b"\x01" + sibling + node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = v.sha256(b"\x01" + node + sibling)
        index, last = index >> 1, last >> 1
    return node if last == 0 else None


def read_claims(predicate, listed):
    """Their number, the subjects that follow, and the claims where they are to be had."""
    claims = predicate.get("claims")
    if isinstance(claims, list):
        if len(claims) > CLAIMS or listed is not None:
            raise v.Fault("claims", "too many claims, or a list of claims that stand in the bundle")
        return len(claims), [subject(claim) for claim in map(claim_of, claims)], claims
    if not isinstance(claims, dict):
        raise v.Fault("claims", "there are no claims")
    closed(claims, ("count", "list"))
    count, name = claims["count"], octets(claims, "list")
    if type(count) is not int or not CLAIMS < count <= v.NUMBER_MAX:
        raise v.Fault("claims", "so few claims stand in the bundle")
    subjects = [{"name": "claims", "digest": {"sha256": name.hex()}}]
    if listed is None:
        return count, subjects, None
    if v.sha256(listed) != name:
        raise v.Fault("claims", "the list is another than the bundle names")
    found = [claim_of(parse(line)) for line in listed.split(b"\n")[:-1]]
    if len(found) != count or "".join(canonical(claim) + "\n" for claim in found).encode() != listed:
        raise v.Fault("claims", "the list is not in its form")
    return count, subjects, found


def claim_of(claim):
    if not isinstance(claim, dict):
        raise v.Fault("claims", "a claim is none")
    closed(claim, HASHES + OR_NULL + TEXTS + ("path", "verdicts"))
    for name in TEXTS:
        field(claim, name, str)
    for name in HASHES:
        octets(claim, name)
    for name in OR_NULL:
        if claim[name] is not None:
            octets(claim, name)
    for edge in field(claim, "path", list):
        octet_text(edge)
    if not all(verdict in ("true", "false", "not_applicable") for verdict in field(claim, "verdicts", dict).values()):
        raise v.Fault("claims", "a verdict is none")
    return claim


def subject(claim):
    name = "glyphContent" if claim["object_kind"] == "database" else "sha256"
    return {"name": claim["object_id"], "digest": {name: claim["target_hash"]}}


def certificate_of(claims):
    names = [claim["object_id"].encode() for claim in claims]
    if any(one >= other for one, other in zip(names, names[1:])):
        raise v.Fault("claims", "the objects do not ascend")
    return v.commit_hash("migration_run", [v.commit_hash("migration_certificate", value_of(claim)) for claim in claims])


def value_of(claim):
    hashes = HASHES + OR_NULL
    value = {name: bytes.fromhex(item) if name in hashes and item is not None else item for name, item in claim.items()}
    return ordered({**value, "path": [bytes.fromhex(edge) for edge in claim["path"]]})


def canonical(value):
    return v.to_json(ordered(value))


def ordered(value):
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: (len(name.encode()), name.encode()))
        return {name: ordered(value[name]) for name in names}
    return [ordered(item) for item in value] if isinstance(value, list) else value


def parse(data):
    try:
        found = json.loads(data.decode("utf-8"), parse_constant=v.refuse_constant)
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # no half of a surrogate pair
    except (ValueError, RecursionError) as error:
        raise v.Fault("json", "not JSON: %s" % error)
    if not isinstance(found, dict):
        raise v.Fault("json", "not a JSON object")
    return found


def field(found, name, kind):
    if not isinstance(found.get(name), kind):
        raise v.Fault("form", "%s is missing or of another type" % name)
    return found[name]


def closed(found, names):
    if set(found) != set(names):
        raise v.Fault("form", "fields are missing, or there are others")


def octets(found, name):
    return octet_text(field(found, name, str))


def octet_text(text, size=32):
    try:
        data = binascii.unhexlify(text)
    except (ValueError, TypeError):
        raise v.Fault("form", "not hex")
    if data.hex() != text or size not in (None, len(data)):
        raise v.Fault("form", "not lower-case hex of that length")
    return data


if __name__ == "__main__":
    sys.exit(main())
