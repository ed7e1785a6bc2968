"""What a lock wants of one interpreter, and how what is installed differs from it: names and versions.

Hashes are `fourfold.runs.envcheck`. Evaluates markers for the interpreter that is compared, which need not be
the one that runs this.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fourfold.formats.locks.model import Edge, Locked, Package

#: What a new virtual environment may hold before anything is installed.
SEEDS = frozenset({"pip", "setuptools", "wheel", "distribute", "uv", "pkg-resources"})


class Installed(NamedTuple):
    """One distribution that is installed.

    Attributes:
        name: Normalised.
        version: As its metadata says.
        editable: Whether it is a link to a working folder.
        local: Whether it was built from a folder of this machine.
        build: Of conda: the build.
        by_conda: Whether conda brought it along with one of its packages; None when that is not known.
    """

    name: str
    version: str
    editable: bool = False
    local: bool = False
    build: str = ""
    by_conda: bool | None = None


class Difference(NamedTuple):
    """One way in which an environment is not what its lock says.

    Attributes:
        code: ``missing`` | ``version`` | ``extra``.
        name: The package; of conda after ``conda:``.
        locked: The version that the lock wants; "" for none.
        installed: The version that is there; "" for none.
    """

    code: str
    name: str
    locked: str = ""
    installed: str = ""

    def __str__(self) -> str:
        if self.code == "missing":
            return f"{self.name} {self.locked} is not installed".replace("  ", " ")
        if self.code == "extra":
            return f"{self.name} {self.installed} is not in the lock"
        return f"{self.name} is {self.installed}, locked is {self.locked}"


class Wanted(NamedTuple):
    """What a lock means for one interpreter.

    Attributes:
        required: Packages that have to be there, by name; of conda after ``conda:``.
        allowed: All that may be there, by name: those of extras, groups and other platforms too.
        own: Names of the project's own packages, which may be there or not.
        conda: Whether packages of conda are among them.
    """

    required: Mapping[str, Package]
    allowed: Mapping[str, Sequence[Package]]
    own: frozenset[str]
    conda: bool = False


def marker_environment(interpreter: Mapping[str, Any]) -> dict[str, Any]:
    """The environment that markers are evaluated in.

    Args:
        interpreter: ``version`` (``3.12.1``) and ``name`` or ``implementation`` (``cpython``) of the one
            that is compared; what is missing is taken from the one that runs this. Its machine is this one.
    """
    from packaging.markers import default_environment  # noqa: PLC0415 - only where markers are

    environment: dict[str, Any] = dict(default_environment())
    version = str(interpreter.get("version") or environment["python_full_version"]).split(" ", 1)[0]
    environment["python_full_version"] = version
    environment["python_version"] = ".".join(version.split(".")[:2])
    told = interpreter.get("implementation") or interpreter.get("name")
    name = str(told or environment["implementation_name"]).lower()
    environment["implementation_name"] = name
    if name == "cpython":
        environment["implementation_version"] = version
        environment["platform_python_implementation"] = "CPython"
    elif name == "pypy":
        environment["platform_python_implementation"] = "PyPy"
    return environment


class _Markers:
    """Evaluates markers, each once."""

    def __init__(self, environment: Mapping[str, Any], groups: Sequence[str]) -> None:
        self._environment = {
            **environment,
            "extra": "",
            "extras": frozenset(),
            "dependency_groups": frozenset(groups),
        }
        self._known: dict[str, bool] = {"": True}

    def holds(self, marker: str) -> bool:
        """Whether it holds; one that cannot be understood does: better one too many is told."""
        found = self._known.get(marker)
        if found is None:
            from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName  # noqa: PLC0415

            try:
                found = Marker(marker).evaluate(self._environment, context="lock_file")
            except (ValueError, KeyError, TypeError, UndefinedComparison, UndefinedEnvironmentName):
                found = True
            self._known[marker] = found
        return found


def wanted(locked: Locked, environment: Mapping[str, Any], platform: str = "") -> Wanted:
    """What a lock means for one interpreter.

    Args:
        locked: The lock.
        environment: Of markers (`marker_environment`).
        platform: Of conda (``linux-64``); packages of others do not count.
    """
    markers = _Markers(environment, locked.groups)
    allowed: dict[str, list[Package]] = {}
    for package in locked.packages:
        if package.name and (not package.platform or not platform or package.platform == platform):
            allowed.setdefault(key_of(package), []).append(package)
    own = frozenset(
        package.name
        for package in locked.packages
        if package.source in {"virtual", "editable"} and locked.roots is not None
    ) | frozenset(edge.name for edge in locked.roots or () if _is_own(allowed.get(edge.name, ())))
    required = _listed(allowed, markers) if locked.roots is None else _reached(locked.roots, allowed, markers)
    conda = any(package.ecosystem == "conda" for package in locked.packages)
    return Wanted({name: item for name, item in required.items() if name not in own}, allowed, own, conda)


def key_of(package: Package) -> str:
    """What a package is called among others: conda's names are another world."""
    return f"conda:{package.name}" if package.ecosystem == "conda" else package.name


