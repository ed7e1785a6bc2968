"""Secrets struck out of what a record is going to say.

What looks like a secret, or stands where a secret stands, `storage.secrets` and `storage.secrecy` know. Here
is known besides what is secret in this environment: the values of variables whose names say so, and the
passwords in variables that hold URLs. Both go, wherever they stand. The same text and environment give the
same answer.
"""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, urlsplit

from fourfold.formats.native.canonical import canonical
from fourfold.storage.redact import HIDDEN
from fourfold.storage.secrecy import is_secret_value, secrecy

#: A shorter value is no secret that could be told from a word.
_LEAST = 4
#: A shorter one is struck as a whole word only.
_ANYWHERE = 8


class Secrets(NamedTuple):
    """The secrets of an environment.

    Attributes:
        long: Values that are struck wherever they stand, in each way of writing them, longest first.
        short: Values that are struck as whole words.
    """

    long: tuple[str, ...] = ()
    short: re.Pattern[str] | None = None


def secrets_of(environ: Mapping[str, str]) -> Secrets:
    """What is secret in an environment: to be made once, and used for many texts."""
    values: set[str] = set()
    for name, value in environ.items():
        if len(value) >= _LEAST and "://" not in value and is_secret_value(name, value):
            values.add(value)
        values.update(_of_url(value))
    # The word 'password' as a password would take away what makes others known.
    values = {value for value in values if secrecy(value) == "no" or not value.isalpha()}
    long = {form for value in values if len(value) >= _ANYWHERE for form in _forms(value)}
    short = sorted(
        (re.escape(value) for value in values if len(value) < _ANYWHERE), key=lambda each: (-len(each), each)
    )
    return Secrets(
        tuple(sorted(long, key=lambda each: (-len(each), each))),
        re.compile(rf"(?<!\w)(?:{'|'.join(short)})(?!\w)") if short else None,
    )


def redact(text: str, environ: Mapping[str, str]) -> str:
    """A command line, a URL, or any text, without secrets."""
    return redact_text(text, secrets_of(environ))


def redact_value(value: Any, environ: Mapping[str, str]) -> Any:
    """A value of JSON without secrets: of texts, of keys, and of what stands below the name of a secret."""
    return redact_tree(value, secrets_of(environ))


def redact_text(text: str, secrets: Secrets) -> str:
    """As `redact`, the environment looked through before."""
    from fourfold.storage.secrets import strike  # noqa: PLC0415 - no command waits for its patterns

    # First, since what only looks like a secret may end in the middle of one that is.
    text = strike(_without(text, secrets.long))
    return secrets.short.sub(HIDDEN, text) if secrets.short is not None else text


def redact_tree(value: Any, secrets: Secrets) -> Any:
    """As `redact_value`, the environment looked through before."""
    if isinstance(value, str):
        return redact_text(value, secrets)
    if isinstance(value, Mapping):
        return {
            redact_text(name, secrets) if isinstance(name, str) else name: HIDDEN
            if isinstance(name, str) and isinstance(inner, str) and is_secret_value(name, inner)
            else redact_tree(inner, secrets)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_tree(inner, secrets) for inner in value]
    return value


def scrubbed(value: Any, secrets: Secrets) -> Any:
    """A value of JSON, or a document, without the secrets of the environment; itself where it has none.

    For what is not typed by people: nothing is struck for its looks, so that digests and names stay.
    """
    text = canonical(value).decode(errors="replace") if secrets.long else ""
    if not any(form in text for form in secrets.long):
        return value
    return _walk(value, secrets.long)


def _walk(value: Any, values: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return _without(value, values)
    if isinstance(value, Mapping):
        return {
            _without(name, values) if isinstance(name, str) else name: _walk(inner, values)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_walk(inner, values) for inner in value]
    return value


def _without(text: str, values: tuple[str, ...]) -> str:
    for value in values:
        if value in text:
            text = text.replace(value, HIDDEN)
    return text


def _of_url(value: str) -> set[str]:
    """The password, or the lone token, of a URL."""
    if "://" not in value or "@" not in value:
        return set()
    try:
        parts = urlsplit(value)
        found = parts.password or ("" if parts.password is not None else _token(parts.username or ""))
    except ValueError:
        return set()
    return {found} if len(found) >= _LEAST else set()


def _token(user: str) -> str:
    return user if len(user) >= 20 else ""  # as in `storage.redact`: names are shorter


def _forms(value: str) -> set[str]:
    """How a value may be written: as it is, in a URL, in JSON, quoted for a shell."""
    return {
        value,
        value.strip(),
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        shlex.quote(value).strip("'"),
    }
