"""What moved among the files of two runs: code, data, and what was used without being declared.

Each file is told of once: a script that is a declared input is code, a table that Git tracks is data, a
parameter speaks for its file. What changed and was not read is told apart. Pure: values to changes.
"""

import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fourfold.base.errors import FourfoldError
from fourfold.formats.native.record import RunRecord
from fourfold.runs.changes import (
    Change,
    Kind,
    Part,
    by_path,
    content_of,
    coverage_of,
    differing,
    mapping,
    opened,
    params_of,
    rows_of,
    saw_all,
    value_of,
)
from fourfold.runs.codesources import is_code
from fourfold.runs.codetree import is_written
from fourfold.runs.reading import (
    all_undeclared_of,
    code_folders,
    folders_of,
    prefix_of,
    shown,
    sources_of,
    undeclared_of,
)

#: The files of the code tree of a run, by path, with their ids.
CodeFiles = Callable[[RunRecord], Mapping[str, str]]

#: What describes a pipeline; what it says of a run stands in the record itself.
_DESCRIPTIONS = ("dvc.yaml", ".dvcignore", ".gitattributes", "config")
#: Facts about the moment of the code, told only aside.
_CODE_ASIDE = ("commit", "branch", "remote")
_CODE_KNOWN = frozenset(
    {"tree", "changed", "left_out", "dirty", "sources", "outputs", "objects", "folder", *_CODE_ASIDE}
)
_DATA_KNOWN = frozenset(
    {"inputs", "outputs", "params", "summaries", "entry", "elsewhere", "missing", "metrics", "kept"}
)
_DATA_ASIDE = frozenset({"unread", "changed_during"})
#: What is said of inputs that only one of the runs declares.
_DECLARED = frozenset({"now declared", "no longer declared"})
#: So many changes of a table are told.
_MOST_SAID = 5


def compare_files(
    a: RunRecord, b: RunRecord, part: Part, code_files: CodeFiles | None = None
) -> Iterable[Change]:
    """What moved in the first two coordinates, declared or not."""
    files = _Files(a, b, part)
    yield from _code(a, b, part, files)
    yield from _trees(a, b, files, code_files)
    yield from _data(a, b, part, files)
    yield from _undeclared(a, b, part)


