"""Values against those of a record, in which secrets are struck out: where one was, anything may be."""

from collections.abc import Mapping
from typing import Any

from fourfold.formats.native.canonical import canonical
from fourfold.storage.redact import HIDDEN


def fits(said: Any, known: Any) -> bool:
    """Whether a value can be the one that a record has, in which secrets are struck out."""
    if isinstance(said, Mapping) and isinstance(known, Mapping):
        return said.keys() == known.keys() and all(fits(said[key], known[key]) for key in said)
    if isinstance(said, list) and isinstance(known, list):
        return len(said) == len(known) and all(map(fits, said, known))
    if isinstance(said, str) and isinstance(known, str) and HIDDEN in known:
        return _filled(said, known)
    return known == HIDDEN or canonical(said) == canonical(known)


def _filled(said: str, known: str) -> bool:
    """Whether a text is another one with something where that has what stands for secrets."""
    first, *inner, last = known.split(HIDDEN)
    at, end = len(first), len(said) - len(last)
    if at > end or not (said.startswith(first) and said.endswith(last)):
        return False
    for piece in inner:
        found = said.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
