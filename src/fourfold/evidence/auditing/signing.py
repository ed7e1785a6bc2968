"""Local Ed25519 keys: made, found, used to sign and to check envelopes.

The private key is PKCS#8 PEM in the user's configuration, never in a repository. Public keys that a project
trusts stand in ``fourfold.keys`` in its root, one a line, where a review sees each change. A key's id is the
SHA-256 of its DER SubjectPublicKeyInfo. Explained in ``docs/guides/audit.md``.
"""

import base64
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from fourfold.base.errors import (
    ConflictError,
    DeniedError,
    InvalidFileError,
    NotFoundError,
    UnsafeError,
    UnsupportedError,
    UsageError,
    from_os_error,
)
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.fs.platform import CREATE_NEW, WRITE
from fourfold.formats.attest.dsse import Envelope, Signature
from fourfold.formats.attest.strict import unbase64

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: Names the private key's file, instead of the one in the user's configuration; empty: nothing is signed.
VARIABLE = "FOURFOLD_SIGNING_KEY"
#: The public keys that a project trusts.
KEYS_FILE = "fourfold.keys"
_FILE = "signing-key.pem"
_HEAD = (
    "# Whose signatures count here: a name, and an Ed25519 public key (base64 of its DER"
    " SubjectPublicKeyInfo).\n# Each line is somebody who is believed. Documented in the audit guide.\n"
)
_MOST = 1 << 20
#: An Ed25519 SubjectPublicKeyInfo is these bytes and 32 more (RFC 8410).
_SPKI = bytes.fromhex("302a300506032b6570032100")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}", re.ASCII)

#: What comes of checking an envelope. *signed*: by a key that is trusted. *unsigned*: nobody signed.
#: *unknown*: by keys that are not trusted. *bad*: a signature that claims a trusted key is not of it.
#: *unchecked*: nothing here can check signatures.
State = Literal["signed", "unsigned", "unknown", "bad", "unchecked"]


class SigningUnavailableError(UnsupportedError):
    """Signing and checking signatures need the library ``cryptography``, which is not installed."""

    code = "signing-unavailable"
    default_hint = "pip install 'fourfold[sign]'"


class SigningKeyMissingError(NotFoundError):
    """The private key that ``FOURFOLD_SIGNING_KEY`` names is not there, or no folder for one is known."""

    code = "signing-key-missing"
    default_hint = "make one: ff audit keygen"


class BadSigningKeyError(InvalidFileError):
    """A file that should hold an Ed25519 private key does not."""

    code = "bad-signing-key"
    default_hint = "make another: ff audit keygen --key-file PATH"


class SigningKeyExposedError(DeniedError):
    """Others on this machine can read the private key."""

    code = "signing-key-exposed"


class KeyInRepositoryError(UnsafeError):
    """A private key would lie in the repository, from where it could be published."""

    code = "key-in-repository"
    default_hint = "keep it in the home folder: ff audit keygen without --key-file"


class BadKeysFileError(InvalidFileError):
    """A list of trusted keys cannot be understood."""

    code = "bad-keys-file"
    default_hint = "each line is a name, a blank, and what 'ff audit keygen' printed as the public key"


class KeyNameError(UsageError):
    """A key has a name that cannot stand in a list of keys."""

    code = "bad-key-name"


class KeyNameTakenError(ConflictError):
    """Another key of that name is trusted already."""

    code = "key-name-taken"