class _Files:
    """Which files of two runs are code, which are data, and which were read."""

    def __init__(self, a: RunRecord, b: RunRecord, part: Part) -> None:
        self.first, self.second = (sources_of(record, part) for record in (a, b))
        #: Whether both runs tell which source files they read.
        self.known = self.first is not None and self.second is not None
        self._sources = {*(self.first or {}), *(self.second or {})}
        self._above = prefix_of(b)
        self._inputs = {row["path"] for record in (a, b) for row in rows_of(record, "inputs")}
        self._inputs |= {file for record in (a, b) for file in params_of(record, part)}
        self._outputs = {row["path"] for record in (a, b) for row in rows_of(record, "outputs")}
        self._read = [_inputs_read(record, part) for record in (a, b)]
        #: Data that was read undeclared; where Git keeps it, it is among the sources, too.
        self._undeclared = _contents_of_undeclared(a, b, part)
        #: Rows of all files of which a run has one, by path: they have digests also of what nobody may keep.
        self._rows = [
            {**all_undeclared_of(record, part), **by_path(rows_of(record, "inputs"))} for record in (a, b)
        ]
        names = {shown(path, self._above) for path in self._sources}
        of_code = code_folders(self._sources, self._above)
        #: Declared folders that are told of by the source files that were read in them: as code, unless one
        #: of the runs read some of them as data that nobody declared.
        self._folders: frozenset[str] = frozenset()
        if all(read is not None for read in self._read):
            others = self._undeclared.union(*(read - names for read in self._read if read is not None))
            self._folders = of_code - _folders(others)
        #: Of these, and of code, too; but the sources in it do not tell whether it changed.
        self._dim = self._folders & _folders(
            shown(path, self._above) for path in self._sources if self.content(path) is None
        )
        self._folders -= self._dim

    def content(self, path: str) -> tuple[Any, Any] | None:
        """What names the content of a source file in either run, None for a run that did not read it.

        Returns:
            None where it is not known: what may hold secrets, or is too large, has no id, and a digest only
            where it was declared, or undeclared as an input.
        """
        sides = (self.first or {}, self.second or {})
        before, after = (side.get(path) for side in sides)
        if all(side.get(path) is not None for side in sides if path in side):
            return before, after
        name = shown(path, self._above)
        old, new = (
            rows.get(name) if path in side else None for rows, side in zip(self._rows, sides, strict=True)
        )
        before, after = content_of(old, new), content_of(new, old)
        known = all(
            each is not None for each, side in zip((before, after), sides, strict=True) if path in side
        )
        return (before, after) if known else None

    def of_both(self, name: str) -> tuple[Any, Any] | None:
        """What names the content of a file, by its name as data, in the sources of both runs; else None."""
        path = posixpath.normpath(self._above + name)
        in_both = path in (self.first or {}) and path in (self.second or {})
        return self.content(path) if in_both else None

    def is_of_code(self, path: str) -> bool:
        """Whether a declared input counts to code, where it is told of."""
        return is_code(path) or path in self._dim

    def is_data(self, path: str) -> bool:
        """Whether a path of the repository is data of the runs, and told of as such."""
        name = shown(path, self._above)
        told = self._inputs | self._undeclared
        return name in self._outputs or (name in told and not is_code(path))

    def is_unknown(self, path: str) -> bool:
        """Whether neither sources nor data tell of a path of the repository."""
        name = shown(path, self._above)
        return path not in self._sources and name not in self._inputs and name not in self._outputs

    def is_source(self, path: str) -> bool:
        """Whether a declared input is a source file that was read, or a folder of such, and told of so."""
        if not self.known:
            return False
        return path in self._folders or (
            is_code(path) and posixpath.normpath(self._above + path) in self._sources
        )

    def is_unread(self, path: str) -> bool:
        """Whether a declared input is known to have been read by neither run."""
        below = path + "/"
        return all(
            read is not None and path not in read and not any(each.startswith(below) for each in read)
            for read in self._read
        )


def _folders(paths: Iterable[str]) -> set[str]:
    """The folders in which files lie, but for those that only hold what runs write."""
    return {folder for path in paths if not is_written(path) for folder in folders_of(path)}


def _inputs_read(record: RunRecord, part: Part) -> frozenset[str] | None:
    """The inputs, or files in them, that a run read, declared or not; None where not all reading was seen."""
    if not saw_all(record):
        return None
    listing = mapping(value_of(record.trace, "paths")).get("listing")
    read = mapping(mapping(opened(listing, part)).get("classes"))
    found = read.get("input", ())
    if not read or not isinstance(found, list | tuple):
        return None
    return frozenset({*map(str, found), *undeclared_of(record, part)})


# --- code -------------------------------------------------------------------------------------------------


def _code(a: RunRecord, b: RunRecord, part: Part, files: _Files) -> Iterable[Change]:
    if a.command != b.command:
        yield Change("code", "command", "\n".join(a.command), "\n".join(b.command))
    if files.first is not None and files.second is not None:
        for path in sorted({*files.first, *files.second}):
            if files.is_data(path):
                continue
            in_both = path in files.first and path in files.second
            content = files.content(path)
            if content is None and in_both:
                yield Change("code", path, None, None, "aside", "whether it changed is not known: not kept")
                continue
            before, after = content or (None, None)
            if in_both and before == after:
                continue
            note = "now read" if path not in files.first else ""
            note = "no longer read" if path not in files.second else note
            yield Change("code", path, before, after, "moved", note)
    for name in _CODE_ASIDE:
        before, after = value_of(a.code, name), value_of(b.code, name)
        if before != after:
            yield Change("code", name, before, after, "aside")
    for name in sorted({*a.code, *b.code} - _CODE_KNOWN):
        yield from differing("code", name, a.code.get(name), b.code.get(name), part)


