"""What ``.dvcignore`` files exclude from a project: loaded folder by folder, as a walk comes to them.

Every project ignores ``.git``, ``.hg`` and ``.dvc``; a folder with a ``.dvc`` of its own is another project
and ignored as a whole. A ``.dvcignore`` speaks for its folder and everything below. As long as none was
met, an answer costs a comparison of names. Patterns are `fourfold.formats.dvc.ignore`.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fourfold.base.errors import ConflictError, from_os_error
from fourfold.base.fs.reading import read_file

if TYPE_CHECKING:
    from fourfold.formats.dvc.ignore import RuleSet, Verdict

IGNORE_FILE = ".dvcignore"
DVC_DIR = ".dvc"
_FOLDERS = frozenset({".git", ".hg", DVC_DIR})
_FILES = frozenset({".git"})


class IgnoreFileInDataError(ConflictError):
    """A ``.dvcignore`` lies inside tracked data, where it would change what the data is."""

    code = "ignore-file-in-data"


class _Folder:
    """The rules for what lies in one folder.

    ``rules`` is None while only the defaults apply; ``shut`` says that the folder itself is ignored.
    """

    __slots__ = ("rules", "shut")

    def __init__(self, rules: "RuleSet | None", *, shut: bool) -> None:
        self.rules = rules
        self.shut = shut

    def ignores(self, path: str, name: str, is_dir: bool) -> bool:
        """Whether the entry ``name`` is ignored, given that the folder is not; ``path`` is from the root."""
        if self.rules is None:
            return name in (_FOLDERS if is_dir else _FILES)
        return bool(self.rules.decide(path, is_dir))


class Ignore:
    """The ignore rules of one project, of its work tree or of given files."""

    __slots__ = ("_contents", "_folders", "_prefix", "root")

    def __init__(self, root: str, contents: Mapping[str, bytes] | None = None) -> None:
        """Begin with nothing loaded.

        Args:
            root: Absolute path of the project.
            contents: The ``.dvcignore`` files of a revision, by path relative to the root; None for those
                of the work tree.
        """
        self.root = root
        self._prefix = root.rstrip(os.sep) + os.sep
        self._contents = contents
        self._folders: dict[str, _Folder] = {}

    def is_ignored(self, path: str, is_dir: bool) -> bool:
        """Whether a path, or a folder above it, is ignored; the root and what lies outside are not.

        Args:
            path: Absolute and normalized, or relative to the root.
            is_dir: Whether it is a folder, or would be one.

        Raises:
            BadIgnoreFileError: an ignore file above it cannot be understood.
            DeniedError: one may not be read.
        """
        relative = self._relative(path)
        if not relative:
            return False
        parent, _, name = relative.rpartition("/")
        folder = self._folder(parent)
        if folder.shut or folder.ignores(relative, name, is_dir):
            return True
        return is_dir and self._is_project(relative)

    def _relative(self, path: str) -> str:
        if os.path.isabs(path):
            if not path.startswith(self._prefix):
                return ""
            path = path[len(self._prefix) :]
        relative = path.replace(os.sep, "/") if os.sep != "/" else path
        return "" if relative in {".", ".."} or relative.startswith("../") else relative.rstrip("/")

    def _folder(self, relative: str) -> _Folder:
        found = self._folders.get(relative)
        if found is None:
            found = self._folders[relative] = self._load(relative)
        return found

    def _load(self, relative: str) -> _Folder:
        """What applies in a folder: what applies above it, and its own ignore file."""
        if relative:
            above, _, name = relative.rpartition("/")
            parent = self._folder(above)
            if parent.shut or parent.ignores(relative, name, is_dir=True) or self._is_project(relative):
                return _Folder(parent.rules, shut=True)
            rules, file = parent.rules, f"{relative}/{IGNORE_FILE}"
        else:
            rules, file = None, IGNORE_FILE
        if rules is not None and rules.excludes(file, is_dir=False):
            return _Folder(rules, shut=False)
        data = self._read(file)
        if not data or not data.strip():
            return _Folder(rules, shut=False)
        return self._extended(rules, data, file, relative)

    def _extended(self, rules: "RuleSet | None", data: bytes, file: str, relative: str) -> _Folder:
        from fourfold.formats.dvc import ignore  # noqa: PLC0415 - most projects have no patterns

        own = ignore.parse(data, file, relative)
        if not own:
            return _Folder(rules, shut=False)
        old = [ignore.Rule(pattern) for pattern in ignore.DEFAULTS] if rules is None else rules.rules
        merged = ignore.RuleSet([*old, *own])
        # A pattern such as "**" of the folder's own file reaches the folder itself, and then shuts it.
        return _Folder(merged, shut=bool(relative) and merged.excludes(relative, is_dir=True))

    def _read(self, file: str) -> bytes | None:
        if self._contents is not None:
            return self._contents.get(file)
        try:
            return read_file(self._prefix + file)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise from_os_error(error, "reading ignore rules") from error

    def _is_project(self, relative: str) -> bool:
        """Whether a folder is a project of its own; those of a revision are the caller's business."""
        return self._contents is None and os.path.exists(f"{self._prefix}{relative}/{DVC_DIR}")

    # --- for walks over data ---

    def pruning(self, path: str) -> tuple[Callable[[str], bool], Callable[[str], bool]]:
        """Tests for a scan of the data below ``path``: which files, and which folders, are not part of it.

        They take paths relative to ``path``. The first is as good as free where there are no patterns.

        Args:
            path: An absolute folder, an output or a future one.

        Raises:
            BadIgnoreFileError, DeniedError: as `is_ignored`; the file test also raises
                `IgnoreFileInDataError` when it is given a ``.dvcignore``.
        """
        relative = self._relative(path)
        if self.is_ignored(path, is_dir=True):
            return (lambda _name: True), (lambda _name: True)
        outside = not relative and path.rstrip(os.sep) != self.root.rstrip(os.sep)
        rules = None if outside else self._folder(relative.rpartition("/")[0]).rules
        prefix = f"{relative}/" if relative else ""

        def skip_file(name: str) -> bool:
            base = name.rpartition("/")[2]
            skipped = base in _FILES if rules is None else bool(rules.decide(prefix + name, is_dir=False))
            if base == IGNORE_FILE and not skipped:
                where = os.path.dirname(f"{path}/{name}")
                raise IgnoreFileInDataError(
                    f"{IGNORE_FILE} file should not be in collected dir path: '{where}'",
                    hint="move its patterns to the .dvcignore of a folder above the data",
                )
            return skipped

        def skip_folder(name: str) -> bool:
            base = name.rpartition("/")[2]
            if base in _FOLDERS if rules is None else rules.decide(prefix + name, is_dir=True):
                return True
            return self._contents is None and os.path.exists(f"{path}/{name}/{DVC_DIR}")

        return skip_file, skip_folder

    # --- for check-ignore ---

    def check(self, path: str, is_dir: bool) -> "Verdict":
        """Whether a path is ignored, and by which rule.

        As ``dvc check-ignore`` has it: the first folder above that is ignored decides, else the path
        itself; a rule that un-ignores is told too.

        Args:
            path: Absolute and normalized, or relative to the root.
            is_dir: Whether it is a folder.
        """
        from fourfold.formats.dvc.ignore import (  # noqa: PLC0415 - for this verb only
            DEFAULTS,
            Rule,
            RuleSet,
            Verdict,
        )
        from fourfold.formats.gitignore import escape  # noqa: PLC0415 - likewise

        relative = self._relative(path)
        if not relative:
            return Verdict(ignored=False, rule=None)
        parts = relative.split("/")
        rules = self._folder("/".join(parts[:-1])).rules or RuleSet([Rule(text) for text in DEFAULTS])
        for count in range(1, len(parts) + 1):
            part, last = "/".join(parts[:count]), count == len(parts)
            part_is_dir = is_dir or not last
            in_force = rules
            if part_is_dir and self._is_project(part):
                other = Rule(f"/{escape(part)}/", text=f"in sub_repo:{parts[count - 1]}")
                in_force = RuleSet([*rules.rules, other])
            found = in_force.deciding(part, part_is_dir)
            if found is not None and (found[0] or last):
                return Verdict(*found)
        return Verdict(ignored=False, rule=None)