class PublicKey(NamedTuple):
    """Whose signatures count.

    Attributes:
        name: Whose, as the project calls them.
        der: Its SubjectPublicKeyInfo.
    """

    name: str
    der: bytes

    @property
    def id(self) -> str:
        """SHA-256 of the DER, 64 hex digits: the ``keyid`` of its signatures."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def text(self) -> str:
        """As a line of ``fourfold.keys`` has it."""
        return base64.b64encode(self.der).decode()


class SigningKey(NamedTuple):
    """A private key.

    Attributes:
        path: Its file.
        private: Signs.
        public: The other half, without a name.
    """

    path: str
    private: "Ed25519PrivateKey"
    public: PublicKey


class Checked(NamedTuple):
    """What the signatures of an envelope are worth.

    Attributes:
        state: See `State`.
        by: The trusted keys that signed.
        keyids: Ids that its signatures claim.
    """

    state: State
    by: tuple[PublicKey, ...] = ()
    keyids: tuple[str, ...] = ()


# --- private keys -----------------------------------------------------------------------------------------


def key_path(environ: Mapping[str, str]) -> str | None:
    """The file of the user's private key; None where nothing is to be signed, or no home is known."""
    if VARIABLE in environ:
        return environ[VARIABLE] or None
    base = environ.get("XDG_CONFIG_HOME") or environ.get("LOCALAPPDATA")
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if base and os.path.isabs(base):
        return os.path.join(base, "fourfold", _FILE)
    return os.path.join(home, ".config", "fourfold", _FILE) if home else None


def find_key(environ: Mapping[str, str]) -> SigningKey | None:
    """The user's private key; None when there is none.

    Raises:
        SigningKeyMissingError: the variable names one that is not there.
        BadSigningKeyError, SigningKeyExposedError, SigningUnavailableError: it cannot be used.
    """
    path = key_path(environ)
    if path is None:
        return None
    if not os.path.lexists(path):
        if VARIABLE in environ:
            raise SigningKeyMissingError(f"{VARIABLE} names '{path}', which is not there")
        return None
    return read_key(path)


def read_key(path: str) -> SigningKey:
    """Read a private key.

    Raises:
        BadSigningKeyError: it is none, or is protected by a password.
        SigningKeyExposedError: others can read it.
        SigningUnavailableError: the library that reads it is not installed.
    """
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MOST)
    except OSError as error:
        raise from_os_error(error, "reading the signing key") from error
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise SigningKeyExposedError(
            f"the signing key '{path}' can be read by others (mode {stat.S_IMODE(mode):04o})",
            hint=f"chmod 600 '{path}', or make another if somebody may have read it",
        )
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    except ImportError as error:
        raise SigningUnavailableError("signing needs the library 'cryptography'") from error
    try:
        private = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadSigningKeyError(f"'{path}' is no private key in PEM without password") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise BadSigningKeyError(f"'{path}' is a private key of another kind than Ed25519")
    return SigningKey(path, private, _public(private))


def _public(private: "Ed25519PrivateKey") -> PublicKey:
    return PublicKey("", _SPKI + private.public_key().public_bytes_raw())


