"""``datasets:`` of ``dvc.yaml`` and ``dvc.lock``: data from elsewhere that stages name as ``ds://name``.

``dvc.yaml`` says what is meant (`DatasetSpec`), ``dvc.lock`` what that was (`DatasetLock`): the commit of a
repository, the version of a DataChain data set, or the tags and versions of the objects behind a URL. Facts
(DVC 3.67.1): keys stand in the order given here, those that are empty are left out, an entry is replaced as a
whole, and a lock counts only while it says the same as ``dvc.yaml``. No input or output.
"""

from collections.abc import Mapping, MutableSequence, Sequence
from typing import Any, NamedTuple

from fourfold.base.errors import ConflictError
from fourfold.formats.dvc import yamlio
from fourfold.formats.dvc.fields import Fault, Path, Types, check, located, missing, wrong

#: A repository of Git or DVC, a DataChain data set, objects behind a URL.
KINDS = ("dvc", "dc", "url")

_TEXT = (str,)
_NONE = type(None)
_SPEC: Types = {
    "name": _TEXT,
    "url": _TEXT,
    "type": _TEXT,
    "path": (str, _NONE),
    "rev": (str, int, float, _NONE),
}
_META: dict[str, tuple[type, ...]] = {
    "isdir": (bool,),
    "size": (int,),
    "nfiles": (int,),
    "isexec": (bool,),
    "version_id": _TEXT,
    "etag": _TEXT,
    "checksum": _TEXT,
    "md5": _TEXT,
}
_LOCK: Types = {
    **_SPEC,
    "rev_lock": _TEXT,
    "version": (int,),
    "created_at": _TEXT,
    "meta": (dict,),
    "files": (list,),
}


class ParametrizedDatasetError(ConflictError):
    """A data set's entry comes from a template: it cannot be written."""

    code = "templated-data-set"


class DatasetSpec(NamedTuple):
    """What ``dvc.yaml`` says of a data set.

    Attributes:
        name: Without ``ds://``.
        url: Of the repository, or of the objects; of a DataChain data set, its name.
        type: One of `KINDS`.
        path: Inside of the repository; empty for all of it.
        rev: The branch, tag or commit to follow; None for the default branch.
    """

    name: str
    url: str
    type: str
    path: str = ""
    rev: str | None = None


class DatasetLock(NamedTuple):
    """What a data set was when it was last looked at.

    Attributes:
        spec: What was looked for.
        rev_lock: The commit, of a repository.
        version: Of a DataChain data set.
        created_at: When that version was made, as written.
        meta: What is known of an object, or of a folder as a whole.
        files: The objects of a folder: ``relpath`` and ``meta``, sorted.
    """

    spec: DatasetSpec
    rev_lock: str | None = None
    version: int | None = None
    created_at: str | None = None
    meta: Mapping[str, Any] | None = None
    files: tuple[Mapping[str, Any], ...] = ()


def parse_specs(value: object, data: bytes, source: str = "") -> tuple[DatasetSpec, ...]:
    """The entries under ``datasets`` of a ``dvc.yaml``; of two with one name the last counts for DVC.

    Args:
        value: What stands there; None when nothing does.
        data: The bytes of the file, to say where a fault is.
        source: How messages call it.

    Raises:
        BadFieldError: an entry is no data set.
    """
    try:
        return tuple(_spec(entry, ("datasets", at)) for at, entry in enumerate(_entries(value)))
    except Fault as fault:
        raise located(fault, yamlio.decode(data, source), source) from None


def parse_locks(value: object, data: bytes, source: str = "") -> tuple[DatasetLock, ...]:
    """The entries under ``datasets`` of a ``dvc.lock``; arguments and errors as `parse_specs`."""
    try:
        return tuple(_lock(entry, ("datasets", at)) for at, entry in enumerate(_entries(value)))
    except Fault as fault:
        raise located(fault, yamlio.decode(data, source), source) from None


def lock_of(entry: object) -> DatasetLock | None:
    """What the lock entry of a stage recorded of a data set; None when that says nothing."""
    try:
        return _lock(entry, ())
    except Fault:
        return None


def _entries(value: object) -> list[Any]:
    if value is None:
        return []
    if type(value) is not list:
        wrong(("datasets",), value, (list,))
    return value


def _spec(value: object, path: Path) -> DatasetSpec:
    entry = check(value, _SPEC, path)
    for key in ("name", "url", "type"):
        if key not in entry:
            missing(path, key)
    if entry["type"] not in KINDS:
        known = ", ".join(map(repr, KINDS))
        raise Fault((*path, "type"), f"unknown type {entry['type']!r} of a data set", f"known types: {known}")
    rev = entry.get("rev")
    if rev is not None and type(rev) is not str:
        raise Fault((*path, "rev"), f"the revision {rev!r} is read as a number", f"quote it: rev: '{rev}'")
    if entry["type"] != "dvc":
        return DatasetSpec(entry["name"], entry["url"], entry["type"])
    return DatasetSpec(entry["name"], entry["url"], "dvc", entry.get("path") or "", rev)


