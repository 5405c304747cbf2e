"""Has programs that are not ours read a certificate bundle, and writes what each makes of it: one JSON object.

usage: read_bundle.py BUNDLE KEY_ID PUBLIC_KEY

sigstore-models takes the file as a bundle and refuses fields that it does not know, securesystemslib verifies the envelope with the
key, in-toto-attestation takes the statement as a protocol buffer and validates it.
"""

import json
import sys

from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
from sigstore_models.bundle.v1 import Bundle


def refusal(read):
    try:
        read()
    except Exception as error:  # whatever it is, it was not taken
        return "%s: %s" % (type(error).__name__, str(error).split("\n")[0])
    return None


def main():
    path, key_id, public_key = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found = {"subjects": []}

    def statement():
        parsed = json_format.Parse(envelope().payload, statement_pb2.Statement())
        Statement.copy_from_pb(parsed).validate()
        found["subjects"] = [{"name": subject.name, "digest": dict(subject.digest)} for subject in parsed.subject]
        found["predicate_type"] = parsed.predicate_type

    def envelope():
        return Envelope.from_dict(json.loads(text)["dsseEnvelope"])

    key = SSlibKey(key_id, "ed25519", "ed25519", {"public": public_key})
    found["refused"] = {
        "sigstore": refusal(lambda: Bundle.from_json(text)),
        "dsse": refusal(lambda: envelope().verify([key], 1)),
        "in_toto": refusal(statement),
    }
    print(json.dumps(found))


main()
