"""Pointer files (``.dvc``): what one tracked file, directory or import is, as values.

Also the two entries that pointer files share with ``dvc.yaml`` and ``dvc.lock``: `Output` and
`Dependency`. Paths are kept as written; whether one is a URL, absolute or climbs is judged by whoever
joins it to a folder. Facts: DVC 3.67.1 writes the keys in one fixed order and leaves out what is
empty; it accepts only the keys listed here. No input or output.
"""

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fourfold.base.ids import BadObjectNameError, Oid, parse_oid
from fourfold.formats.dvc import yamlio
from fourfold.formats.dvc.fields import Fault, Path, check, dotted, located, missing

_NONE = type(None)


class Output(NamedTuple):
    """One entry of ``outs``: of a pointer file, a stage, or a lock entry.

    Attributes:
        path: As written, relative to the entry's ``wdir``; a URL for an output outside the project.
        oid: The object that holds its content; None when not known yet.
        legacy: Hashed by DVC 2 (MD5 after turning CRLF into LF), kept in the old cache layout.
        size: Bytes, of all files when a directory.
        nfiles: Files in a directory.
        isexec: The owner may execute it.
        cache: Whether its content goes to the cache.
        persist: Whether it survives the start of its stage.
        push: Whether it goes to remotes.
        remote: The only remote that it goes to.
        metric: Whether it is a metrics file.
        plot: Whether it is a plot, or the plot's properties.
        desc: Text for people.
        type: Text for people: "model", "data".
        labels: Words for people.
        meta: Whatever the user put there.
        files: Of a cloud-versioned directory: one mapping a file, as written; name and numbers follow from
            it and are not written.
        cloud: Of a cloud-versioned file: ``{remote: {etag, version_id}}``, as written.
        fs_config: Options of the file system that ``path`` is on.
        version_id: The version of the object at a URL.
        etag: The entity tag of the object at a URL.
        checksum: The checksum that a server reported for a URL.
    """

    path: str
    oid: Oid | None = None
    legacy: bool = False
    size: int | None = None
    nfiles: int | None = None
    isexec: bool = False
    cache: bool = True
    persist: bool = False
    push: bool = True
    remote: str | None = None
    metric: bool | Mapping[str, Any] = False
    plot: bool | Mapping[str, Any] | Sequence[Mapping[str, Any]] = False
    desc: str | None = None
    type: str | None = None
    labels: Sequence[str] | None = None
    meta: Any = None
    files: Sequence[Mapping[str, Any]] | None = None
    cloud: Mapping[str, Mapping[str, Any]] | None = None
    fs_config: Mapping[str, Any] | None = None
    version_id: str | None = None
    etag: str | None = None
    checksum: str | None = None


class RepoSource(NamedTuple):
    """Where an import comes from.

    Attributes:
        url: Of a Git repository, or a folder.
        rev: The branch, tag or commit that the user named.
        rev_lock: The commit that the content was taken from.
        config: DVC configuration to use there: a file's path, or the values.
        remote: The remote to use there: a name, or its settings.
    """

    url: str
    rev: str | None = None
    rev_lock: str | None = None
    config: str | Mapping[str, Any] | None = None
    remote: str | Mapping[str, Any] | None = None


class Dependency(NamedTuple):
    """One entry of ``deps``: of a pointer file (an import), a stage, or a lock entry.

    Attributes:
        path: As written; a URL for an import from one; empty for an import from a database.
        repo: Set when it is imported from a repository.
        db: The query or table, when it is imported from a database.
        dataset: In a lock entry, what a ``ds://`` name stood for.

    The others are as in `Output`.
    """

    path: str
    oid: Oid | None = None
    legacy: bool = False
    size: int | None = None
    nfiles: int | None = None
    isexec: bool = False
    etag: str | None = None
    checksum: str | None = None
    version_id: str | None = None
    files: Sequence[Mapping[str, Any]] | None = None
    fs_config: Mapping[str, Any] | None = None
    repo: RepoSource | None = None
    db: Mapping[str, Any] | None = None
    dataset: Mapping[str, Any] | None = None
    cloud: Mapping[str, Mapping[str, Any]] | None = None


