"""Where one output of two replays differs: the parts of a file by name, with a few words for each.

What a file's parts are is `fourfold.formats.likeness`; what follows from a difference is for the caller.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

from fourfold.base.errors import FourfoldError
from fourfold.formats.likeness.model import Difference
from fourfold.formats.likeness.reading import compare_paths

#: The name of the part of a file that is all of it.
WHOLE = ""
_CHUNK = 1 << 20


def parts(path: str, before: str | None, after: str | None) -> Iterator[tuple[str, str]]:
    """The parts of an output that differ, by name, with words for each."""
    if before is None and after is None:
        return
    if before is None or after is None:
        yield WHOLE, "it is not written" if after is None else "it is written, and was not"
        return
    try:
        differences = compare_paths(before, after, name=os.path.basename(path))
    except FourfoldError:
        differences = (Difference(WHOLE, "values", "", ""),)
    if not differences:
        where = _first_byte(before, after)
        if where is not None:
            yield "(bytes)", f"it means the same in other bytes, from {where} on"
        return
    for one in differences:
        if one.name in {WHOLE, path}:
            yield WHOLE, f"differs from {_first_byte(before, after) or 'its kind'} on"
        else:
            yield one.name, f"{one.name}{_told(one)}"


def _told(difference: Difference) -> str:
    """What happened to a part, with its value where that is one number."""
    if difference.what in {"missing", "new"}:
        return f" is {difference.what}"
    values = [
        next(iter(leaf.numbers()), None)
        for leaf in difference.leaves
        if leaf is not None and leaf.numbers is not None and leaf.shape == ()
    ]
    if len(values) == 2 and None not in values:
        return f" is {_number(values[1])}, not {_number(values[0])}"
    return f" has another {difference.what}" if difference.what != "values" else " has other values"


def _number(value: float | None) -> str:
    """A number as people write it: 3 for what a document has as 3."""
    if value is not None and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return repr(value)


def _first_byte(before: str, after: str) -> str | None:
    """Where two files begin to differ, in words; None where they are equal, or no files."""
    with suppress(OSError), open(before, "rb") as one, open(after, "rb") as other:
        at, line = 0, 1
        while True:
            left, right = one.read(_CHUNK), other.read(_CHUNK)
            if left == right:
                if not left:
                    return None
                at += len(left)
                line += left.count(b"\n")
                continue
            pairs = enumerate(zip(left, right, strict=False))
            same = next((number for number, (x, y) in pairs if x != y), min(len(left), len(right)))
            line += left.count(b"\n", 0, same)
            is_text = b"\0" not in left + right
            return f"line {line}" if is_text else f"byte {at + same}"
    return None
