"""Local keys: made where nobody else reads them, and signatures that other programs check."""

import os
import subprocess
import sys
from pathlib import Path

import nacl.signing
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from securesystemslib import dsse as theirs
from securesystemslib.signer import SSlibKey

from fourfold.base.errors import ConflictError, FourfoldError
from fourfold.evidence.auditing import signing
from fourfold.evidence.auditing.signing import PublicKey, SigningKey
from fourfold.formats.attest.dsse import IN_TOTO, Envelope, Signature

ENVELOPE = Envelope(IN_TOTO, b'{"a":1}')


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return signing.make_key(str(tmp_path / "home" / "key.pem"))


def trusted(*keys: SigningKey) -> dict[str, PublicKey]:
    return {key.public.id: key.public._replace(name=f"k{at}") for at, key in enumerate(keys)}


def test_a_key_that_was_made_is_read_again_and_is_for_its_owner_only(key: SigningKey) -> None:
    assert os.stat(key.path).st_mode & 0o777 == 0o600
    assert signing.read_key(key.path).public == key.public
    assert signing.find_key({signing.VARIABLE: key.path}) is not None


def test_openssl_makes_the_same_key_id_and_accepts_the_signature(key: SigningKey, tmp_path: Path) -> None:
    signed = signing.sign(ENVELOPE, key)
    der = subprocess.run(
        ["openssl", "pkey", "-in", key.path, "-pubout", "-outform", "DER"], check=True, capture_output=True
    ).stdout
    assert der == key.public.der
    (tmp_path / "pub.der").write_bytes(der)
    (tmp_path / "message").write_bytes(signed.signed_bytes())
    (tmp_path / "sig").write_bytes(signed.signatures[0].value)
    check = "openssl pkeyutl -verify -pubin -keyform DER -inkey pub.der -rawin -in message -sigfile sig"
    assert subprocess.run(check.split(), cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "message").write_bytes(signed.signed_bytes() + b" ")
    assert subprocess.run(check.split(), cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_sodium_accepts_a_signature_of_ours_and_we_one_of_its(key: SigningKey) -> None:
    signed = signing.sign(ENVELOPE, key)
    public = nacl.signing.VerifyKey(key.public.der[-32:])
    public.verify(signed.signed_bytes(), signed.signatures[0].value)
    other = nacl.signing.SigningKey.generate()
    spki = key.public.der[:-32] + bytes(other.verify_key)
    made = PublicKey("sodium", spki)
    theirs_ = ENVELOPE._replace(
        signatures=(Signature(made.id, other.sign(ENVELOPE.signed_bytes()).signature),)
    )
    assert signing.check(theirs_, {made.id: made}).state == "signed"


def test_the_library_of_dsse_verifies_an_envelope_of_ours(key: SigningKey) -> None:
    signed = signing.sign(ENVELOPE, key)
    public = SSlibKey(key.public.id, "ed25519", "ed25519", {"public": key.public.der[-32:].hex()})
    read = theirs.Envelope(
        signed.payload,
        signed.payload_type,
        {key.public.id: _their_signature(signed.signatures[0])},
    )
    assert read.verify([public], 1) == {key.public.id: public}


def _their_signature(one: Signature) -> object:
    from securesystemslib.signer import Signature as TheirSignature  # noqa: PLC0415

    return TheirSignature(one.keyid, one.value.hex())


def test_what_a_signature_is_worth_is_one_of_five(key: SigningKey, tmp_path: Path) -> None:
    other = signing.make_key(str(tmp_path / "other.pem"))
    signed = signing.sign(ENVELOPE, key)
    assert signing.check(ENVELOPE, trusted(key)).state == "unsigned"
    assert signing.check(signed, trusted(key)).by[0].name == "k0"
    assert signing.check(signed, trusted(other)).state == "unknown"
    assert signing.check(signed, {}).state == "unknown"
    assert signing.check(signed._replace(payload=b'{"a":2}'), trusted(key)).state == "bad"
    assert signing.check(signed._replace(payload_type="text/plain"), trusted(key)).state == "bad"
    assert signing.check(signing.sign(signed, other), trusted(key)).state == "signed"
    short = signed._replace(signatures=(Signature(key.public.id, b"short"),))
    assert signing.check(short, trusted(key)).state == "bad"


def test_a_signature_whose_key_id_is_not_said_counts_all_the_same(key: SigningKey) -> None:
    signed = signing.sign(ENVELOPE, key)
    nameless = signed._replace(signatures=(Signature("", signed.signatures[0].value),))
    assert signing.check(nameless, trusted(key)).state == "signed"


def test_each_flipped_bit_of_a_signature_or_payload_is_found(key: SigningKey) -> None:
    signed = signing.sign(ENVELOPE, key)
    value = signed.signatures[0].value
    for at in range(8 * len(value)):
        flipped = bytearray(value)
        flipped[at // 8] ^= 1 << at % 8
        damaged = signed._replace(signatures=(Signature(key.public.id, bytes(flipped)),))
        assert signing.check(damaged, trusted(key)).state == "bad"


def test_a_key_is_never_replaced_nor_made_in_a_repository(key: SigningKey, tmp_path: Path) -> None:
    with pytest.raises(ConflictError):
        signing.make_key(key.path)
    repository = tmp_path / "repo"
    repository.mkdir()
    (tmp_path / "link").symlink_to(repository)
    for path in (repository / "key.pem", tmp_path / "link" / "deep" / "key.pem"):
        with pytest.raises(FourfoldError) as caught:
            signing.make_key(str(path), [str(repository)])
        assert caught.value.code == "key-in-repository"
    assert not list(repository.iterdir())


def test_a_key_that_others_can_read_is_refused(key: SigningKey) -> None:
    Path(key.path).chmod(0o644)
    with pytest.raises(FourfoldError) as caught:
        signing.read_key(key.path)
    assert caught.value.code == "signing-key-exposed"
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(FourfoldError) as caught:
        signing.read_key(str(path))
    assert caught.value.code == "bad-signing-key"


def test_keys_of_other_kinds_and_with_passwords_are_refused(key: SigningKey, tmp_path: Path) -> None:
    large = rsa.generate_private_key(65537, 2048)
    for private, lock in (
        (large, serialization.NoEncryption()),
        (key.private, serialization.BestAvailableEncryption(b"x")),
    ):
        path = tmp_path / "other.pem"
        path.write_bytes(
            private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        )
        path.chmod(0o600)
        with pytest.raises(FourfoldError) as caught:
            signing.read_key(str(path))
        assert caught.value.code == "bad-signing-key"


def test_where_the_key_is_follows_the_environment() -> None:
    assert signing.key_path({"HOME": "/home/ada"}) == "/home/ada/.config/fourfold/signing-key.pem"
    assert signing.key_path({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}) == "/c/fourfold/signing-key.pem"
    assert signing.key_path({"HOME": "/h", signing.VARIABLE: "/k"}) == "/k"
    assert signing.key_path({"HOME": "/h", signing.VARIABLE: ""}) is None
    assert signing.key_path({}) is None
    assert signing.find_key({"HOME": "/nowhere"}) is None
    with pytest.raises(FourfoldError) as caught:
        signing.find_key({signing.VARIABLE: "/nowhere/key.pem"})
    assert caught.value.code == "signing-key-missing"


def test_trusted_keys_are_lines_that_stay_as_they_are(key: SigningKey, tmp_path: Path) -> None:
    path = str(tmp_path / signing.KEYS_FILE)
    assert signing.trusted_keys(path) == {}
    ada = key.public._replace(name="ada@example.org")
    assert signing.add_trusted(path, ada)
    assert not signing.add_trusted(path, ada._replace(name="again"))
    other = signing.make_key(str(tmp_path / "other.pem")).public
    with pytest.raises(FourfoldError) as caught:
        signing.add_trusted(path, other._replace(name="ada@example.org"))
    assert caught.value.code == "key-name-taken"
    before = Path(path).read_text()
    assert signing.add_trusted(path, other._replace(name="bob"))
    assert Path(path).read_text().startswith(before)
    assert signing.trusted_keys(path) == {ada.id: ada, other.id: other._replace(name="bob")}
    for name in ("", "a b", "a\nb", "#x", "x" * 200):
        with pytest.raises(FourfoldError):
            signing.add_trusted(path, signing.PublicKey(name, other.der))


@pytest.mark.parametrize("line", ["ada", "ada AAAA", "ada MCowBQYDK2VwAyEA!", "\xff\xfe", "ada " + "A" * 60])
def test_a_list_of_keys_that_is_wrong_names_the_line(line: str) -> None:
    with pytest.raises(FourfoldError) as caught:
        signing.parse_keys(f"# keys\n\n{line}\n".encode())
    assert caught.value.code == "bad-keys-file"
    assert "line 3" in caught.value.message


def test_without_the_library_signatures_are_unchecked_and_nothing_is_signed(
    key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = signing.sign(ENVELOPE, key)
    for name in list(sys.modules):
        if name.partition(".")[0] == "cryptography":
            monkeypatch.setitem(sys.modules, name, None)
    assert signing.check(signed, trusted(key)).state == "unchecked"
    assert signing.check(ENVELOPE, trusted(key)).state == "unsigned"
    for act in (lambda: signing.read_key(key.path), lambda: signing.make_key(str(tmp_path / "new.pem"))):
        with pytest.raises(FourfoldError) as caught:
            act()
        assert caught.value.code == "signing-unavailable"
        assert caught.value.hint == "pip install 'fourfold[sign]'"
    assert not (tmp_path / "new.pem").exists()


def test_a_key_that_stands_under_two_names_is_refused(key: SigningKey) -> None:
    text = key.public.text
    with pytest.raises(FourfoldError) as caught:
        signing.parse_keys(f"ada {text}\nboss {text}\n".encode())
    assert caught.value.message.endswith("line 2: the key of 'boss' is that of 'ada'")


def test_remarks_of_any_bytes_survive_when_a_key_is_added(key: SigningKey, tmp_path: Path) -> None:
    path = tmp_path / signing.KEYS_FILE
    path.write_bytes(b"# Zo\xeb\r\n")
    assert signing.add_trusted(str(path), key.public._replace(name="ada"))
    assert path.read_bytes() == b"# Zo\xeb\r\nada " + key.public.text.encode() + b"\n"
