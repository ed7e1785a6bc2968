"""How a fact names a file outside of the project, so that two machines give it one name where they can."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

#: Prefixes that hold a whole system and not one Python: files there keep their absolute names.
_SYSTEM = frozenset({"/", "/usr", "/usr/local"})


class Names(NamedTuple):
    """Folders that a name may begin with.

    Attributes:
        folders: (absolute folder with a separator at its end, what stands for it), the deepest first.
        root: Absolute root of the project.
    """

    folders: tuple[tuple[str, str], ...]
    root: str

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
    return Names(tuple(sorted(pairs.items(), key=lambda pair: -len(pair[0]))), root)
