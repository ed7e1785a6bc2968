"""What a run measured: its metrics as numbers, and the bytes of small results that no cache keeps.

Whoever compares two runs later (`fourfold.evidence`) needs both without the workspace of then: the digest
of a file of metrics says that it is another one, not how far it is from the first. Values are those of the
files at the end of the run; a file that changed meanwhile, is too large or cannot be understood gives none.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from fourfold.base.errors import FourfoldError
from fourfold.formats.dvc import params
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.fact import Fact, observed
from fourfold.runs.code import packed
from fourfold.runs.codestate import holds_secret, secret_values

if TYPE_CHECKING:
    from fourfold.runs.contents import Content
    from fourfold.runs.task import Item

#: Larger files are not looked into, in bytes.
MOST = 256 * 1024
#: So many bytes of small results a record keeps, together.
_MOST_KEPT = 1024 * 1024
#: Metrics of more bytes are a part.
_LONG = 8 * 1024
_DEEPEST = 16

Found = Iterable[tuple["Item", "Content | None"]]
Parts = Callable[[Mapping[str, Any]], dict[str, Any]]


def facts(outputs: Found, parts: Parts, keep: Parts, environ: Mapping[str, str]) -> dict[str, Fact]:
    """The facts ``metrics`` and ``kept`` of the data of a run.

    Args:
        outputs: What came out, with its content where it is known.
        parts: Keeps a document.
        keep: Likewise, with its text as it is.
        environ: Of the run: a result that holds a secret of it is not kept.
    """
    small = [
        (item, content.blake3, data)
        for item, content in outputs
        if content is not None and (item.role == "metric" or not item.cached)
        for data in [_read(item.path, content)]
        if data is not None
    ]
    metrics = {
        item.shown: numbers
        for item, _, data in small
        if item.role == "metric" and (numbers := dict(_numbers(_parsed(item.path, data))))
    }
    kept: dict[str, dict[str, str]] = {}
    hidden = secret_values(environ) if any(not item.cached for item, _, _ in small) else ()
    size = 0
    for item, name, data in small:
        if not item.cached and size + len(data) <= _MOST_KEPT and not holds_secret(data, hidden):
            size += len(data)
            kept[name] = packed(data)
    found: dict[str, Fact] = {}
    if metrics:
        found["metrics"] = observed(
            parts({"metrics": metrics}) if len(canonical(metrics)) > _LONG else metrics
        )
    if kept:
        found["kept"] = observed(keep({"files": kept}))
    return found


def _read(path: str, content: "Content") -> bytes | None:
    """The bytes of a small file, if they are still those of its digest."""
    if content.nfiles is not None or content.size > MOST:
        return None
    try:
        with open(path, "rb") as file:
            data = file.read(MOST + 1)
    except OSError:
        return None
    return data if digest(data) == content.blake3 else None


def _parsed(path: str, data: bytes) -> Any:
    name = os.path.basename(path)
    try:
        return params.parse(data, name, name)
    except FourfoldError:
        return None


def _numbers(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, float | int]]:
    """The finite numbers of a document, by dotted name."""
    if depth > _DEEPEST:
        return
    if is_finite(value):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, f"{name}.{key}" if name else str(key), depth + 1)


def is_finite(value: object) -> TypeGuard[float]:
    """Whether a value is a number that can be counted with; truths are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False
