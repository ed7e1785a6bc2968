"""``dvc.lock``, schema 2.0: what each stage of a pipeline ran with, and what came out.

An entry holds the command after templating, and the content of dependencies, parameters and outputs.
Facts: DVC 3.67.1 sorts dependencies and outputs by path, puts ``params.yaml`` before other parameter files,
sorts parameters at the first level only, writes the path first, and replaces an entry as a whole. The same
entry, alone in a file, is what the run cache keeps (`runcache`). No input or output.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fourfold.base.errors import InvalidFileError
from fourfold.formats.dvc import lock_text, yamlio
from fourfold.formats.dvc.fields import Fault, Path, check, located, missing, wrong
from fourfold.formats.dvc.pointer import (
    CONTENT_TYPES,
    Dependency,
    Output,
    check_nested,
    content_entry,
    entry_is_legacy,
    entry_oid,
    entry_path,
    with_listed_content,
)

SCHEMA = "2.0"
#: The file whose parameters come first, wherever the stage names none.
DEFAULT_PARAMS = "params.yaml"


class LockSchemaError(InvalidFileError):
    """A ``dvc.lock`` of a schema other than 2.0."""

    code = "lock-schema"


class LockEntry(NamedTuple):
    """What one stage ran with.

    Attributes:
        cmd: The command after templating: text, or a list of commands.
        deps: With their content, without parameters.
        params: The values used, by file, then by key (dotted keys stay one key).
        outs: With their content; metrics and plots among them.
    """

    cmd: str | Sequence[str]
    deps: tuple[Dependency, ...] = ()
    params: Mapping[str, Mapping[str, Any]] = {}
    outs: tuple[Output, ...] = ()


class LockFile(NamedTuple):
    """A whole ``dvc.lock``.

    Attributes:
        schema: Always "2.0".
        stages: By name, in the order of the file.
        datasets: As written; None when the key is absent.
    """

    schema: str
    stages: dict[str, LockEntry]
    datasets: Any = None


_NONE = type(None)
_ITEM: dict[str, tuple[type, ...]] = {
    **CONTENT_TYPES,
    "path": (str,),
    "cloud": (dict,),
    "files": (list,),
    "hash": (str,),
    "dataset": (dict,),
}
_ENTRY: dict[str, tuple[type, ...]] = {
    "cmd": (str, list),
    "deps": (list,),
    "params": (dict,),
    "outs": (list,),
}
_ANY = (str, int, float, bool, list, dict, _NONE)
_FILE: dict[str, tuple[type, ...]] = {"schema": (str,), "datasets": _ANY, "stages": (dict,)}


def parse(data: bytes, source: str = "") -> LockFile:
    """Read a ``dvc.lock``.

    Raises:
        BadYamlError: it is not YAML.
        BadFieldError: a key is unknown or missing, or a value is of a wrong type.
        LockSchemaError: its schema is not 2.0.
        BadObjectNameError: an ``md5`` is not an object name.
    """
    value = yamlio.load(data, source)
    try:
        top = check(_with_known_schema(value, source), _FILE, ())
        stages = {
            name: _entry(entry, ("stages", name), source) for name, entry in top.get("stages", {}).items()
        }
    except Fault as fault:
        raise located(fault, yamlio.decode(data, source), source) from None
    return LockFile(top["schema"], stages, top.get("datasets"))


def _with_known_schema(value: object, source: str) -> object:
    if not isinstance(value, dict):
        if value is None:
            raise Fault(
                (), "the file is empty", "restore it from Git, or remove it and run the pipeline again"
            )
        return value
    schema = value.get("schema")
    if schema == SCHEMA:
        return value
    shown = "1.0 (no 'schema' key)" if schema is None else repr(schema)
    raise LockSchemaError(
        f"{source}: lock files of schema {shown} are not supported"
        if source
        else f"unsupported schema {shown}",
        hint="run the pipeline once with DVC 2 to upgrade the file, or remove it and run it again",
    )


def _entry(value: object, path: Path, source: str) -> LockEntry:
    if path and type(path[-1]) is not str:
        wrong(path, path[-1], (str,))
    item = check(value, _ENTRY, path)
    if "cmd" not in item:
        missing(path, "cmd")
    params: dict[str, dict[str, Any]] = item.get("params") or {}
    for file, values in params.items():
        if type(file) is not str or type(values) is not dict:
            wrong((*path, "params", file), values, (dict,))
        for key in values:
            if type(key) is not str:
                wrong((*path, "params", file, key), key, (str,))
    return LockEntry(
        item["cmd"],
        tuple([_dependency(dep, (*path, "deps", at), source) for at, dep in enumerate(item.get("deps", ()))]),
        params,
        tuple([_output(out, (*path, "outs", at), source) for at, out in enumerate(item.get("outs", ()))]),
    )


def parse_entry(value: object, source: str = "") -> LockEntry:
    """Read one entry from plain values.

    Raises:
        Fault: it has not the right shape.
    """
    return _entry(value, (), source)


def _dependency(value: object, path: Path, source: str) -> Dependency:
    item = check(value, _ITEM, path)
    where = entry_path(item, path)
    check_nested(item, path)
    get = item.get
    return Dependency(
        where,
        entry_oid(item, path, source),
        entry_is_legacy(item, where, path),
        get("size"),
        get("nfiles"),
        get("isexec", False),
        get("etag"),
        get("checksum"),
        get("version_id"),
        get("files"),
        dataset=get("dataset"),
        cloud=get("cloud"),
    )


def _output(value: object, path: Path, source: str) -> Output:
    item = check(value, _ITEM, path)
    where = entry_path(item, path)
    check_nested(item, path)
    get = item.get
    out = Output(
        where,
        entry_oid(item, path, source),
        entry_is_legacy(item, where, path),
        get("size"),
        get("nfiles"),
        get("isexec", False),
        files=get("files"),
        cloud=get("cloud"),
        version_id=get("version_id"),
        etag=get("etag"),
        checksum=get("checksum"),
    )
    return with_listed_content(out, source) if out.files else out


def _item_entry(item: Output | Dependency) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": item.path}
    if isinstance(item, Dependency) and item.path.startswith("ds://"):
        if item.dataset:
            entry["dataset"] = item.dataset
        return entry
    if not item.legacy:
        entry["hash"] = "md5"
    if item.files is not None:
        entry["files"] = item.files
    else:
        entry |= content_entry(item, null_md5=False)
    return entry


def entry_document(entry: LockEntry) -> dict[str, Any]:
    """``entry`` as the mapping that DVC writes."""
    full: dict[str, Any] = {"cmd": entry.cmd}
    if entry.deps:
        full["deps"] = [_item_entry(dep) for dep in sorted(entry.deps, key=_by_path)]
    if entry.params:
        from copy import deepcopy  # noqa: PLC0415 - what only reads never writes

        files = sorted(entry.params, key=lambda file: (file != DEFAULT_PARAMS, file))
        # A copy an entry: values that two stages share must not become YAML anchors.
        full["params"] = deepcopy({file: dict(sorted(entry.params[file].items())) for file in files})
    if entry.outs:
        full["outs"] = [_item_entry(out) for out in sorted(entry.outs, key=_by_path)]
    return full


def _by_path(item: Output | Dependency) -> str:
    return item.path


def render(lock: LockFile) -> bytes:
    """The bytes of a new ``dvc.lock``, exactly as DVC writes them."""
    full: dict[str, Any] = {"schema": lock.schema}
    if lock.datasets is not None:
        full["datasets"] = lock.datasets
    full["stages"] = {name: entry_document(entry) for name, entry in lock.stages.items()}
    return yamlio.dump(full)


def update(old: bytes, stage_name: str, entry: LockEntry, source: str = "") -> bytes:
    """The bytes of the ``dvc.lock`` that said ``old`` once ``stage_name`` has run with ``entry``.

    A known stage keeps its place, a new one goes to the end; other entries keep their bytes' meaning,
    comments and order. Empty ``old`` starts a file.

    Raises:
        BadYamlError: ``old`` is not YAML.
    """
    return update_many(old, {stage_name: entry}, source)


def update_many(
    old: bytes, entries: Mapping[str, LockEntry], source: str = "", rank: Mapping[str, int] | None = None
) -> bytes:
    """As `update`, for several stages in one pass.

    Args:
        old: The bytes of the file.
        entries: What to say of each stage.
        source: How messages call the file.
        rank: The order of the stages that are new in this run, those that are known apart: a new stage
            goes before the first stage in the file whose rank is higher.

    Raises:
        BadYamlError: ``old`` is not YAML.
    """
    text = lock_text.cut(old)
    if text is not None:
        for name, entry in entries.items():
            text.put(name, entry_document(entry), rank)
        return text.render()
    stages = {name: entry_document(entry) for name, entry in entries.items()}

    def change(document: yamlio.Document) -> yamlio.Document:
        document = document or {"schema": SCHEMA}
        known = yamlio.mapping_in(document, "stages", source)
        for name, entry in stages.items():
            later = lock_text.place_of(name, known, rank)
            if later is None:
                known[name] = entry
            else:
                yamlio.insert(known, later, name, entry)
        return document

    return yamlio.edit(old, change, source)


def remove(old: bytes, stage_name: str, source: str = "") -> bytes | None:
    """The bytes of the ``dvc.lock`` without ``stage_name``; None when no stage is left.

    Raises:
        BadYamlError: ``old`` is not YAML.
    """
    return yamlio.without(old, "stages", stage_name, source)
