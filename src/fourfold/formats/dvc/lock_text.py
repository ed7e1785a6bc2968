"""``dvc.lock`` as text: where the lines of each stage are, to change some and leave the others alone.

A run writes the file after every stage; reading and writing all of it as YAML each time would cost the
square of the number of stages. The file that DVC and we write has one shape: lines of the top at the first
column, then ``stages:``, then each stage's key at the third column and all that it says further in. A file
of that shape without comments is cut at those keys; any other is refused with None, and the caller takes
the round trip of YAML. No input or output.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fourfold.formats.dvc import yamlio
from fourfold.formats.dvc.yaml_scalars import is_odd, is_text

#: What may not be in a file that is cut: comments, blank lines, anchors, tags, aliases, flow collections
#: with content, tabs, and blanks at a fold, which a round trip loses. Text that merely holds one of these
#: costs the slow way, nothing else.
_BEYOND = re.compile(r"^ *(?:#|\n)|  \n| #|\t|(?:: |- )[&*!{\[](?!\]|\})", re.MULTILINE)
#: The key of a stage on a line of its own: a plain word, or one in single quotes.
_KEY = re.compile(r"^  (?:'((?:[^'\n]|'')+)'|([A-Za-z0-9_./@+-][^ :#\n]*)):\n", re.MULTILINE)
#: Lines that begin above the keys of the stages, or at their column.
_OUTER = re.compile(r"^ {0,2}[^ \n].*\n", re.MULTILINE)
_STAGES = "stages:\n"


class LockText:
    """The text of a lock file, cut into its head and its stages.

    Args:
        head: Everything up to and with the line ``stages:``.
        stages: The lines of each stage, its key included, by name and in order.
    """

    def __init__(self, head: str, stages: dict[str, str]) -> None:
        self._head = head
        self._stages = stages

    def __contains__(self, name: object) -> bool:
        return name in self._stages

    def __iter__(self) -> Iterator[str]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)

    def lines_of(self, name: str) -> str:
        """The lines of a stage, its key included; "" for one that is not there."""
        return self._stages.get(name, "")

    def put(self, name: str, document: Mapping[str, Any], rank: Mapping[str, int] | None = None) -> None:
        """Say ``document`` of a stage: in its place when it is known, else at its rank, else at the end.

        Args:
            name: The stage.
            document: Its entry as a mapping, see `lock.entry_document`.
            rank: A new stage goes before the first stage in the file whose rank is higher.
        """
        block = _block(name, document)
        later = place_of(name, self._stages, rank)
        if later is None:
            self._stages[name] = block
        else:
            yamlio.insert(self._stages, later, name, block)

    def drop(self, name: str) -> None:
        """Say no longer anything of a stage."""
        self._stages.pop(name, None)

    def render(self) -> bytes:
        """The bytes of the file."""
        return "".join((self._head, *self._stages.values())).encode()


def place_of(name: str, known: Iterable[str], rank: Mapping[str, int] | None) -> str | None:
    """Before which known stage a new one goes; None for a known one, and for the end."""
    if rank is None or name not in rank:
        return None
    names = list(known)
    if name in names:
        return None
    mine = rank[name]
    return next((other for other in names if rank.get(other, -1) > mine), None)


def cut(data: bytes) -> LockText | None:
    """Cut the bytes of a lock file; None when its shape is another one than that which DVC writes."""
    if not data:
        return LockText(f"schema: '2.0'\n{_STAGES}", {})
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    before, line, _after = f"\n{text}".partition(f"\n{_STAGES}")
    if not line or text[-1] != "\n" or is_odd(text) or _BEYOND.search(text):
        return None
    start = len(before) + len(line) - 1
    stages = _stages(text, start)
    return LockText(text[:start], stages) if stages else None


def _stages(text: str, start: int) -> dict[str, str]:
    """The lines of each stage from ``start`` on; nothing when something else is between them."""
    keys = [_KEY.match(text, line.start()) for line in _OUTER.finditer(text, start)]
    stages: dict[str, str] = {}
    for key, following in zip(keys, (*keys[1:], None), strict=False):
        if key is None:
            return {}
        quoted, plain = key.groups()
        name = quoted.replace("''", "'") if quoted else plain
        if name in stages or (not quoted and not is_text(name)):
            return {}
        stages[name] = text[key.start() : following.start() if following else len(text)]
    return stages


def _block(name: str, document: Mapping[str, Any]) -> str:
    """The lines of one stage, as DVC writes them."""
    return yamlio.dump({"stages": {name: dict(document)}}).decode().removeprefix(_STAGES)