class Pointer(NamedTuple):
    """A pointer file.

    Attributes:
        outs: What it tracks; nearly always one.
        deps: What an import comes from; none for data added by hand.
        md5: Of an import: the checksum of its definition (see `import_checksum`).
        wdir: The folder that paths are relative to, itself relative to the file's; None for the same.
        frozen: Not to be updated.
        always_changed: To be taken for changed whatever the content.
        desc: Text for people.
        meta: Whatever the user put there.
    """

    outs: tuple[Output, ...] = ()
    deps: tuple[Dependency, ...] = ()
    md5: str | None = None
    wdir: str | None = None
    frozen: bool = False
    always_changed: bool = False
    desc: str | None = None
    meta: Any = None


_CHECKSUM = (str, _NONE)
CONTENT_TYPES: dict[str, tuple[type, ...]] = {
    "md5": _CHECKSUM,
    "etag": _CHECKSUM,
    "checksum": _CHECKSUM,
    "size": (int,),
    "nfiles": (int,),
    "isexec": (bool,),
    "version_id": (str,),
}
_ANY = (str, int, float, bool, list, dict, _NONE)
_ENTRY: dict[str, tuple[type, ...]] = {
    **CONTENT_TYPES,
    "path": (str,),
    "persist": (bool,),
    "cloud": (dict,),
    "hash": (str,),
    "files": (list,),
    "fs_config": (dict,),
}
_OUTPUT: dict[str, tuple[type, ...]] = {
    **_ENTRY,
    "desc": (str,),
    "type": (str,),
    "labels": (list,),
    "meta": _ANY,
    "cache": (bool,),
    "remote": (str,),
    "push": (bool,),
}
_DEPENDENCY: dict[str, tuple[type, ...]] = {**_ENTRY, "repo": (dict,), "db": (dict,)}
_FILE: dict[str, tuple[type, ...]] = {**CONTENT_TYPES, "relpath": (str,), "cloud": (dict,)}
_REPO: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "rev": (str,),
    "rev_lock": (str,),
    "config": (str, dict),
    "remote": (str, dict),
}
_DB: dict[str, tuple[type, ...]] = dict.fromkeys(("query", "connection", "file_format", "table"), (str,))
_POINTER: dict[str, tuple[type, ...]] = {
    "md5": _CHECKSUM,
    "wdir": (str, _NONE),
    "deps": (list, _NONE),
    "outs": (list, _NONE),
    "locked": (bool,),
    "frozen": (bool,),
    "meta": _ANY,
    "always_changed": (bool,),
    "desc": (str,),
}
_CMD_HINT = "files of DVC 1 and older: move its command to dvc.yaml (dvc stage add), or open it with DVC 2"


def is_external(path: str) -> bool:
    """Whether a path of an entry is absolute or a URL: not a file below the project."""
    return path.startswith("/") or "://" in path


def parse(data: bytes, source: str = "") -> Pointer:
    """Read a pointer file; an empty one tracks nothing, as for DVC.

    Raises:
        BadYamlError: it is not YAML.
        BadFieldError: a key is unknown or missing, or a value is of a wrong type.
        BadObjectNameError: an ``md5`` is not an object name.
    """
    value = yamlio.load(data, source) or {}
    try:
        return _pointer(value, source)
    except Fault as fault:
        raise located(fault, yamlio.decode(data, source), source) from None


def _pointer(value: object, source: str) -> Pointer:
    if type(value) is dict and "cmd" in value:
        raise Fault(("cmd",), "a .dvc file with a command ('cmd')", _CMD_HINT, at_key=True)
    top = check(value, _POINTER, ())
    outs = top.get("outs") or ()
    deps = top.get("deps") or ()
    return Pointer(
        outs=tuple([parse_output(entry, ("outs", at), source) for at, entry in enumerate(outs)]),
        deps=tuple([parse_dependency(entry, ("deps", at), source) for at, entry in enumerate(deps)]),
        md5=top.get("md5"),
        wdir=top.get("wdir"),
        frozen=top.get("frozen", False) or top.get("locked", False),
        always_changed=top.get("always_changed", False),
        desc=top.get("desc"),
        meta=top.get("meta"),
    )


def entry_oid(entry: Mapping[str, Any], path: Path, source: str) -> Oid | None:
    """The object that an entry's ``md5`` names; None when it has none.

    Raises:
        BadObjectNameError: it is not an object name.
    """
    text = entry.get("md5")
    if not text:
        return None
    try:
        return parse_oid(text, source)
    except BadObjectNameError as error:
        raise BadObjectNameError(f"{error.message} ({dotted(path)}.md5)", hint=error.hint) from None