def _is_own(packages: Sequence[Package]) -> bool:
    return any(package.source in {"virtual", "editable", "path"} for package in packages)


def _listed(allowed: Mapping[str, Sequence[Package]], markers: _Markers) -> dict[str, Package]:
    return {
        name: package
        for name, packages in allowed.items()
        for package in packages
        if not package.optional and markers.holds(package.marker)
    }


def _reached(
    roots: Sequence[Edge], allowed: Mapping[str, Sequence[Package]], markers: _Markers
) -> dict[str, Package]:
    """What can be reached from the roots under markers that hold."""
    required: dict[str, Package] = {}
    taken: set[tuple[str, str, str]] = set()
    ahead = list(roots)
    while ahead:
        edge = ahead.pop()
        if not markers.holds(edge.marker):
            continue
        package = _picked(edge, allowed.get(edge.name, ()), markers)
        if package is None:
            continue
        required[package.name] = package
        for extra in ("", *edge.extras):
            key = (package.name, package.version, extra)
            if key not in taken:
                taken.add(key)
                ahead += [inner for inner in package.edges if inner.extra == extra]
    return required


def _picked(edge: Edge, packages: Sequence[Package], markers: _Markers) -> Package | None:
    same = [package for package in packages if not edge.version or package.version == edge.version]
    holding = [package for package in same if markers.holds(package.marker)]
    return next(iter(holding or same), None)


def same_version(left: str, right: str) -> bool:
    """Whether two versions are the same one (``1.0`` and ``1.0.0`` are)."""
    if left == right:
        return True
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - most are equal as text

    try:
        return Version(left) == Version(right)
    except InvalidVersion:
        return False


def compare(locked: Locked, means: Wanted, installed: Mapping[str, Installed]) -> list[Difference]:
    """How what is installed differs from a lock, sorted by name.

    A file that only declares is compared by its specifiers; what it does not name is no difference. Packages
    of conda are compared where what conda installed is among ``installed`` (names after ``conda:``).
    """
    of_conda = any(name.startswith("conda:") for name in installed)
    found = []
    for name, package in means.required.items():
        here = installed.get(name)
        if here is None and name.startswith("conda:") and not of_conda:
            continue
        if here is None:
            found.append(Difference("missing", name, package.version or package.specifier))
        elif not _fits(here, [package]):
            found.append(_other(here, [package], name))
    for name, here in installed.items():
        if name in means.required or name in means.own:
            continue
        others = means.allowed.get(name)
        if others is not None:
            if not _fits(here, others):
                found.append(_other(here, others, name))
        elif locked.grade == "lock" and name not in SEEDS and not here.editable and _is_extra(here, means):
            found.append(Difference("extra", name, "", here.version))
    return sorted(found, key=lambda item: item.name)


def _other(here: Installed, packages: Sequence[Package], name: str) -> Difference:
    """Another version; of conda, another build of the same one."""
    same = here.build and all(package.version == here.version for package in packages)
    wants = {
        f"{package.version}={package.build}" if same else package.version or package.specifier
        for package in packages
    }
    return Difference(
        "version", name, " or ".join(sorted(wants)), f"{here.version}={here.build}" if same else here.version
    )


def _is_extra(here: Installed, means: Wanted) -> bool:
    """Whether what no lock names is too much: what conda brought is told by conda's own list."""
    if not means.conda:
        return not here.name.startswith("conda:")
    return here.name.startswith("conda:") or here.by_conda is False


def _fits(here: Installed, packages: Sequence[Package]) -> bool:
    """Whether what is installed is one of these versions."""
    for package in packages:
        if package.version:
            same_build = not (package.build and here.build) or package.build == here.build
            if same_version(here.version, package.version) and same_build:
                return True
        elif not package.specifier or _satisfies(here.version, package.specifier):
            return True
    return False


def _satisfies(version: str, specifier: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - only of declared ones
    from packaging.version import InvalidVersion  # noqa: PLC0415 - likewise

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True
