"""How a fact names a file outside of the project, so that two machines give it one name where they can."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from fourfold.runs.zones import Machine, below

#: Prefixes that hold a whole system and not one Python: files there keep their absolute names.
_SYSTEM = frozenset({"/", "/usr", "/usr/local"})


class Names(NamedTuple):
    """Folders that a name may begin with.

    Attributes:
        folders: (absolute folder with a separator at its end, what stands for it), the deepest first.
        root: Absolute root of the project.
        temporary: Absolute folders for temporary files.
    """

    folders: tuple[tuple[str, str], ...]
    root: str
    temporary: tuple[str, ...] = ()

    def shown(self, path: str) -> str:
        """A path as a fact names it: ``{prefix}/...``, ``{base}/...``, relative to the root, ``~/...``."""
        path = os.path.normpath(path)
        for folder, name in self.folders:
            if path.startswith(folder):
                return name + path[len(folder) :].replace(os.sep, "/")
            if path == folder[:-1]:
                return name.rstrip("/") or "."
        return path.replace(os.sep, "/")

    def place(self, path: str) -> str:
        """Where a prefix itself is: relative to the root, ``~/...``, or absolute."""
        return self._replace(folders=tuple(pair for pair in self.folders if pair[1][:1] != "{")).shown(path)

    def is_project(self, path: str) -> bool:
        """Whether a path is the root of the project or below it."""
        path = os.path.normpath(path)
        return path == self.root or path.startswith(self.root.rstrip(os.sep) + os.sep)


def is_passing(names: Names, path: str) -> bool:
    """Whether a file lies in a folder for temporary files, and neither in an environment nor in the project.

    What is compiled there during a run has another name each time.
    """
    shown = names.shown(path)
    return shown.startswith("/") and any(below(path, folder) for folder in names.temporary)


def names_of(root: str, environ: Mapping[str, str], report: Mapping[str, Any] | None = None) -> Names:
    """The names for a run in which a Python told about itself, or none did."""
    pairs: dict[str, str] = {}
    for key, name in (("prefix", "{prefix}/"), ("base_prefix", "{base}/")):
        folder = (report or {}).get(key)
        if isinstance(folder, str) and os.path.isabs(folder) and os.path.normpath(folder) not in _SYSTEM:
            pairs.setdefault(os.path.normpath(folder) + os.sep, name)
    root = os.path.normpath(root)
    pairs.setdefault(root.rstrip(os.sep) + os.sep, "")
    home = environ.get("HOME", "")
    if os.path.isabs(home) and os.path.normpath(home) != os.sep:
        pairs.setdefault(os.path.normpath(home) + os.sep, "~/")
    folders = tuple(sorted(pairs.items(), key=lambda pair: -len(pair[0])))
    return Names(folders, root, Machine(environ).temporary)