def entry_path(entry: Mapping[str, Any], path: Path) -> str:
    """The path of an entry, as written.

    Raises:
        Fault: it has none, or one that no file can have.
    """
    text: str | None = entry.get("path")
    if text is None:
        missing(path, "path")
    if not text or "\0" in text:
        raise Fault((*path, "path"), f"{dotted(path)}.path is empty or holds a NUL")
    return text


def entry_is_legacy(entry: Mapping[str, Any], where: str, path: Path) -> bool:
    """Whether an entry at ``where`` was hashed by DVC 2.

    Raises:
        Fault: its hash algorithm is unknown.
    """
    name = entry.get("hash")
    if name is None:
        return not is_external(where)
    if name != "md5":
        raise Fault((*path, "hash"), f"unknown hash algorithm {name!r}", "DVC 3 knows md5 only")
    return False


def check_nested(entry: Mapping[str, Any], path: Path) -> None:
    """Check the lists and mappings inside an entry."""
    if "files" in entry:
        for at, item in enumerate(entry["files"]):
            here = (*path, "files", at)
            if "relpath" not in check(item, _FILE, here):
                missing(here, "relpath")
            if "cloud" in item:
                _check_cloud(item["cloud"], (*here, "cloud"))
    if "cloud" in entry:
        _check_cloud(entry["cloud"], (*path, "cloud"))
    if "labels" in entry and not all(type(label) is str for label in entry["labels"]):
        raise Fault((*path, "labels"), f"{dotted(path)}.labels must be a list of text")


def _check_cloud(cloud: Mapping[str, Any], path: Path) -> None:
    if len(cloud) > 1:
        raise Fault(path, f"{dotted(path)} names more than one remote")
    for name, item in cloud.items():
        check(item, CONTENT_TYPES, (*path, name))


def parse_output(entry: object, path: Path, source: str) -> Output:
    """Read one entry of ``outs`` of a pointer file.

    Raises:
        Fault: it has not the right shape.
        BadObjectNameError: its ``md5`` is not an object name.
    """
    item = check(entry, _OUTPUT, path)
    where = entry_path(item, path)
    check_nested(item, path)
    get = item.get
    out = Output(
        path=where,
        oid=entry_oid(item, path, source),
        legacy=entry_is_legacy(item, where, path),
        size=get("size"),
        nfiles=get("nfiles"),
        isexec=get("isexec", False),
        cache=get("cache", True),
        persist=get("persist", False),
        push=get("push", True),
        remote=get("remote"),
        desc=get("desc"),
        type=get("type"),
        labels=get("labels"),
        meta=get("meta"),
        files=get("files"),
        cloud=get("cloud"),
        fs_config=get("fs_config"),
        version_id=get("version_id"),
        etag=get("etag"),
        checksum=get("checksum"),
    )
    return with_listed_content(out, source) if out.files else out


def with_listed_content(out: Output, source: str) -> Output:
    """An output that lists its files, with the name and the numbers that follow from them.

    Raises:
        BadManifestError, UnsafePathError, BadObjectNameError: the list is impossible.
    """
    from fourfold.formats.dvc import cloudfiles  # noqa: PLC0415 - few outputs list files

    found = cloudfiles.identity(out.files or (), f"{source}: {out.path}")
    if out.oid is not None or found is None:
        return out
    return out._replace(oid=found[0], size=found[1], nfiles=found[2])


def parse_dependency(entry: object, path: Path, source: str) -> Dependency:
    """Read one entry of ``deps`` of a pointer file.

    Raises:
        Fault: it has not the right shape.
        BadObjectNameError: its ``md5`` is not an object name.
    """
    item = check(entry, _DEPENDENCY, path)
    get = item.get
    check_nested(item, path)
    if "db" in item:
        return Dependency(path=get("path", ""), db=check(item["db"], _DB, (*path, "db")))
    where = entry_path(item, path)
    repo = None
    if item.get("repo"):
        raw = check(item["repo"], _REPO, (*path, "repo"))
        if "url" not in raw:
            missing((*path, "repo"), "url")
        repo = RepoSource(**raw)
    return Dependency(
        path=where,
        oid=entry_oid(item, path, source),
        legacy=repo is None and entry_is_legacy(item, where, path),
        size=get("size"),
        nfiles=get("nfiles"),
        isexec=get("isexec", False),
        etag=get("etag"),
        checksum=get("checksum"),
        version_id=get("version_id"),
        files=get("files"),
        fs_config=get("fs_config"),
        repo=repo,
        cloud=get("cloud"),
    )


