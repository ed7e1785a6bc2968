"""What changed in files of code that were read: lines, functions, and the commits that did it.

A file of Python whose syntax tree is the same, but for comments, layout and docstrings, does the same: such a
change is told as that. Code is parsed and never run; what cannot be parsed is compared line by line. The
contents are those of the code trees of two runs, from Git or from what their records keep.
"""

import ast
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.formats.native.record import RunRecord
from fourfold.runs.changes import Part, mapping, opened, value_of
from fourfold.runs.coderestore import unpacked
from fourfold.scm.blobs import blob_id
from fourfold.scm.log import Touch, touches
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from fourfold.scm.git import Git

#: Larger files are not looked into, in bytes.
_LARGEST = 512 << 10
#: Where more lines lie between the first that differs and the last, they are counted and not aligned.
_ALIGNED = 1500
#: So many later versions of a file are looked at, the oldest.
_VERSIONS = 6
#: So many functions are named.
_NAMED = 3


class CodeChange(NamedTuple):
    """One file of code.

    Attributes:
        lines: Lines that are new or gone, the greater number; None where the contents are not had.
        share: Of all lines of the file; None likewise.
        functions: Functions and classes in which they are, in their order.
        cosmetic: Whether only comments, layout or docstrings changed.
        commits: Those between the two runs that changed it, the newest first.
        uncommitted: Whether one of the runs had it as no commit has it.
    """

    lines: int | None = None
    share: float | None = None
    functions: tuple[str, ...] = ()
    cosmetic: bool = False
    commits: tuple[Touch, ...] = ()
    uncommitted: bool = False

    @property
    def told(self) -> str:
        """In words; "" where nothing is known."""
        if self.lines is None:
            return ""
        if self.cosmetic:
            return "only comments, docstrings or layout changed"
        said = f"{self.lines} line{'' if self.lines == 1 else 's'} changed"
        if self.functions:
            more = f" and {len(self.functions) - _NAMED} more" if len(self.functions) > _NAMED else ""
            names = ", ".join(f"'{name}'" for name in self.functions[:_NAMED])
            said += f", in {names}{more}"
        return said


class Codes:
    """Looks into the files of code of two runs.

    Args:
        git: The repository; None without one: what records keep is all that is had.
        environ: The caller's environment.
        part: Reads a part.
    """

    def __init__(self, git: "Git | None", environ: Mapping[str, str], part: Part) -> None:
        self._git = git
        self._environ = environ
        self._part = part
        self._committed: dict[tuple[str, str], bytes | None] = {}

    def look(
        self, a: RunRecord, b: RunRecord, files: Mapping[str, tuple[object, object]]
    ) -> dict[str, CodeChange]:
        """What changed in each file.

        Args:
            a: The one run.
            b: The other.
            files: By path from the root of the repository: its Git ids in the two; None where it was not.
        """
        for record in (a, b):
            self._read(record, files)
        touched = self._touches(a, b, files)
        found = {}
        for path, (before, after) in files.items():
            kept = [self._content(record, path, oid) for record, oid in ((a, before), (b, after))]
            change = compare_code(kept[0][0], kept[1][0], path)
            commits = tuple(touch for touch in touched if path in touch.paths)
            found[path] = change._replace(commits=commits, uncommitted=kept[0][1] or kept[1][1])
        return found

    def contents(self, record: RunRecord, files: Mapping[str, str]) -> dict[str, bytes]:
        """The proven bytes of files of a run's code, by path; what is not had is left out.

        Args:
            record: Of the run.
            files: Their Git ids, by path from the root of the repository.
        """
        self._read(record, files)
        found = {path: self._content(record, path, oid)[0] for path, oid in files.items()}
        return {path: data for path, data in found.items() if data is not None}

    def versions(self, record: RunRecord, path: str) -> list[bytes]:
        """What a file that runs write, and no code tree has, was at the commit of a run and soon after it.

        Args:
            record: Of the run.
            path: From the root of the repository.
        """
        commit = self._commit(record)
        if self._git is None or not commit:
            return []
        commits = [commit]
        found = []
        try:
            head = self._git.head()
            later = touches(self._git, self._environ, commit, head, [path]) if head is not None else []
            commits += [touch.id for touch in later[: -_VERSIONS - 1 : -1]]
            found = [self._git.read_many(each, [path]).get(path) for each in commits]
        except FourfoldError:
            return []
        return [data for data in dict.fromkeys(found) if data is not None]

    def _commit(self, record: RunRecord) -> str:
        commit = value_of(record.code, "commit")
        return commit if isinstance(commit, str) and is_full_id(commit) else ""

    def _read(self, record: RunRecord, paths: Iterable[str]) -> None:
        """Read what a commit has of some files, by one process."""
        commit = self._commit(record)
        wanted = [path for path in paths if (commit, path) not in self._committed]
        if self._git is None or not commit or not wanted:
            return
        try:
            contents = self._git.read_many(commit, wanted)
        except FourfoldError:
            contents = {}
        self._committed |= {(commit, path): contents.get(path) for path in wanted}

    def _content(self, record: RunRecord, path: str, oid: object) -> tuple[bytes | None, bool]:
        """The bytes of a file, proven; whether no commit has them. Of a file that is not there, no bytes."""
        if oid is None:
            return b"", False
        data = self._committed.get((self._commit(record), path))
        if data is not None and blob_id(data, long=len(str(oid)) > 40) == oid:
            return data, False
        for name in ("objects", "sources"):
            value = value_of(record.code, name)
            if name == "sources":
                value = mapping(value).get("files")
            kept = mapping(mapping(opened(value, self._part)).get("blobs")).get(str(oid))
            if isinstance(kept, Mapping):
                try:
                    data = unpacked(kept)
                except (KeyError, TypeError, ValueError, AttributeError):
                    continue
                if blob_id(data, long=len(str(oid)) > 40) == oid:
                    return data, True
        return None, False

    def _touches(self, a: RunRecord, b: RunRecord, paths: Iterable[str]) -> Sequence[Touch]:
        first, second = self._commit(a), self._commit(b)
        if self._git is None or not first or not second:
            return ()
        try:
            # The newer run may be on the older commit.
            return touches(self._git, self._environ, first, second, paths) or touches(
                self._git, self._environ, second, first, paths
            )
        except FourfoldError:
            return ()


