"""Zones: what lies at an absolute path, as far as its name and the machine tell: system, environment, home.

The repository itself is `classify`'s. Nothing here knows what a task declares. Names are those of Linux and
macOS; facts about folders of caches are those of the tools that make them.
"""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

#: *environment*: an interpreter, what it has installed, programs and libraries. *cache*: what tools make
#: again when it is not there. *home*: configuration below the home folder.
Zone = Literal["environment", "cache", "temporary", "system", "home"]

_SYSTEM = re.compile(
    r"/(?:$|(?:usr|lib|lib32|lib64|libx32|bin|sbin|etc|proc|sys|dev|opt|nix|gnu|snap|run|boot|System|Library"
    r"|var/(?:cache|lib|log|run|spool))(?:/|$))"
)
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/private/tmp", "/private/var/folders")  # noqa: S108 - names only
#: Folders of installed code, wherever they are.
_INSTALLED = re.compile(
    r"/(?:site-packages|dist-packages|node_modules|conda-meta|lib(?:64)?/python3?(?:\.\d+t?)?|python3\d+\.zip"
    r"|[^/]+\.(?:egg-info|dist-info|egg-link))(?:/|$)"
)
#: The same below the home folder.
_HOME_INSTALLED = re.compile(
    r"(?:\.(?:pyenv|conda|mambaforge|julia|cargo|rustup|nvm|npm|rbenv|sdkman|m2|gradle|asdf)"
    r"|\.local/(?:bin|lib|pipx|share/uv|share/mise)|go/pkg|R|mini(?:conda|forge)3|anaconda3)(?:/|$)"
)
#: What is made or downloaded again, there.
_HOME_CACHES = re.compile(
    r"(?:\.(?:cache|keras|torch|matplotlib|triton|nv|numba)|\.ipython/profile_default/db)(?:/|$)"
)
_CACHES = re.compile(
    r"/(?:__pycache__|\.pytest_cache|\.mypy_cache|\.ruff_cache|\.hypothesis|\.ipynb_checkpoints|\.numba_cache"
    r"|\.cache)(?:/|$)|\.py[co](?:\.\d+)?$|/\.nfs[0-9a-f]+$|/\.coverage(?:\.[^/]*)?$"
)
_BUNDLE = re.compile(
    r"(.*?/(?:(?:site|dist)-packages/[^/]+|node_modules/(?:@[^/]+/)?[^/]+|lib(?:64)?/python3?[^/]*(?!/(?:site|dist)-)))/"
)
_LIBRARY = re.compile(r"\.(?:so(?:\.\d+)*|dylib|dll)$")
#: What a path of the kernel's is that has no place in a file system.
_NAMELESS = re.compile(r"^(?:/memfd:|memfd:|pipe:\[|socket:\[|anon_inode:)")
_NUMBERS = re.compile(r"(?<=/)\d+(?=/|$)")
_PYCACHE = re.compile(r"(.*)/__pycache__/([^/]+?)\.[^/.]+-\d+(?:\.opt-\d)?\.pyc(?:\.\d+)?$", re.DOTALL)


