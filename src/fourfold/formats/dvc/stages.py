"""``dvc.yaml``: the stages of a pipeline, and the lists beside them, as values.

Plain stages are read in full. Stages that need templating (``foreach``, ``matrix``, ``vars``, ``${...}``)
are checked for their shape, marked ``templated`` and carry their raw mapping; `resolve` makes plain ones of
them. Facts (DVC 3.67.1): its keys are the ones listed here; outputs listed twice merge; a parameter file
listed without keys is tracked whole. No input or output.
"""

import posixpath
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from fourfold.formats.dvc import yamlio
from fourfold.formats.dvc.fields import Fault, Path, Types, any_text, check, dotted, located, missing, wrong
from fourfold.formats.dvc.pointer import Output

#: The file of parameters that are listed without a file.
DEFAULT_PARAMS = "params.yaml"


class ParamsSpec(NamedTuple):
    """Parameters that a stage depends on.

    Attributes:
        file: As written; None for ``params.yaml``.
        keys: Dotted keys in that file; None for all of the file.
    """

    file: str | None
    keys: tuple[str, ...] | None


class StageSpec(NamedTuple):
    """One entry of ``stages``.

    Attributes:
        name: As written.
        cmd: Text (of one or more lines), or a list of commands; empty when ``templated`` by ``foreach``.
        wdir: The folder that it runs in, relative to the file's; None for the same.
        deps: Paths as written; may be URLs.
        params: One entry a file.
        outs: Outputs, then metrics, then plots, without content.
        frozen: Not to be run.
        always_changed: To be taken for changed whatever the content.
        desc: Text for people.
        meta: Whatever the user put there.
        templated: Whether it has to be resolved before it means anything.
        raw: The entry as written; of a stage that was resolved, as it came out.
        group: The ``foreach`` or ``matrix`` that made it; None for a stage of its own.
    """

    name: str
    cmd: str | Sequence[str]
    wdir: str | None = None
    deps: tuple[str, ...] = ()
    params: tuple[ParamsSpec, ...] = ()
    outs: tuple[Output, ...] = ()
    frozen: bool = False
    always_changed: bool = False
    desc: str | None = None
    meta: Any = None
    templated: bool = False
    raw: Mapping[str, Any] = {}
    group: str | None = None


class PipelineFile(NamedTuple):
    """A whole ``dvc.yaml``.

    Attributes:
        stages: By name, in the order of the file.
        params: Files of parameters, for display.
        metrics: Files of metrics, for display.
        plots: Names of plot files, or ``{id: definition or None}``.
        artifacts: By name: ``path``, ``desc``, ``type``, ``labels``, ``meta``.
        vars: Files and values for templating, as written.
        datasets: As written; None when absent.
        templated: Whether its stages have to be resolved (`resolve.resolve_stages`).
        templated_lists: The same of everything else at the top (`resolve.resolve_lists`).
    """

    stages: dict[str, StageSpec]
    params: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    plots: tuple[str | Mapping[str, Any], ...] = ()
    artifacts: Mapping[str, Mapping[str, Any]] = {}
    vars: tuple[str | Mapping[str, Any], ...] = ()
    datasets: Any = None
    templated: bool = False
    templated_lists: bool = False


