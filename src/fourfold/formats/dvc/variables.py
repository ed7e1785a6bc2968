"""The values that templates of a ``dvc.yaml`` are filled with, and where each of them comes from.

Facts (DVC 3.67.1): the ``params.yaml`` beside the ``dvc.yaml`` is read first, where there is one; then the
entries of ``vars``: a file, ``file:key,key``, or values written there. Mappings merge; a value that is given
twice is an error, also when it is the same; the same whole file may be named twice. A stage may add ``vars``
of its own, whose files lie below its working directory. Keys that are not text cannot be reached. Files come
from a reader that the caller brings.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple, NoReturn

from fourfold.formats.dvc import params
from fourfold.formats.dvc.templates import (
    Budget,
    Expression,
    NotAScalarError,
    Template,
    TemplateFault,
    TemplateTooLargeError,
    UnknownVariableError,
    Unpacking,
    VarsConflictError,
    VarsFileError,
    has_expression,
    is_composite,
    named,
    short,
    text_of,
    unescaped,
    unpacked,
)
from fourfold.formats.dvc.yaml_faults import MAX_DEPTH

#: Gives the bytes of a file by its path; None when there is none.
Read = Callable[[str], bytes | None]
#: The way to a value, from the top of all variables.
Way = tuple[str, ...]

_SCALARS = (str, int, float, bool, type(None))
_SUGGESTED = 1000
_ABSENT = object()


class Held(NamedTuple):
    """A value of the variables, inside what ``foreach`` or ``matrix`` goes through.

    Attributes:
        value: The value.
        way: Where it stands among the variables; None for the name of an entry.
    """

    value: Any
    way: Way | None


class Source(NamedTuple):
    """Who gave a value.

    Attributes:
        name: For messages.
        file: The path of the file; None for what is written in the ``dvc.yaml``.
    """

    name: str
    file: str | None


class Files:
    """The files of variables, each read once."""

    def __init__(self, read: Read, folder: str, shown: Callable[[str], str]) -> None:
        self._read = read
        self._values: dict[str, dict[str, Any] | None] = {}
        self._shown = shown
        self.folder = folder

    def shown(self, path: str) -> str:
        """The path as messages call it."""
        return self._shown(path)

    def load(self, path: str) -> dict[str, Any] | None:
        """The values of one file; None when it is not there.

        Raises:
            TemplateFault: it holds something else than a mapping.
            InvalidFileError: it cannot be read.
        """
        if path not in self._values:
            data = self._read(path)
            value = None if data is None else params.parse(data, os.path.basename(path), self.shown(path))
            if data is not None and not isinstance(value, dict):
                raise TemplateFault(
                    VarsFileError,
                    f"'{self.shown(path)}' is not a mapping of names to values, so it gives no variables",
                    "write it as 'name: value'",
                )
            self._values[path] = value
        return self._values[path]


class Variables:
    """All that templates may name, with the sources of it.

    Attributes:
        values: By name.
        used: Values of files that were looked up, by file, then by dotted name; None while nobody asks.
    """

    __slots__ = (
        "_loaded",
        "_owned",
        "_sources",
        "_texts",
        "budget",
        "files",
        "local",
        "unpacking",
        "used",
        "values",
    )

    def __init__(self, files: Files, unpacking: Unpacking, budget: Budget) -> None:
        self.files = files
        self.unpacking = unpacking
        self.budget = budget
        self.values: dict[str, Any] = {}
        self.local: dict[str, Any] = {}
        self.used: dict[str, dict[str, Any]] | None = None
        self._sources: dict[Way, Source] = {}
        self._texts: dict[str, str] = {}  # what expressions say, until the next turn
        self._loaded: dict[str, list[str] | None] = {}
        self._owned: set[int] = set()  # mappings made here, which nobody else holds

    def copy(self) -> "Variables":
        """One to which a stage can add its own."""
        self.budget.spend_values(len(self.values) + len(self._sources))
        new = Variables(self.files, self.unpacking, self.budget)
        new.values = dict(self.values)
        new.local = self.local
        new._sources = dict(self._sources)
        new._loaded = {path: None if keys is None else list(keys) for path, keys in self._loaded.items()}
        return new

    def begin(self, local: dict[str, Any], used: dict[str, dict[str, Any]] | None) -> None:
        """Turn to another stage: what it alone may name, and where to note what is looked up for it."""
        self.local = local
        self.used = used
        self._texts.clear()

    def load_default(self, name: str) -> None:
        """Take the file beside the ``dvc.yaml`` that is read when it is there."""
        path = os.path.join(self.files.folder, name)
        values = self.files.load(path)
        if values is not None:
            self._loaded[path] = None
            self._merge(values, Source(self.files.shown(path), path))

    def load_file(self, entry: str, folder: str) -> None:
        """Take a file, or some keys of it: ``file`` or ``file:key,key``.

        Raises:
            TemplateFault: it is not there, lacks a key, was taken already, or gives a value a second time.
        """
        name, _, listed = entry.partition(":")
        path = os.path.normpath(os.path.join(folder, name))
        keys = [key for key in listed.split(",") if key]
        if path in self._loaded:
            before = self._loaded[path]
            if not keys and before is None:
                return
            if not keys or before is None or set(keys) & set(before):
                raise TemplateFault(
                    VarsFileError,
                    f"'{short(entry)}' was loaded before, whole or in part",
                    "name each file once, with all the keys that are needed: file.yaml:key,key",
                )
        values = self.files.load(path)
        if values is None:
            raise TemplateFault(
                VarsFileError,
                f"the file of variables '{self.files.shown(path)}' does not exist",
                "files in 'vars' lie beside the dvc.yaml, those of a stage in its working directory",
            )
        if keys:
            values = self._picked(values, keys, path)
        self._merge(values, Source(self.files.shown(path), path))
        self._loaded[path] = [*(self._loaded.get(path) or ()), *keys] if keys else None

    def _picked(self, values: Mapping[str, Any], keys: Iterable[str], path: str) -> dict[str, Any]:
        found = {}
        for key in keys:
            if key not in values:
                raise TemplateFault(
                    VarsFileError,
                    f"'{self.files.shown(path)}' has no key '{short(key)}'",
                    _meant(key, values) or "only keys of the first level can be chosen",
                )
            found[key] = values[key]
        return found

    def add(self, values: Mapping[str, Any], name: str) -> None:
        """Take values that are written in the ``dvc.yaml``.

        Raises:
            TemplateFault: they hold templates, or give a value a second time.
        """
        if has_expression(values):
            raise TemplateFault(
                VarsFileError, f"templates are not allowed in '{name}'", "write the value out"
            )
        self._merge(values, Source(name, None))

    def _merge(self, new: Mapping[str, Any], source: Source) -> None:
        reserved = [name for name in self.local if name in new]
        if reserved:
            raise TemplateFault(
                VarsConflictError,
                f"'{source.name}' gives {named(reserved)}, which foreach and matrix give to their stages",
                "call that variable otherwise",
            )
        self._merge_into(self.values, new, (), source)

    def _merge_into(self, into: dict[str, Any], new: Mapping[Any, Any], way: Way, source: Source) -> None:
        if len(way) > MAX_DEPTH:
            raise TemplateFault(TemplateTooLargeError, f"'{source.name}' is nested deeper than {MAX_DEPTH}")
        for key, value in new.items():
            if not isinstance(key, str):
                continue
            here = (*way, key)
            old = into.get(key, _ABSENT)
            if isinstance(old, dict) and isinstance(value, Mapping):
                if id(old) not in self._owned:  # it may be part of a file that others use too
                    old = into[key] = dict(old)
                    self._owned.add(id(old))
                self._merge_into(old, value, here, source)
            elif old is not _ABSENT:
                before = self._source(here)
                raise TemplateFault(
                    VarsConflictError,
                    f"'{short('.'.join(here))}' of '{source.name}' is already given by "
                    f"'{before.name if before else 'vars'}'",
                    "call one of them otherwise, or take only some keys of a file: file.yaml:key,key",
                )
            else:
                into[key] = value
                self._sources[here] = source

    def _source(self, way: Way) -> Source | None:
        for length in range(len(way), 0, -1):
            found = self._sources.get(way[:length])
            if found is not None:
                return found
        return None

    def find(self, expression: Expression) -> Held:
        """The value that an expression names, and where it stands.

        Raises:
            TemplateFault: there is none.
        """
        head = expression.parts[0]
        way: Way | None = None
        if head in self.local:
            value = self.local[head]
        elif head in self.values:
            value, way = self.values[head], (head,)
        else:
            self._unknown(expression, 0, [*self.local, *self.values])
        if type(value) is Held:
            value, way = value
        for at, part in enumerate(expression.parts[1:], 1):
            step: str | int = part
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, list) and (index := _index(part, len(value))) is not None:
                step, value = index, value[index]
            else:
                self._unknown(expression, at, value)
            if type(value) is Held:
                value, way = value
            elif way is not None:
                way = (*way, str(step))
        if self.used is not None and way is not None:
            self._note(value, way)
        return Held(value, way)

    def _note(self, value: Any, way: Way) -> None:
        source = self._source(way)
        if self.used is not None and source is not None and source.file and not isinstance(value, dict):
            self.used.setdefault(source.file, {})[".".join(way)] = value

    def _unknown(self, expression: Expression, at: int, among: Any) -> NoReturn:
        whole = f"'${{{short(expression.text)}}}'"
        part = expression.parts[at]
        above = ".".join(expression.parts[:at])
        hint = "name it in params.yaml, or in a file or mapping of 'vars'"
        if at == 0 or isinstance(among, dict):
            problem = f"{whole}: there is no variable '{short(part)}'" + (
                f" in '{short(above)}'" if at else ""
            )
            hint = _meant(part, among, above) or hint
        elif isinstance(among, list):
            problem = f"{whole}: '{short(above)}' is a list of {len(among)}, which has no '{short(part)}'"
            hint = "its entries are counted from 0"
        else:
            problem = f"{whole}: '{short(above)}' is no mapping, so there is no '{short(part)}' in it"
        raise TemplateFault(UnknownVariableError, problem, hint, expression=expression.text)

    def fill(self, template: Template, key: str | None) -> Any:
        """What a template says now.

        Args:
            template: The template.
            key: The field of a stage that it stands in; None where lists and mappings are welcome.

        Raises:
            TemplateFault: a variable is not there, or has no place in a text.
        """
        exact = template.exact
        if exact is not None:
            value = self.find(exact).value
            if type(value) is str:
                self.budget.spend_text(len(value))
            elif is_composite(value):
                if key is not None:
                    _refuse(value, key, exact, whole=True)
                return self.plain(value, exact)
            elif not isinstance(value, _SCALARS):
                _refuse(value, key, exact)
            return value
        known = self._texts
        text = ""
        for piece in template.pieces:
            if isinstance(piece, str):
                text += piece
            else:
                text += known.get(piece.text) or self._text(piece, key)
                if len(text) > self.budget.text:
                    break  # refused below
        text = unescaped(text)
        self.budget.spend_text(len(text))
        return text

    def _text(self, expression: Expression, key: str | None) -> str:
        value = self.find(expression).value
        if isinstance(value, _SCALARS):
            text = self._texts[expression.text] = value if type(value) is str else text_of(value)
            return text
        if isinstance(value, dict) and key == "cmd":
            return unpacked(self.plain(value, expression), self.unpacking, self.budget, expression.text)
        return _refuse(value, key, expression)

    def plain(self, value: Any, expression: Expression, depth: int = 0) -> Any:
        """A value as it may leave the variables: keys that are not text are left out.

        Raises:
            TemplateFault: it is too much, or holds what no template can insert.
        """
        self.budget.spend_values(1)
        if type(value) is Held:
            value = value.value
        if depth > MAX_DEPTH:
            raise TemplateFault(
                TemplateTooLargeError, f"nested deeper than {MAX_DEPTH}", expression=expression.text
            )
        if isinstance(value, dict):
            return {
                key: self.plain(item, expression, depth + 1)
                for key, item in value.items()
                if isinstance(key, str)
            }
        if isinstance(value, list):
            return [self.plain(item, expression, depth + 1) for item in value]
        if not isinstance(value, _SCALARS):
            _refuse(value, None, expression)
        return value


def _index(part: str, length: int) -> int | None:
    """A position in a list, counted from its end when negative; None when there is nothing."""
    try:
        index = int(part)
    except ValueError:
        return None
    if not -length <= index < length:
        return None
    return index + length if index < 0 else index


def _meant(word: str, known: Iterable[object], above: str = "") -> str:
    from fourfold.base.suggest import similar  # noqa: PLC0415 - only a mistake pays for it

    near = similar(word, [name for name in islice(known, _SUGGESTED) if isinstance(name, str)])
    prefix = f"{above}." if above else ""
    return f"did you mean {' or '.join(repr(prefix + name) for name in near)}?" if near else ""


def _refuse(value: object, key: str | None, expression: Expression, *, whole: bool = False) -> NoReturn:
    kind = "mapping" if isinstance(value, dict) else "list" if isinstance(value, list | tuple) else ""
    shown = f"'${{{short(expression.text)}}}'"
    if not kind:
        problem = f"{shown} is a {type(value).__name__}, which templates cannot insert"
        hint = "write it as text, in quotes"
    else:
        problem = f"{shown} is a {kind}, which cannot stand " + (f"in '{key}'" if key else "inside a text")
        hint = f"name one value in it: ${{{short(expression.text)}{'.key' if kind == 'mapping' else '[0]'}}}"
        if key == "cmd" and kind == "mapping" and whole:
            hint = f"write the program before it: python train.py ${{{short(expression.text)}}}"
    raise TemplateFault(NotAScalarError, problem, hint, expression=expression.text)