def _trees(a: RunRecord, b: RunRecord, files: _Files, code_files: CodeFiles | None) -> Iterable[Change]:
    """What changed in the code beside the files that are known to have been read."""
    before, after = value_of(a.code, "tree"), value_of(b.code, "tree")
    if before == after or before is None or after is None:
        return
    try:
        trees = [code_files(record) for record in (a, b)] if code_files is not None else []
    except FourfoldError:
        trees = []
    if not trees:
        note = "which files is not known: their tree is not here"
        yield Change("code", "tree", before, after, "unread" if files.known else "moved", note)
        return
    for path in sorted({*trees[0], *trees[1]}):
        if trees[0].get(path) == trees[1].get(path):
            continue
        if not files.is_unknown(path):
            continue
        if path.endswith(".dvc") or path.rpartition("/")[2] in _DESCRIPTIONS:
            yield Change("code", path, None, None, "aside", "describes the pipeline")
        elif files.known:
            yield Change("code", path, None, None, "unread", "changed, not read")
        else:
            yield Change("code", path, None, None, "moved", "whether it was read is not known")


# --- data -------------------------------------------------------------------------------------------------


def _data(a: RunRecord, b: RunRecord, part: Part, files: _Files) -> Iterable[Change]:
    params = list(_params(a, b, part))
    tables = _Tables(a, b, part)
    for change, role in _inputs(a, b, "inputs", tables, part, files):
        path = change.name
        if files.is_source(path):
            continue
        coordinate = "code" if files.is_of_code(path) else "data"
        if role == "params":
            if not any(each.name.startswith(path + ":") for each in params):
                yield change._replace(kind=_params_kind(a, b), note="no parameter of this run changed")
        elif files.is_unread(path):
            note = ", ".join(each for each in (change.note, "declared, not read") if each)
            yield change._replace(coordinate=coordinate, kind="unread", note=note)
        else:
            yield change._replace(coordinate=coordinate)
    yield from params
    yield from (change for change, _ in _inputs(a, b, "elsewhere", tables, part, files))
    for name in sorted({*a.data, *b.data} - _DATA_KNOWN):
        kind: Kind = "aside" if name in _DATA_ASIDE else "moved"
        yield from differing("data", name, a.data.get(name), b.data.get(name), part, kind)


def _params_kind(a: RunRecord, b: RunRecord) -> Kind:
    """What it is that a file of parameters changed: where it gives the seed, that may be all."""
    first, second = (record.randomness.get("seed") for record in (a, b))
    if first is None or second is None or first.value == second.value:
        return "unread"
    return "aside" if "declared" in {first.grade, second.grade} else "unread"


def _inputs(
    a: RunRecord, b: RunRecord, fact: str, tables: "_Tables", part: Part, files: _Files
) -> Iterable[tuple[Change, str]]:
    """The files of a fact that differ, each with its role."""
    # What the other run was seen to read, or declared as something else.
    known = [{**undeclared_of(record, part), **by_path(rows_of(record, fact))} for record in (a, b)]
    first = {(row["path"], str(row.get("role"))): row for row in rows_of(a, fact)}
    second = {(row["path"], str(row.get("role"))): row for row in rows_of(b, fact)}
    for path, role in sorted({*first, *second}):
        old, new = first.get((path, role)), second.get((path, role))
        note = tables.told(path)
        kind: Kind = "moved"
        if old is None or new is None:
            note = "now declared" if old is None else "no longer declared"
            # The other run may have read it all the same: then it is one file with two contents.
            old, new = old or known[0].get(path), new or known[1].get(path)
        before, after = content_of(old, new), content_of(new, old)
        if note in _DECLARED:
            # In a folder of code that the other declares, it is among the sources, by another digest.
            before, after = files.of_both(path) or (before, after)
            kind = "aside" if before == after and (before is not None or (old and new)) else "moved"
        if before == after and note not in _DECLARED and (old is None) == (new is None):
            continue
        if note not in _DECLARED and (before is None or after is None):
            note = "was not there" if before is None else "is not there"
        yield Change("data", path, before, after, kind, note), role