class Machine:
    """What is where on this machine, for one run.

    Args:
        environ: Of the run.
        reports: What processes of Python told: their prefixes.
    """

    def __init__(self, environ: Mapping[str, str], reports: Iterable[Mapping[str, Any]] = ()) -> None:
        prefixes: dict[str, None] = {}
        for report in reports:
            for key in ("prefix", "base_prefix"):
                found = report.get(key)
                if isinstance(found, str) and os.path.isabs(found) and os.path.normpath(found) != "/":
                    prefixes[os.path.normpath(found)] = None
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
            found = environ.get(name)
            if found and os.path.isabs(found):
                prefixes[os.path.normpath(found)] = None
        #: Of interpreters, the longest first; what is installed below ``/usr`` is told by its names.
        self.prefixes = tuple(
            sorted((path for path in prefixes if path not in {"/usr", "/usr/local"}), key=len, reverse=True)
        )
        temporary = [
            environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.path.isabs(environ.get(name, ""))
        ]
        self.temporary = tuple(os.path.normpath(path) for path in (*temporary, *_TEMPORARY))
        home = environ.get("HOME", "")
        self.home = os.path.normpath(home) if os.path.isabs(home) and os.path.normpath(home) != "/" else ""
        bytecode = environ.get("PYTHONPYCACHEPREFIX", "")
        self._bytecode = os.path.normpath(bytecode) if os.path.isabs(bytecode) else ""
        self._environments: dict[str, bool] = {}

    def source_of(self, path: str) -> str | None:
        """The source behind a file of bytecode, which Python reads instead of it; None for other files."""
        if not path.endswith(".pyc") and ".pyc." not in path:
            return None
        if self._bytecode and below(path, self._bytecode):
            stem = re.sub(r"\.[^/.]+-\d+(?:\.opt-\d)?\.pyc(?:\.\d+)?$", "", path[len(self._bytecode) :])
            return f"{stem}.py"
        match = _PYCACHE.match(path)
        return f"{match[1]}/{match[2]}.py" if match else None

    def installed(self, path: str, within: str = "") -> bool:
        """Whether a path is part of an environment: below a prefix, or where code is installed.

        Args:
            path: Absolute.
            within: A folder whose own name, and those above it, say nothing: the root of the repository.
        """
        if any(below(path, prefix) for prefix in self.prefixes if not below(within, prefix)):
            return True
        if _INSTALLED.search(path[len(within) :] if within else path):
            return True
        return self._in_environment(os.path.dirname(path), within)

    def _in_environment(self, folder: str, within: str) -> bool:
        """Whether a virtual environment or one of conda's lies around a folder."""
        seen = []
        answer = False
        while len(folder) > 1 and folder != within:
            known = self._environments.get(folder)
            if known is not None:
                answer = known
                break
            seen.append(folder)
            if os.path.lexists(f"{folder}/pyvenv.cfg") or os.path.isdir(f"{folder}/conda-meta"):
                answer = True
                break
            above = os.path.dirname(folder)
            if above == folder:
                break
            folder = above
        for one in seen:
            self._environments[one] = answer
        return answer

    def zone(self, path: str) -> Zone | None:
        """What lies at a path outside of the repository; None where nothing tells."""
        found: Zone | None = None
        if _NAMELESS.match(path):
            found = "system"
        elif any(below(path, prefix) for prefix in self.prefixes):
            found = "environment"
        elif any(below(path, folder) for folder in self.temporary):
            found = "temporary"
        elif _INSTALLED.search(path):
            found = "environment"
        elif _CACHES.search(path):
            found = "cache"
        elif _SYSTEM.match(path):
            found = "system"
        elif self._in_environment(os.path.dirname(path), "") or _LIBRARY.search(path):
            found = "environment"
        elif self.home and below(path, self.home):
            found = _home_zone(path[len(self.home) + 1 :])
        return found

    def shown(self, path: str) -> str:
        """An absolute path outside of the repository as a record names it, less who and which process."""
        for prefix in self.prefixes:
            if below(path, prefix):
                return "{prefix}" + path[len(prefix) :]
        if self.home and below(path, self.home):
            return "~" + path[len(self.home) :]
        if path.startswith(("/proc/", "/dev/pts/", "/dev/fd/", "/sys/")):
            return _NUMBERS.sub("{n}", path)
        return path


def _home_zone(name: str) -> Zone | None:
    """What lies below the home folder."""
    if _HOME_INSTALLED.match(name):
        return "environment"
    if _HOME_CACHES.match(name):
        return "cache"
    return "home" if name.startswith(".") else None


def bundle(shown: str) -> str:
    """The distribution, or the library of an interpreter, to which a file of an environment belongs."""
    match = _BUNDLE.match(shown)
    return match[1] if match else shown


def below(path: str, folder: str) -> bool:
    """Whether a normalized path is a folder, or lies below it."""
    return path == folder or path.startswith(folder if folder.endswith("/") else folder + "/")


def is_cache(path: str) -> bool:
    """Whether a path, by its name, is what tools make again: bytecode, results of linters."""
    return _CACHES.search(path) is not None
