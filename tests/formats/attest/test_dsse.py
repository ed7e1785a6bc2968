"""Envelopes: what is signed is what other programs sign, and bytes that mean two things are refused."""

import base64
import json

import pytest
from securesystemslib import dsse as theirs

from fourfold.formats.attest import dsse
from fourfold.formats.attest.dsse import Envelope, Signature
from fourfold.formats.attest.strict import MOST_VALUES, BadAttestationError

ENVELOPE = Envelope("http://example.com/HelloWorld", b"hello world", (Signature("k", b"\xfb\xff\x01"),))


def test_the_encoding_that_is_signed_is_that_of_the_specification() -> None:
    assert ENVELOPE.signed_bytes() == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_another_library_reads_an_envelope_of_ours_and_signs_the_same_bytes() -> None:
    read = theirs.Envelope.from_dict(json.loads(dsse.render(ENVELOPE)))
    assert (read.payload_type, read.payload) == (ENVELOPE.payload_type, ENVELOPE.payload)
    assert read.pae() == ENVELOPE.signed_bytes()
    assert bytes.fromhex(read.signatures["k"].signature) == b"\xfb\xff\x01"


def test_an_envelope_read_again_is_the_same_in_both_alphabets() -> None:
    data = dsse.render(ENVELOPE)
    assert dsse.parse(data) == ENVELOPE
    assert dsse.parse(data.replace(b"+/8B", b"-_8B")) == ENVELOPE
    unsigned = ENVELOPE._replace(signatures=())
    assert dsse.parse(dsse.render(unsigned)) == unsigned


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"payload": "aGk=", "signatures": []}',
        b'{"payloadType": "t", "signatures": []}',
        b'{"payloadType": "t", "payload": "aGk="}',
        b'{"payloadType": "t", "payload": "aGk=", "signatures": [1]}',
        b'{"payloadType": "t", "payload": "aGk=", "signatures": [{"sig": 1}]}',
        b'{"payloadType": 1, "payload": "aGk=", "signatures": []}',
        b'{"payloadType": "t", "payload": "aGl=", "signatures": []}',  # bits that decoding throws away
        b'{"payloadType": "t", "payload": "aGk", "signatures": []}',
        b'{"payloadType": "t", "payload": "a Gk=", "signatures": []}',
        b'{"payloadType": "t", "payload": "+_8B", "signatures": []}',  # two alphabets at once
        b'{"payloadType": "t", "payload": "aGk=", "payload": "aGk=", "signatures": []}',
        b'{"payloadType": "t", "payload": "aGk=", "signatures": [], "x": NaN}',
        b'{"payloadType": "t", "payload": "aGk=", "signatures": [], "x": 1e999}',
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"payloadType": "t", "payload": "aGk=", "signatures": [' + b",".join([b'{"sig": ""}'] * 65) + b"]}",
        b'{"a": [' + b"0," * MOST_VALUES + b"0]}",
    ],
)
def test_what_is_no_envelope_is_refused_in_one_line(damage: bytes) -> None:
    with pytest.raises(BadAttestationError) as caught:
        dsse.parse(damage, "there")
    assert caught.value.message.startswith("there")
    assert "\n" not in caught.value.message


def test_a_payload_of_any_bytes_survives() -> None:
    payload = bytes(range(256))
    found = dsse.parse(dsse.render(Envelope("t", payload)))
    assert found.payload == payload
    assert json.loads(dsse.render(found))["payload"] == base64.b64encode(payload).decode()
