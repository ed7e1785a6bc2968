"""Inside of a stage: what the import of a package opens is told of once a package, not once a file.

A program that imports pandas opens some 1,500 files of bytecode and lists 200 folders, and whoever watches it
is asked each time. What is learned is which packages: so the first file of a package is opened as ever, and
the rest with bits among the flags by which the filter lets them pass (`fourfold.runs.tracer.abi.TOLD`). The
kernel ignores those bits. Who looks for plugins reads the metadata of all that is installed, used or not:
that passes too. Only below the folders of the interpreter and its packages: modules of the stage's own are
asked for.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from _fourfold_hooks import Finder  # type: ignore[import-not-found]

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | 0x2A000000
_PACKAGES = "-packages/"
_METADATA = (".dist-info", ".egg-info")
_VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}/"


def folders() -> "tuple[str, ...]":
    """Where the interpreter and its packages have their files; each ends with a slash."""
    found = {}  # type: dict[str, None]
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix):
        for library in ("/lib/", "/lib64/"):
            found[prefix + library + _VERSION] = None
    found["/usr/lib/python3/dist-packages/"] = None
    return tuple(found)


def install(finder: "Finder") -> None:
    """Have this process read bytecode and metadata, and list folders, so.

    Args:
        finder: Hears of imports.
    """
    external = sys.modules["_frozen_importlib_external"]
    told = Told(folders(), os.path.dirname(os.path.abspath(__file__)) + "/")
    external.FileLoader.get_data = reading(external.FileLoader.get_data, told)
    files = external.FileFinder
    files._fill_cache = listing(files._fill_cache, told)  # noqa: SLF001 - there is no other way to it

    def describe(module: "ModuleType") -> None:
        found = module.PathDistribution
        found.read_text = describing(found.read_text, told)

    finder.after["importlib.metadata"] = describe


class Told:
    """Which packages whoever watches has been told of; the standard library is one.

    Args:
        below: The folders of the interpreter and its packages.
        own: The folder of what runs here for us, of which nobody is told.
    """

    def __init__(self, below: "tuple[str, ...]", own: str = "") -> None:
        self.below = (*below, own) if own else below
        self._own = own
        self._names = set()  # type: set[str]
        self._folders = set()  # type: set[str]

    def covers(self, path: str) -> bool:
        """Whether a path lies below those folders."""
        return path.startswith(self.below) and "/../" not in path + "/"

    def knows(self, name: str, path: str) -> bool:
        """Whether the package of a file of bytecode is known; from now on it is.

        Args:
            name: Of its module.
            path: Of the file, which is covered.
        """
        package = _package(name) if _PACKAGES in path else ""
        if package in self._names or (self._own and path.startswith(self._own)):
            return True
        self._names.add(package)
        if package:
            file = getattr(sys.modules.get(package), "__file__", None) or path
            self._folders.add(file.rpartition("/")[0])
        return False

    def holds(self, folder: str) -> bool:
        """Whether a folder belongs to a package that is known."""
        if not self.covers(folder):
            return False
        if _PACKAGES not in folder + "/":
            return "" in self._names
        while not folder.endswith(_PACKAGES[:-1]):
            if folder in self._folders:
                return True
            folder = folder.rpartition("/")[0]
        return False


def _package(name: str) -> str:
    """The outermost package of a module that belongs to one distribution; the module where there is none."""
    end = name.find(".")
    while end > 0:
        if getattr(sys.modules.get(name[:end]), "__file__", None):  # what several share has no file
            return name[:end]
        end = name.find(".", end + 1)
    return name


def reading(plainly: "Callable[[object, str], bytes]", told: Told) -> "Callable[[object, str], bytes]":
    """What reads a file for a loader.

    Args:
        plainly: What did so far.
        told: What is known.
    """

    def get_data(self: object, path: str) -> bytes:
        """Return the data from path as raw bytes."""
        installed = type(path) is str and path.endswith(".pyc") and told.covers(path)
        if installed and told.knows(getattr(self, "name", ""), path):
            try:
                return _read(path)
            except OSError:
                pass  # which is told as always
        return plainly(self, path)

    return get_data


def listing(plainly: "Callable[[object], None]", told: Told) -> "Callable[[object], None]":
    """What lists the folder of a finder (``FileFinder._fill_cache``).

    Args:
        plainly: What did so far.
        told: What is known.
    """

    def _fill_cache(self: object) -> None:
        """Fill the cache of potential modules and packages for this directory."""
        path = getattr(self, "path", None)
        if type(path) is str and told.holds(path) and hasattr(self, "_path_cache"):
            try:
                descriptor = os.open(path, _FLAGS | os.O_DIRECTORY)
                try:
                    self._path_cache = set(os.listdir(descriptor))
                finally:
                    os.close(descriptor)
            except OSError:
                pass  # which is told as always
            else:
                return
        plainly(self)

    return _fill_cache


def describing(
    plainly: "Callable[[object, str], str | None]", told: Told
) -> "Callable[[object, str], str | None]":
    """What reads a file that describes a distribution (``importlib.metadata.PathDistribution.read_text``).

    Args:
        plainly: What did so far.
        told: What is known.
    """

    def read_text(self: object, filename: str) -> "str | None":
        """Attempt to load metadata file given by the name."""
        folder = str(getattr(self, "_path", ""))
        installed = folder.endswith(_METADATA) and told.covers(folder)
        if installed and type(filename) is str and "/" not in filename:
            try:
                text = _read(folder + "/" + filename).decode()
            except FileNotFoundError:
                return None
            except (OSError, ValueError):
                pass  # which is told as always
            else:
                return text.replace("\r\n", "\n").replace("\r", "\n")
        return plainly(self, filename)

    return read_text


def _read(path: str) -> bytes:
    descriptor = os.open(path, _FLAGS)
    try:
        size = os.fstat(descriptor).st_size + 1
        pieces = []
        while piece := os.read(descriptor, size):
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    finally:
        os.close(descriptor)