def compare_code(a: bytes | None, b: bytes | None, path: str) -> CodeChange:
    """What changed in one file; ``b""`` for one that is not there, None for one that is not had."""
    if a is None or b is None or max(len(a), len(b)) > _LARGEST or b"\0" in a + b:
        return CodeChange()
    first, second = (text.decode("utf-8", "replace").splitlines() for text in (a, b))
    spans = _spans(first, second)
    gone, new = sum(span[1] - span[0] for span in spans), sum(span[3] - span[2] for span in spans)
    if len(spans) == 1:  # perhaps not aligned: lines that only moved are not others
        gone, new = ((Counter(x) - Counter(y)).total() for x, y in ((first, second), (second, first)))
    lines = max(gone, new, 1)
    share = lines / max(len(first), len(second), 1)
    if not path.endswith(".py"):
        return CodeChange(lines, share)
    trees = _parsed(a), _parsed(b)
    if trees[0] is None or trees[1] is None:
        return CodeChange(lines, share)
    if a and b and _means_the_same(trees[0], trees[1], documented=b"__doc__" in a + b):
        return CodeChange(lines, share, cosmetic=True)
    places = [
        *_places(trees[0], [(span[0], span[1]) for span in spans]),
        *_places(trees[1], [(span[2], span[3]) for span in spans]),
    ]
    return CodeChange(lines, share, tuple(dict.fromkeys(places)))


def _spans(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Where lines differ: from and to in the one, from and to in the other."""
    least = min(len(first), len(second))
    start = next((at for at in range(least) if first[at] != second[at]), least)
    end = next((at for at in range(least - start) if first[-1 - at] != second[-1 - at]), least - start)
    inner = first[start : len(first) - end], second[start : len(second) - end]
    if max(map(len, inner)) > _ALIGNED:  # to align them takes the square of their number
        return [(start, len(first) - end, start, len(second) - end)]
    codes = SequenceMatcher(None, *inner, autojunk=False).get_opcodes()
    return [(i + start, j + start, k + start, m + start) for kind, i, j, k, m in codes if kind != "equal"]


def _parsed(code: bytes) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the code of others: it is not ours to mend
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _means_the_same(a: ast.Module, b: ast.Module, *, documented: bool) -> bool:
    try:
        return _meaning(a, documented=documented) == _meaning(b, documented=documented)
    except RecursionError:  # deep enough to be parsed, and not to be walked
        return False


def _meaning(tree: ast.Module, *, documented: bool) -> str:
    """A syntax tree as text, without places, and without docstrings unless the code looks at them."""
    for node in () if documented else ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            node.body = body[1:]
    return ast.dump(tree)


def _places(tree: ast.Module, spans: Sequence[tuple[int, int]]) -> list[str]:
    """The functions, and classes, in which lines are that changed; lines count from 0."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            start, end = node.lineno - 1, node.end_lineno or node.lineno
            hit = any(low < end and max(high, low + 1) > start for low, high in spans if high > low)
            inner = isinstance(node, ast.ClassDef) and any(
                isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) for child in node.body
            )
            if hit and not inner:
                found.append((start, node.name))
    return [name for _, name in sorted(found)]
