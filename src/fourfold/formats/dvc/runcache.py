"""The run cache: what DVC remembers of every run, under ``runs/<key[:2]>/<key>/<value>``.

The key digests what a stage is run with (command, dependencies, parameters, and the names of its outputs),
the value all of the lock entry with the outputs' content; sizes and file counts never count. The file holds
the lock entry. Facts: DVC 3.67.1 digests sorted JSON with SHA-256. No input or output.
"""

from collections.abc import Mapping
from typing import Any

from fourfold.base.errors import UnsupportedError
from fourfold.formats.dvc import yamlio
from fourfold.formats.dvc.fields import Fault, located
from fourfold.formats.dvc.lock import LockEntry, entry_document, parse_entry

_NOT_COUNTED = frozenset(("size", "nfiles"))


class UncacheableRunError(UnsupportedError):
    """A parameter of a run is of a type that has no JSON, such as a date: it cannot be remembered."""

    code = "uncacheable-run"


def _counted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _counted(item) for key, item in value.items() if key not in _NOT_COUNTED}
    if isinstance(value, list):
        return [_counted(item) for item in value]
    return value


def _digest(document: Mapping[str, Any]) -> str:
    import hashlib  # noqa: PLC0415 - a caller that only reads entries does not digest
    import json  # noqa: PLC0415 - likewise

    try:
        text = json.dumps(_counted(document), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise UncacheableRunError(
            f"a parameter has no JSON form: {error}", hint="quote the value in the parameters file"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()


def key(entry: LockEntry) -> str:
    """The name of what was run: 64 hex digits.

    Raises:
        UncacheableRunError: a parameter has no JSON form.
    """
    document = entry_document(entry)
    document["outs"] = [out["path"] for out in document.get("outs", ())]
    return _digest(document)


def value(entry: LockEntry) -> str:
    """The name of what came out: 64 hex digits.

    Raises:
        UncacheableRunError: a parameter has no JSON form.
    """
    return _digest(entry_document(entry))


def relpath(entry: LockEntry) -> str:
    """Where the entry lies below the legacy cache root: ``runs/kk/<key>/<value>``."""
    name = key(entry)
    return f"runs/{name[:2]}/{name}/{value(entry)}"


def render(entry: LockEntry) -> bytes:
    """The bytes of the entry's file, exactly as DVC writes them."""
    return yamlio.dump(entry_document(entry))


def parse(data: bytes, source: str = "") -> LockEntry:
    """Read an entry's file.

    Raises:
        BadYamlError: it is not YAML.
        BadFieldError: it is not a lock entry.
        BadObjectNameError: an ``md5`` is not an object name.
    """
    document = yamlio.load(data, source)
    try:
        return parse_entry(document, source)
    except Fault as fault:
        raise located(fault, yamlio.decode(data, source), source) from None