_ANY = (str, int, float, bool, list, dict, type(None))
_FILE: Types = {
    "stages": (dict,),
    "params": (list,),
    "metrics": (list,),
    "plots": (list,),
    "artifacts": (dict,),
    "vars": (list,),
    "datasets": _ANY,
}
#: The keys beside ``stages`` and ``vars``.
LISTS = ("params", "metrics", "plots", "artifacts", "datasets")
_STAGE: Types = {
    "cmd": (str, list),
    "wdir": (str,),
    "deps": (list,),
    "params": (list,),
    "outs": (list,),
    "metrics": (list,),
    "plots": (list,),
    "vars": (list,),
    "matrix": (dict,),
    "frozen": (bool,),
    "always_changed": (bool,),
    "desc": (str,),
    "meta": _ANY,
}
_FOREACH: Types = {"foreach": (dict, list, str), "do": (dict,)}
_NOTES: Types = {"desc": (str,), "type": (str,), "labels": (list,), "meta": _ANY}
_FLAGS: Types = {
    **_NOTES,
    "cache": (bool,),
    "persist": (bool,),
    "checkpoint": (bool,),
    "remote": (str,),
    "push": (bool,),
}
_PLOT_TEXT: Types = dict.fromkeys(("template", "x", "y", "x_label", "y_label", "title"), (str,))
_PLOT_PROPERTIES: Types = {**_PLOT_TEXT, "header": (bool,)}
_PLOT_FLAGS: Types = {**_FLAGS, **_PLOT_PROPERTIES}
_PLOT_DEFINITION: Types = {**_PLOT_TEXT, "x": (str, dict), "y": (str, list, dict)}
_ARTIFACT: Types = {**_NOTES, "path": (str,)}


def parse(data: bytes, source: str = "") -> PipelineFile:
    """Read a ``dvc.yaml``; an empty one has no stages, as for DVC.

    Raises:
        BadYamlError: it is not YAML.
        BadFieldError: a key is unknown or missing, or a value is of a wrong type.
    """
    value = yamlio.load(data, source) or {}
    suspect = b"${" in data or b"\\" in data  # nothing else can write an expression
    try:
        return _file(value, suspect=suspect)
    except Fault as fault:
        raise located(fault, yamlio.decode(data, source), source) from None


def _file(value: object, *, suspect: bool) -> PipelineFile:
    top = check(value, _FILE, ())
    stages = {}
    for name, entry in top.get("stages", {}).items():
        if type(name) is not str:
            wrong(("stages", name), name, (str,))
        stages[name] = parse_stage(name, entry, ("stages", name), suspect=suspect)
    variables = _vars(top, ())
    return _lists(top)._replace(
        stages=stages,
        vars=variables,
        templated=bool(variables) or any(spec.templated for spec in stages.values()),
        templated_lists=suspect and any(_has_template(top.get(key)) for key in LISTS),
    )


def _lists(top: Mapping[str, Any]) -> PipelineFile:
    """What stands beside the stages."""
    artifacts = top.get("artifacts", {})
    for name, entry in artifacts.items():
        if "path" not in check(entry, _ARTIFACT, ("artifacts", name)):
            missing(("artifacts", name), "path")
        _check_labels(entry, ("artifacts", name))
    return PipelineFile(
        {},
        params=_texts(top, "params", ()),
        metrics=_texts(top, "metrics", ()),
        plots=_plots(top.get("plots", ())),
        artifacts=artifacts,
        datasets=top.get("datasets"),
    )


def with_lists(file: PipelineFile, found: Mapping[str, Any]) -> PipelineFile:
    """A file with what stands beside its stages resolved: checked as if it was written so.

    Raises:
        Fault: it has not the right shape.
    """
    new = _lists(check(found, {key: _FILE[key] for key in LISTS}, ()))
    return new._replace(stages=file.stages, vars=file.vars, templated=file.templated)