def _params(a: RunRecord, b: RunRecord, part: Part) -> Iterable[Change]:
    first, second = (params_of(record, part) for record in (a, b))
    for file in sorted({*first, *second}):
        old, new = first.get(file, {}), second.get(file, {})
        for key in sorted({*old, *new}):
            if key in old and key in new and old[key] == new[key] and type(old[key]) is type(new[key]):
                continue
            note = "" if key in old and key in new else ("new" if key in new else "gone")
            yield Change("data", f"{file}:{key}", old.get(key), new.get(key), "moved", note)


class _Tables:
    """What two runs say about the tables among their data."""

    def __init__(self, a: RunRecord, b: RunRecord, part: Part) -> None:
        self._first, self._second = (
            mapping(mapping(opened(value_of(record.data, "summaries"), part)).get("tables"))
            for record in (a, b)
        )

    def told(self, path: str) -> str:
        """How a table changed, in words; "" where nothing is known."""
        a, b = self._first.get(path), self._second.get(path)
        if not isinstance(a, Mapping) or not isinstance(b, Mapping):
            return ""
        said = []
        rows, more = a.get("rows"), b.get("rows")
        if isinstance(rows, int) and isinstance(more, int) and rows != more:
            said.append(f"{more - rows:+,} row{'' if abs(more - rows) == 1 else 's'}")
        first, second = _columns(a), _columns(b)
        said += [f"new column {name}" for name in second if name not in first]
        said += [f"column {name} is gone" for name in first if name not in second]
        for name in first:
            if name in second:
                said += _column_changes(name, first[name], second[name])
        if len(said) > _MOST_SAID:
            said = [*said[:_MOST_SAID], f"and {len(said) - _MOST_SAID} more"]
        return ", ".join(said)


def _columns(table: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    columns = table.get("columns")
    rows = columns if isinstance(columns, list) else []
    return {str(row.get("name")): row for row in rows if isinstance(row, Mapping)}


def _column_changes(name: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    if a.get("kind") != b.get("kind"):
        return [f"column {name}: {a.get('kind')} -> {b.get('kind')}"]
    if a.get("nulls") != b.get("nulls"):
        return [f"empty in {name}: {a.get('nulls')} -> {b.get('nulls')}"]
    return []


# --- what was used and is not declared --------------------------------------------------------------------


def _undeclared(a: RunRecord, b: RunRecord, part: Part) -> Iterable[Change]:
    # Only where both were watched alike, what one of them lacks means anything.
    kind: Kind = "moved" if coverage_of(a) == coverage_of(b) else "aside"
    first, second = (undeclared_of(record, part) for record in (a, b))
    declared = [{row["path"] for row in rows_of(record, "inputs")} for record in (a, b)]
    for path in sorted({*first, *second}):
        old, new = first.get(path), second.get(path)
        if _is_below(path, declared[1 if new is None else 0]) and (old is None) != (new is None):
            continue  # told among the inputs of the other run
        before, after = content_of(old, new), content_of(new, old)
        if old is not None and new is not None:
            if before != after and before is not None and after is not None:
                yield Change("data", path, before, after, "moved", "undeclared")
            continue
        note = "undeclared, now read" if old is None else "undeclared, no longer read"
        yield Change("data", path, before, after, kind, note)
    hosts = [_hosts(record) for record in (a, b)]
    for host in sorted(hosts[0] ^ hosts[1]):
        note = "no longer connected to" if host in hosts[0] else "now connected to"
        yield Change("data", f"network: {host}", None, None, kind, note)


def _is_below(path: str, places: set[str]) -> bool:
    """Whether a path is one of the places, or in one."""
    while path:
        if path in places:
            return True
        path = path.rpartition("/")[0]
    return False


def _contents_of_undeclared(a: RunRecord, b: RunRecord, part: Part) -> set[str]:
    """What was read undeclared, of which the content is known wherever it was read."""
    sides = [undeclared_of(record, part) for record in (a, b)]
    return {
        path
        for path in {*sides[0], *sides[1]}
        if all(content_of(side[path]) is not None for side in sides if path in side)
    }


def _hosts(record: RunRecord) -> set[str]:
    pairs = value_of(record.trace, "network")
    rows = pairs if isinstance(pairs, list) else ()
    return {str(pair[0]) for pair in rows if isinstance(pair, list) and pair}