def content_entry(item: Output | Dependency, *, null_md5: bool) -> dict[str, Any]:
    """The keys that identify the content, in DVC's order; the one that serves as its hash leads.

    Args:
        item: Whose.
        null_md5: Whether an unknown legacy hash is written as an empty value.
    """
    entry: dict[str, Any] = {}
    if item.files is not None:
        return entry
    if item.oid:
        entry["md5"] = item.oid
    elif item.legacy and null_md5:
        entry["md5"] = None
    elif is_external(item.path):
        if item.etag:
            entry["etag"] = item.etag
        elif item.checksum:
            entry["checksum"] = item.checksum
    if item.size is not None:
        entry["size"] = item.size
    if item.nfiles is not None:
        entry["nfiles"] = item.nfiles
    for key in ("isexec", "version_id", "etag", "checksum"):
        value = getattr(item, key)
        if value:
            entry[key] = value
    if item.cloud:
        entry["cloud"] = item.cloud
    return entry


def _with_path(entry: dict[str, Any], item: Output | Dependency) -> None:
    external = is_external(item.path)
    if not item.legacy or external:
        entry["hash"] = "md5"
    entry["path"] = item.path if external else posixpath.normpath(item.path)
    if item.fs_config:
        entry["fs_config"] = item.fs_config


def output_entry(out: Output) -> dict[str, Any]:
    """``out`` as the mapping that DVC writes in a pointer file."""
    entry = content_entry(out, null_md5=True)
    _with_path(entry, out)
    for key in ("desc", "type", "labels", "meta"):
        value = getattr(out, key)
        if value:
            entry[key] = value
    if not out.cache:
        entry["cache"] = False
    for key in ("metric", "plot", "persist", "remote"):
        value = getattr(out, key)
        if value:
            entry[key] = value
    if not out.push:
        entry["push"] = False
    if out.files is not None:
        entry["files"] = out.files
    return entry


def dependency_entry(dep: Dependency) -> dict[str, Any]:
    """``dep`` as the mapping that DVC writes in a pointer file."""
    if dep.db is not None:
        db = {key: value for key, value in dep.db.items() if value}
        return {"db": db} if db else {}
    if dep.repo is not None:
        repo = {key: value for key, value in dep.repo._asdict().items() if value}
        return {"path": dep.path, "repo": repo}
    entry = content_entry(dep, null_md5=True)
    _with_path(entry, dep)
    if dep.files is not None:
        entry["files"] = dep.files
    return entry


def document(pointer: Pointer) -> dict[str, Any]:
    """``pointer`` as the mapping that DVC writes: one fixed order, nothing empty."""
    wdir = None if pointer.wdir is None else posixpath.normpath(pointer.wdir)
    full = {
        "desc": pointer.desc,
        "md5": pointer.md5,
        "wdir": None if wdir == "." else wdir,
        "frozen": pointer.frozen,
        "deps": [dependency_entry(dep) for dep in pointer.deps],
        "outs": [output_entry(out) for out in pointer.outs],
        "always_changed": pointer.always_changed,
        "meta": pointer.meta,
    }
    return {key: value for key, value in full.items() if value}


def render(pointer: Pointer) -> bytes:
    """The bytes of a new pointer file, exactly as DVC writes them."""
    return yamlio.dump(document(pointer))


def update(old: bytes, pointer: Pointer, source: str = "") -> bytes:
    """The bytes of a pointer file that said ``old`` and now says ``pointer``.

    As DVC does on adding again: comments, key order and flow style stay, new keys go to the end.

    Raises:
        BadYamlError: ``old`` is not YAML.
    """
    return yamlio.update(old, document(pointer), source)


#: What may change without the import being another one.
_NOT_IDENTITY = frozenset(
    ("desc", "type", "labels", "meta", "locked", "frozen", "metric", "persist", "isexec", "size", "nfiles")
)


def _identity(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _identity(item) for key, item in value.items() if key not in _NOT_IDENTITY}
    if isinstance(value, list | tuple):
        return [_identity(item) for item in value]
    return value


def import_checksum(pointer: Pointer) -> str:
    """The ``md5`` of an import: MD5 of the definition as sorted JSON, less what does not identify it."""
    import hashlib  # noqa: PLC0415 - imports only
    import json  # noqa: PLC0415 - imports only

    value = document(pointer)
    value.pop("md5", None)
    text = json.dumps(_identity(value), sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