def _texts(entry: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    values = entry.get(key, ())
    for at, value in enumerate(values):
        if type(value) is not str:
            wrong((*path, key, at), value, (str,))
    return tuple(values)


def _check_labels(entry: Mapping[str, Any], path: Path) -> None:
    _texts(entry, "labels", path)


def _vars(entry: Mapping[str, Any], path: Path) -> tuple[str | Mapping[str, Any], ...]:
    values = entry.get("vars", ())
    for at, value in enumerate(values):
        if type(value) not in {str, dict}:
            wrong((*path, "vars", at), value, (str, dict))
    return tuple(values)


def _plots(values: Sequence[Any]) -> tuple[str | Mapping[str, Any], ...]:
    for at, value in enumerate(values):
        if type(value) is str:
            continue
        if type(value) is not dict:
            wrong(("plots", at), value, (str, dict))
        for name, definition in value.items():
            if definition is not None:
                check(definition, _PLOT_DEFINITION, ("plots", at, name))
    return tuple(values)


def parse_stage(name: str, value: object, path: Path, *, suspect: bool = True) -> StageSpec:
    """Read one entry of ``stages``.

    Args:
        name: What it is called.
        value: The entry.
        path: The way to it, for messages.
        suspect: Whether there may be expressions in it.

    Raises:
        Fault: it has not the right shape.
    """
    if type(value) is dict and ("foreach" in value or "do" in value):
        entry = check(value, _FOREACH, path)
        for key in _FOREACH:
            if key not in entry:
                missing(path, key)
        _stage(name, entry["do"], (*path, "do"), suspect=False)
        return StageSpec(name, "", templated=True, raw=entry)
    return _stage(name, value, path, suspect=suspect)


def resolved_stage(name: str, value: object, path: Path, group: str | None) -> StageSpec:
    """Read an entry whose templates are filled in; `path` is the way to where it comes from.

    Raises:
        Fault: it has not the right shape.
    """
    spec = _stage(name, value, path, suspect=False)
    if type(spec.cmd) is list:
        _texts(spec.raw, "cmd", path)
    return spec._replace(group=group)


def _stage(name: str, value: object, path: Path, *, suspect: bool) -> StageSpec:
    entry = check(value, _STAGE, path)
    if "cmd" not in entry:
        missing(path, "cmd")
    for axis, choices in entry.get("matrix", {}).items():
        if type(choices) not in {str, list}:
            wrong((*path, "matrix", axis), choices, (str, list))
    _vars(entry, path)
    get = entry.get
    return StageSpec(
        name,
        entry["cmd"],
        wdir=get("wdir"),
        deps=_texts(entry, "deps", path),
        params=_params(get("params", ()), (*path, "params")),
        outs=(
            *_outs(get("outs", ()), (*path, "outs")),
            *_outs(get("metrics", ()), (*path, "metrics"), metric=True),
            *_outs(get("plots", ()), (*path, "plots"), plot=True),
        ),
        frozen=get("frozen", False),
        always_changed=get("always_changed", False),
        desc=get("desc"),
        meta=get("meta"),
        templated="matrix" in entry or "vars" in entry or (suspect and _has_template(entry)),
        raw=entry,
    )


def _has_template(value: object) -> bool:
    return any_text(value, lambda text: "${" in text)


def _params(values: Sequence[Any], path: Path) -> tuple[ParamsSpec, ...]:
    """Merge the entries by file; a file that is listed whole once is tracked whole."""
    files: dict[str, dict[str, None] | None] = {}
    for at, value in enumerate(values):
        if type(value) is str:
            _add_keys(files, DEFAULT_PARAMS, [value])
            continue
        if type(value) is not dict:
            wrong((*path, at), value, (str, dict))
        for file, keys in value.items():
            here = (*path, at, file)
            if type(file) is not str:
                wrong(here, file, (str,))
            if keys and type(keys) is not list:
                wrong(here, keys, (list,))
            for key_at, key in enumerate(keys or ()):
                if type(key) is not str:
                    wrong((*here, key_at), key, (str,))
            _add_keys(files, file, keys)
    return tuple(
        ParamsSpec(None if file == DEFAULT_PARAMS else file, None if keys is None else tuple(keys))
        for file, keys in files.items()
    )


def _add_keys(files: dict[str, dict[str, None] | None], file: str, keys: list[str] | None) -> None:
    known = files.setdefault(file, {})
    if not keys:
        files[file] = None
    elif known is not None:
        known.update(dict.fromkeys(keys))


def _outs(
    values: Sequence[Any], path: Path, *, metric: bool = False, plot: bool = False
) -> tuple[Output, ...]:
    merged: dict[str, dict[str, Any]] = {}
    for at, value in enumerate(values):
        if type(value) is str:
            merged.setdefault(value, {})
            continue
        if type(value) is not dict:
            wrong((*path, at), value, (str, dict))
        for name, flags in value.items():
            here = (*path, at, name)
            if type(name) is not str:
                wrong(here, name, (str,))
            merged.setdefault(name, {}).update(_flags(flags, here, plot=plot))
    for name in merged:
        if not name or "\0" in name:
            raise Fault(path, f"{dotted(path)} has an entry that is empty or holds a NUL")
    return tuple(_output(name, flags, metric=metric, plot=plot) for name, flags in merged.items())


def _flags(value: object, path: Path, *, plot: bool) -> dict[str, Any]:
    flags = check(value, _PLOT_FLAGS if plot else _FLAGS, path)
    _check_labels(flags, path)
    return flags


def _output(name: str, flags: Mapping[str, Any], *, metric: bool, plot: bool) -> Output:
    properties = {key: value for key, value in flags.items() if key in _PLOT_PROPERTIES} if plot else {}
    get = flags.get
    return Output(
        name,
        cache=get("cache", True),
        persist=get("persist", False),
        push=get("push", True),
        remote=get("remote"),
        metric=metric,
        plot=properties or plot,
        desc=get("desc"),
        type=get("type"),
        labels=get("labels"),
        meta=get("meta"),
    )


def stage_document(spec: StageSpec) -> dict[str, Any]:
    """``spec`` as the mapping that DVC writes: one fixed order, paths sorted, nothing empty."""
    wdir = None if spec.wdir is None else posixpath.normpath(spec.wdir)
    buckets: dict[str, list[Any]] = {"outs": [], "metrics": [], "plots": []}
    for out in sorted(spec.outs, key=lambda out: out.path):
        bucket = "plots" if out.plot else "metrics" if out.metric else "outs"
        flags = _out_flags(out)
        buckets[bucket].append({out.path: flags} if flags else out.path)
    full = {
        "desc": spec.desc,
        "cmd": spec.cmd,
        "wdir": None if wdir == "." else wdir,
        "deps": sorted(spec.deps),
        "params": _params_entries(spec.params),
        **buckets,
        "frozen": spec.frozen,
        "always_changed": spec.always_changed,
        "meta": spec.meta,
    }
    return {key: value for key, value in full.items() if value}


def _out_flags(out: Output) -> dict[str, Any]:
    flags: dict[str, Any] = {}
    for key in ("desc", "type", "labels", "meta"):
        value = getattr(out, key)
        if value:
            flags[key] = value
    if not out.cache:
        flags["cache"] = False
    if out.persist:
        flags["persist"] = True
    if isinstance(out.plot, Mapping):
        flags |= out.plot
    if out.remote:
        flags["remote"] = out.remote
    if not out.push:
        flags["push"] = False
    return flags


def _params_entries(params: Sequence[ParamsSpec]) -> list[Any]:
    entries: list[Any] = []
    for spec in sorted(params, key=lambda spec: spec.file or DEFAULT_PARAMS):
        keys = sorted(spec.keys or ())
        if keys and spec.file is None:
            entries = [*keys, *entries]
        else:
            entries.append({spec.file or DEFAULT_PARAMS: keys or None})
    return entries


def update(old: bytes, spec: StageSpec, source: str = "") -> bytes:
    """The bytes of the ``dvc.yaml`` that said ``old``, with the stage of ``spec`` changed or added.

    As DVC does on freezing or adding a stage: a known entry is changed in place, keeping comments, order and
    style; a new one goes to the end. Empty ``old`` starts a file.

    Raises:
        BadYamlError: ``old`` is not YAML.
    """
    document = stage_document(spec)

    def change(value: yamlio.Document) -> yamlio.Document:
        stages = yamlio.mapping_in(value, "stages", source)
        known = stages.get(spec.name)
        if isinstance(known, MutableMapping):
            yamlio.merge_into(known, document)
        else:
            stages[spec.name] = document
        return value

    return yamlio.edit(old, change, source)


def remove(old: bytes, stage_name: str, source: str = "") -> bytes | None:
    """The bytes of the ``dvc.yaml`` without ``stage_name``; None when no stage is left: DVC removes the file.

    Raises:
        BadYamlError: ``old`` is not YAML.
    """
    return yamlio.without(old, "stages", stage_name, source)
