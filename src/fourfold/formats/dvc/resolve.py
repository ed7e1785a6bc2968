"""From a ``dvc.yaml`` with templates to one without: ``vars``, ``foreach``, ``matrix``, every ``${...}``.

Only files that `PipelineFile.templated` marks come here. Every definition is compiled once, whatever the
number of stages it makes, and what comes out is checked like what is written by hand. Errors name line and
column of the text that is to blame. The language is `templates`, its values are `variables`, what is gone
through is `iteration`. No input or output: files come through a reader that the caller brings.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from fourfold.formats.dvc import stages, yamlio
from fourfold.formats.dvc.fields import BadFieldError, Fault, Path, located
from fourfold.formats.dvc.iteration import Turn, foreach_turns, matrix_turns
from fourfold.formats.dvc.stages import PipelineFile, StageSpec
from fourfold.formats.dvc.templates import (
    Budget,
    NotAScalarError,
    StageNameClashError,
    Template,
    TemplateFault,
    Unpacking,
    VarsFileError,
    compile_text,
    has_expression,
    short,
)
from fourfold.formats.dvc.variables import Files, Read, Variables

_VARS = "vars"
_MATRIX = "matrix"


class Surroundings(NamedTuple):
    """Where a ``dvc.yaml`` stands.

    Attributes:
        data: Its bytes, for the lines in messages.
        source: How messages call it.
        folder: The folder of it: what files of variables are relative to.
        read: Gives the bytes of a file by a path below ``folder``, None when there is none.
        shown: How messages call such a path.
        unpacking: How mappings become options.
    """

    data: bytes
    source: str
    folder: str
    read: Read
    shown: Callable[[str], str]
    unpacking: Unpacking = Unpacking()


class Resolved(NamedTuple):
    """What a file says.

    Attributes:
        file: Without templates.
        used: By stage: the values of files that its templates looked up, by path, then by dotted name.
    """

    file: PipelineFile
    used: dict[str, dict[str, dict[str, Any]]]


def resolve_stages(file: PipelineFile, around: Surroundings) -> Resolved:
    """Every stage that a file has or makes, in its order.

    Raises:
        TemplateError: a template cannot be resolved; file, line and column are named.
        BadFieldError: what came out is no stage.
        InvalidFileError: a file of variables cannot be read.
    """
    try:
        resolver = _Resolver(file, around)
        return Resolved(file._replace(stages=resolver.stages(file.stages), templated=False), resolver.used)
    except Fault as fault:
        raise _error(fault, around) from None


def resolve_lists(file: PipelineFile, around: Surroundings) -> PipelineFile:
    """The lists at the top of a file: ``params``, ``metrics``, ``plots``, ``artifacts``, ``datasets``.

    Raises:
        TemplateError, BadFieldError, InvalidFileError: as `resolve_stages`.
    """
    try:
        return stages.with_lists(file, _Resolver(file, around).lists(file))
    except Fault as fault:
        raise _error(fault, around) from None


class _Fixed(NamedTuple):
    """A value without templates."""

    value: Any


class _Text(NamedTuple):
    template: Template
    path: Path


class _List(NamedTuple):
    entries: "list[_Node]"


class _Map(NamedTuple):
    pairs: "list[tuple[_Fixed | _Text, _Node]]"


_Node = _Fixed | _Text | _List | _Map


class _Definition(NamedTuple):
    """The fields of a stage, ready to be filled again and again.

    Attributes:
        fields: By name, in their order; without ``vars``.
        wdir: The same field again, or None.
        variables: What it adds to the variables, as written.
        path: Where it stands.
        size: How many values it holds.
    """

    fields: dict[str, _Node]
    wdir: _Node | None
    variables: list[Any]
    path: Path
    size: int


class _Resolver:
    """The variables of one file, and what they make of it."""

    def __init__(self, file: PipelineFile, around: Surroundings) -> None:
        self._folder = around.folder
        self._budget = Budget()
        self._variables = Variables(
            Files(around.read, around.folder, around.shown), around.unpacking, self._budget
        )
        self.used: dict[str, dict[str, dict[str, Any]]] = {}
        self._variables.load_default(stages.DEFAULT_PARAMS)
        _add_vars(self._variables, file.vars, around.folder, (_VARS,))

    def stages(self, specs: Mapping[str, StageSpec]) -> dict[str, StageSpec]:
        made: dict[str, StageSpec] = {}
        for name, spec in specs.items():
            if not spec.templated:
                _add(made, spec, ("stages", name))
                continue
            for stage in self._made_by(spec):
                _add(made, stage, ("stages", name))
        return made

    def _made_by(self, spec: StageSpec) -> Iterator[StageSpec]:
        raw, path = spec.raw, ("stages", spec.name)
        if "do" in raw:
            turns = foreach_turns(raw["foreach"], self._variables, (*path, "foreach"))
            yield from self._turns(spec.name, turns, raw["do"], (*path, "do"))
        elif _MATRIX in raw:
            turns = matrix_turns(raw[_MATRIX], self._variables, (*path, _MATRIX))
            rest = {key: value for key, value in raw.items() if key != _MATRIX}
            yield from self._turns(spec.name, turns, rest, path)
        else:
            definition = _definition(raw, path)
            yield self._stage(spec.name, definition, self._with_own(definition, {}), None)

    def _turns(
        self, group: str, turns: list[Turn], raw: Mapping[str, Any], path: Path
    ) -> Iterator[StageSpec]:
        if not turns:
            return
        definition = _definition(raw, path)
        own: dict[str, Variables] = {}
        try:
            for turn in turns:
                self._variables.begin(turn.local, None)
                yield self._stage(f"{group}@{turn.key}", definition, self._with_own(definition, own), group)
        finally:
            self._variables.begin({}, None)

    def _with_own(self, definition: _Definition, known: dict[str, Variables]) -> Variables:
        """The variables of a stage: those of the file, and its own from below its working directory."""
        wdir = "" if definition.wdir is None else _fill(definition.wdir, self._variables, None)
        if not definition.variables:
            return self._variables
        folder = os.path.join(self._folder, wdir) if isinstance(wdir, str) else self._folder
        if folder not in known:
            known[folder] = self._variables.copy()
            _add_vars(known[folder], definition.variables, folder, (*definition.path, _VARS))
        known[folder].begin(self._variables.local, None)
        return known[folder]

    def _stage(
        self, name: str, definition: _Definition, variables: Variables, group: str | None
    ) -> StageSpec:
        self._budget.spend_values(definition.size)
        used: dict[str, dict[str, Any]] = {}
        variables.begin(variables.local, used)
        try:
            entry = {key: _fill(node, variables, key) for key, node in definition.fields.items()}
        except TemplateFault as fault:
            if group is not None:
                fault.problem += f" (stage '{short(name)}')"
            raise
        finally:
            variables.begin(variables.local, None)
        if used:
            self.used[name] = used
        entry.pop(_MATRIX, None)  # of a stage made by foreach: DVC passes over it
        return stages.resolved_stage(name, entry, definition.path, group)

    def lists(self, file: PipelineFile) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key in ("params", "metrics", "plots", "artifacts", "datasets"):
            value = getattr(file, key)
            if value:
                node, _size = _compiled(list(value) if isinstance(value, tuple) else value, (key,))
                found[key] = _fill(node, self._variables, None)
        return found


def _add(made: dict[str, StageSpec], spec: StageSpec, path: Path) -> None:
    if spec.name in made:
        raise TemplateFault(
            StageNameClashError,
            f"there are two stages called '{short(spec.name)}'",
            "call one of them otherwise",
            path=path,
        )
    made[spec.name] = spec


def _add_vars(variables: Variables, entries: "tuple[Any, ...] | list[Any]", folder: str, path: Path) -> None:
    for at, entry in enumerate(entries):
        try:
            if isinstance(entry, str):
                if has_expression(entry):
                    raise TemplateFault(  # noqa: TRY301 - it gets its place below, like the others
                        VarsFileError, f"templates are not allowed in '{_VARS}'", "write the name out"
                    )
                variables.load_file(entry, folder)
            else:
                variables.add(entry, f"{_VARS}[{at}]")
        except TemplateFault as fault:
            fault.path = (*path, at)
            raise


def _definition(raw: Mapping[str, Any], path: Path) -> _Definition:
    fields, size = {}, 1
    for key, value in raw.items():
        if key != _VARS:
            fields[key], count = _compiled(value, (*path, key))
            size += count
    return _Definition(fields, fields.get("wdir"), raw.get(_VARS, []), path, size)


def _compiled(value: Any, path: Path) -> tuple[_Node, int]:
    """A value with its templates split, and how many values it holds."""
    if isinstance(value, str):
        try:
            text = compile_text(value)
        except TemplateFault as fault:
            fault.path = path
            raise
        return (_Fixed(text) if isinstance(text, str) else _Text(text, path)), 1
    size = 1
    if isinstance(value, list):
        entries: list[_Node] = []
        for at, item in enumerate(value):
            entry, count = _compiled(item, (*path, at))
            entries.append(entry)
            size += count
        if all(type(entry) is _Fixed for entry in entries):
            return _Fixed([entry.value for entry in entries if type(entry) is _Fixed]), size
        return _List(entries), size
    if isinstance(value, Mapping):
        pairs: list[tuple[_Fixed | _Text, _Node]] = []
        for name, item in value.items():
            key, _count = _compiled(name, (*path, name))
            entry, count = _compiled(item, (*path, name))
            pairs.append((key if isinstance(key, _Fixed | _Text) else _Fixed(name), entry))
            size += count + 1
        if all(type(key) is _Fixed and type(entry) is _Fixed for key, entry in pairs):
            return _Fixed({key.value: entry.value for key, entry in pairs}), size  # type: ignore[union-attr]
        return _Map(pairs), size
    return _Fixed(value), 1


def _fill(node: _Node, variables: Variables, key: str | None) -> Any:
    """What a value says now; ``key`` as in `Variables.fill`."""
    if type(node) is _Fixed:
        return node.value
    if type(node) is _Text:
        try:
            return variables.fill(node.template, key)
        except TemplateFault as fault:
            fault.path = node.path
            raise
    if type(node) is _Map:
        return {_name(name, variables, key): _fill(entry, variables, key) for name, entry in node.pairs}
    return [_fill(entry, variables, key) for entry in cast("_List", node).entries]


def _name(node: _Fixed | _Text, variables: Variables, key: str | None) -> Any:
    if type(node) is _Fixed:
        return node.value
    value = _fill(node, variables, key)
    if isinstance(value, str):
        return value
    raise TemplateFault(
        NotAScalarError,
        f"a key must be text, not '{short(str(value))}'",
        "quote it where it is given",
        path=cast("_Text", node).path,
    )


def _error(fault: Fault, around: Surroundings) -> BadFieldError:
    """The error of a fault, at the very expression where there is one."""
    text = yamlio.decode(around.data, around.source)
    error = located(fault, text, around.source)
    if not isinstance(fault, TemplateFault):
        return error
    line, column = error.line, error.column
    if line is not None and column is not None and fault.expression is not None:
        line, column = _nearest(text, "${" + fault.expression + "}", line, column)
    return fault.kind(around.source, fault.problem, fault.path, line, column, fault.hint)


def _nearest(text: str, wanted: str, line: int, column: int) -> tuple[int, int]:
    """The place of the expression at or after the beginning of the value that holds it."""
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    found = text.find(wanted, start + column - 1)
    if found < 0:
        return line, column
    return text.count("\n", 0, found) + 1, found - text.rfind("\n", 0, found)