def _lock(value: object, path: Path) -> DatasetLock:
    entry = check(value, _LOCK, path)
    spec = _spec({key: part for key, part in entry.items() if key in _SPEC}, path)
    wanted = {"dvc": ("rev_lock",), "dc": ("version", "created_at"), "url": ("meta",)}[spec.type]
    for key in wanted:
        if key not in entry:
            missing(path, key)
    if spec.type == "dvc":
        return DatasetLock(spec, rev_lock=entry["rev_lock"])
    if spec.type == "dc":
        return DatasetLock(spec, version=entry["version"], created_at=entry["created_at"])
    files = []
    for at, row in enumerate(entry.get("files", ())):
        here = (*path, "files", at)
        found = check(row, {"relpath": _TEXT, "meta": (dict,)}, here)
        for key in ("relpath", "meta"):
            if key not in found:
                missing(here, key)
        files.append({"relpath": found["relpath"], "meta": _meta(found["meta"], (*here, "meta"))})
    files.sort(key=lambda row: str(row["relpath"]))
    return DatasetLock(spec, meta=_meta(entry["meta"], (*path, "meta")), files=tuple(files))


def _meta(value: Mapping[str, Any], path: Path) -> dict[str, Any]:
    for key, part in value.items():  # what later versions of DVC know more is kept, and compared
        allowed = _META.get(key)
        if allowed is not None and type(part) not in allowed:
            wrong((*path, key), part, allowed)
    return meta_document(**value)


def meta_document(**known: Any) -> dict[str, Any]:
    """What is known of an object, in DVC's order, without what is not known."""
    document = {key: known.get(key) for key in _META} | known
    return {
        key: value for key, value in document.items() if not (value is None or value is False or value == "")
    }


def spec_document(spec: DatasetSpec) -> dict[str, Any]:
    """A data set as DVC writes it into ``dvc.yaml``."""
    entry: dict[str, Any] = {"name": spec.name, "url": spec.url, "type": spec.type}
    if spec.path:
        entry["path"] = spec.path
    if spec.rev is not None:
        entry["rev"] = spec.rev
    return entry


def lock_document(lock: DatasetLock) -> dict[str, Any]:
    """A data set as DVC writes it into ``dvc.lock``, also into the entries of stages."""
    entry = spec_document(lock.spec)
    if lock.rev_lock is not None:
        entry["rev_lock"] = lock.rev_lock
    if lock.version is not None:
        entry |= {"version": lock.version, "created_at": lock.created_at}
    if lock.meta is not None:
        entry["meta"] = dict(lock.meta)
    if lock.files:
        entry["files"] = [{"relpath": row["relpath"], "meta": dict(row["meta"])} for row in lock.files]
    return entry


def mark_of(lock: DatasetLock) -> str:
    """What tells one state of a data set from another: a commit, a version, or a digest of the tags."""
    if lock.rev_lock is not None:
        return lock.rev_lock
    if lock.version is not None:
        return f"v{lock.version}"
    if not lock.files and lock.meta and lock.meta.get("etag"):
        return str(lock.meta["etag"]).strip('"')
    import hashlib  # noqa: PLC0415 - few data sets are folders
    import json  # noqa: PLC0415 - likewise

    return hashlib.md5(json.dumps(lock_document(lock)).encode(), usedforsecurity=False).hexdigest()


def put_spec(old: bytes, spec: DatasetSpec, source: str = "") -> bytes:
    """The bytes of the ``dvc.yaml`` that said ``old`` with a data set added or replaced.

    Raises:
        BadYamlError: ``old`` is not YAML.
        BadFieldError: what stands under ``datasets`` is no list.
        ParametrizedDatasetError: the entry of that name is written with templates.
    """
    return _put(old, spec_document(spec), source, {})


def put_lock(old: bytes, lock: DatasetLock, source: str = "") -> bytes:
    """The bytes of the ``dvc.lock`` that said ``old`` with a data set added or replaced; as `put_spec`."""
    return _put(old, lock_document(lock), source, {"schema": "2.0"}, {"stages": {}})


def _put(
    old: bytes, entry: dict[str, Any], source: str, head: Mapping[str, Any], tail: Mapping[str, Any] = {}
) -> bytes:
    def change(document: yamlio.Document) -> yamlio.Document:
        document.update(head)
        known = document.get("datasets")
        if known is None:
            known = document["datasets"] = []
        if not isinstance(known, MutableSequence):
            fault = Fault(("datasets",), "'datasets' must be a list")
            raise located(fault, yamlio.decode(old, source), source)
        at = _index(known, entry["name"])
        if at is None:
            known.append(dict(entry))
        else:
            _refuse_templates(known[at], entry["name"], source)
            known[at] = dict(entry)
        for key, value in tail.items():
            document.setdefault(key, value)
        return document

    return yamlio.edit(old, change, source)


def _index(known: Sequence[Any], name: str) -> int | None:
    for at, entry in enumerate(known):
        if isinstance(entry, Mapping) and entry.get("name") == name:
            return at
    return None


def _refuse_templates(entry: Mapping[str, Any], name: str, source: str) -> None:
    if any("${" in value for value in entry.values() if isinstance(value, str)):
        raise ParametrizedDatasetError(
            f"the entry of data set '{name}' in {source or 'dvc.yaml'} is written with templates",
            hint="change the value that the template names instead",
        )