def make_key(path: str, outside: Iterable[str] = ()) -> SigningKey:
    """Make a private key, in a file that only its owner can read; one that is there is never replaced.

    Args:
        path: Its file.
        outside: Folders that it may not lie in: repositories.

    Raises:
        KeyInRepositoryError: it would lie in one of them.
        ConflictError: something is there.
        SigningUnavailableError: the library that makes it is not installed.
        DeniedError, ExhaustedError: the file system refuses.
    """
    real = os.path.realpath(path)
    for folder in outside:
        top = os.path.realpath(folder)
        if real == top or real.startswith(top.rstrip(os.sep) + os.sep):
            raise KeyInRepositoryError(f"the private key '{path}' would lie in the repository {top}")
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    except ImportError as error:
        raise SigningUnavailableError("keys are made by the library 'cryptography'") from error
    private = Ed25519PrivateKey.generate()
    data = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        # Exclusive, and never readable by others, not even for a moment.
        fd = os.open(path, WRITE | CREATE_NEW, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            os.unlink(path)  # half a key would stand in the way of a whole one
            raise
    except FileExistsError as error:
        raise ConflictError(f"'{path}' exists", hint="a key that is there is never replaced") from error
    except OSError as error:
        raise from_os_error(error, f"writing {path}") from error
    return SigningKey(path, private, _public(private))


# --- public keys ------------------------------------------------------------------------------------------


def trusted_keys(path: str) -> dict[str, PublicKey]:
    """The keys of a list by their ids; none where the file is not there.

    Args:
        path: A ``fourfold.keys``.

    Raises:
        BadKeysFileError: it cannot be understood.
    """
    data = _read_list(path)
    return parse_keys(data, os.path.basename(path)) if data is not None else {}


def _read_list(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error
    if len(data) > _MOST:
        raise BadKeysFileError(f"{os.path.basename(path)} is larger than {_MOST} bytes")
    return data


def parse_keys(data: bytes, source: str = KEYS_FILE) -> dict[str, PublicKey]:
    """Read a list of keys: ``NAME BASE64`` a line; ``#`` begins a remark.

    Raises:
        BadKeysFileError: a line is neither, or a name or a key stands there twice: who signed must be plain.
    """
    found: dict[str, PublicKey] = {}
    names: set[str] = set()
    for at, raw in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        name, _, text = line.partition(" ")
        try:
            der = unbase64(text.strip(), source)
        except InvalidFileError:
            der = b""
        if not _NAME.fullmatch(name) or not der.startswith(_SPKI) or len(der) != len(_SPKI) + 32:
            raise BadKeysFileError(f"{source}, line {at} is no name and Ed25519 public key: {line[:80]!r}")
        key = PublicKey(name, der)
        if name in names:
            raise BadKeysFileError(f"{source}, line {at}: '{name}' stands there twice")
        if key.id in found:
            other = found[key.id].name
            raise BadKeysFileError(f"{source}, line {at}: the key of '{name}' is that of '{other}'")
        names.add(name)
        found[key.id] = key
    return found


def add_trusted(path: str, key: PublicKey) -> bool:
    """Trust a key from now on; False where it is trusted already, under whatever name.

    Raises:
        BadKeysFileError: the list that is there cannot be understood; it is as it was.
        KeyNameError, KeyNameTakenError: its name cannot be used.
        DeniedError, ExhaustedError: the file system refuses; the list is as it was.
    """
    if not _NAME.fullmatch(key.name):
        raise KeyNameError(
            f"'{key.name[:80]}' is no name of a key",
            hint="letters, digits and . _ @ + - only: ff audit keygen --name ada",
        )
    old = _read_list(path)
    known = parse_keys(old, os.path.basename(path)) if old is not None else {}
    if key.id in known:
        return False
    if any(one.name == key.name for one in known.values()):
        raise KeyNameTakenError(
            f"another key is called '{key.name}' in {os.path.basename(path)}",
            hint="give this one a name of its own: --name",
        )
    data = old if old is not None else _HEAD.encode()
    if data and not data.endswith(b"\n"):
        data += b"\n"
    try:
        write_atomic(path, data + f"{key.name} {key.text}\n".encode())
    except OSError as error:
        raise from_os_error(error, f"writing {path}") from error
    return True


# --- envelopes --------------------------------------------------------------------------------------------


def sign(envelope: Envelope, key: SigningKey) -> Envelope:
    """The envelope with one more signature."""
    made = Signature(key.public.id, key.private.sign(envelope.signed_bytes()))
    return envelope._replace(signatures=(*envelope.signatures, made))


def check(envelope: Envelope, keys: Mapping[str, PublicKey]) -> Checked:
    """What the signatures of an envelope are worth.

    Args:
        envelope: Whatever came.
        keys: Those that are trusted, by id.
    """
    claimed = tuple(dict.fromkeys(one.keyid for one in envelope.signatures))
    if not envelope.signatures:
        return Checked("unsigned")
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    except ImportError:
        return Checked("unchecked", (), claimed)
    message = envelope.signed_bytes()
    by: dict[str, PublicKey] = {}
    bad = False
    for signature in envelope.signatures:
        # An id is a hint: a signature without one that is known may be of any key that is trusted.
        named = keys.get(signature.keyid)
        for key in (named,) if named is not None else keys.values():
            try:
                Ed25519PublicKey.from_public_bytes(key.der[len(_SPKI) :]).verify(signature.value, message)
            except (InvalidSignature, ValueError):
                bad = bad or named is not None
            else:
                by[key.id] = key
    state: State = "bad" if bad else "signed" if by else "unknown"
    return Checked(state, tuple(by.values()), claimed)
