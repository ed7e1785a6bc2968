"""Values against those of a record, in which secrets are struck out: where one was, anything may be."""

from collections.abc import Mapping
from typing import Any

from fourfold.formats.native.canonical import canonical
from fourfold.storage.redact import HIDDEN


def fits(said: Any, known: Any) -> bool:
    """Whether a value can be the one that a record has, in which secrets are struck out: of texts only."""
    if isinstance(said, Mapping) and isinstance(known, Mapping):
        return _keyed(said, known)
    if isinstance(said, list) and isinstance(known, list):
        return len(said) == len(known) and all(map(fits, said, known))
    if isinstance(said, str) and isinstance(known, str) and HIDDEN in known:
        return _filled(said, known)
    return canonical(said) == canonical(known)


def _keyed(said: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """The same of values by key; a secret may stand in a key too, and two keys be one without it."""
    struck = {key: value for key, value in known.items() if key not in said and HIDDEN in key}
    if not struck:
        return said.keys() == known.keys() and all(fits(said[key], known[key]) for key in said)
    plain = known.keys() - struck.keys()
    rest = said.keys() - plain
    fitting = {(key, each) for key in rest for each in struck if _filled(key, each)}
    return (
        plain <= said.keys()
        and all(fits(said[key], known[key]) for key in plain)
        and {key for key, _ in fitting} == rest
        and {each for key, each in fitting if fits(said[key], struck[each])} == struck.keys()
    )


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
