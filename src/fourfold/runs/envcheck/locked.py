"""What is installed against the lock: versions, and hashes as far as something proves them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.formats.locks.model import Locked
from fourfold.runs.envcheck.findings import Finding, reinstall
from fourfold.runs.envcheck.interpreter import Interpreter
from fourfold.runs.envcheck.oracle import Oracle, Proof
from fourfold.runs.environment.distributions import Distribution
from fourfold.runs.lockcheck.compare import (
    Difference,
    Installed,
    Wanted,
    compare,
    marker_environment,
    same_version,
    wanted,
)
from fourfold.runs.lockcheck.conda import conda_installed, conda_platform
from fourfold.runs.lockcheck.find import find_lock, parse_lock, read_lock

if TYPE_CHECKING:
    from fourfold.runs.place import Place


class LockReport(NamedTuple):
    """What a lock says of an environment.

    Attributes:
        path: Absolute.
        kind: Its format.
        grade: ``lock`` or ``declared``.
        packages: How many it wants of this interpreter.
        proven: Installed distributions whose files are those of a locked hash.
        unproven: Installed distributions of the lock of which that is not known.
    """

    path: str
    kind: str
    grade: str
    packages: int
    proven: int
    unproven: int


def against_lock(
    place: "Place",
    interpreter: Interpreter,
    listing: Mapping[str, Distribution],
    *,
    named: str | None,
    wheels: Sequence[str],
    prove: bool,
    keep: bool,
) -> tuple[LockReport | None, list[Finding]]:
    """Compare.

    Args:
        place: Where the lock is looked for.
        interpreter: The one that is compared.
        listing: What is installed.
        named: The lock, relative to where the user stands; None for the best one.
        wheels: Wheels and folders of wheels that prove what a locked hash contains.
        prove: Whether caches of installers are searched for wheels too.
        keep: Whether what is learned of wheels is kept.

    Raises:
        NoLockFileError: the lock that was named does not exist.
        BadLockFileError: it cannot be understood.
    """
    path = find_lock(place.root, place.environ, named=os.path.join(place.cwd, named) if named else None)
    if path is None:
        return None, []
    file = read_lock(path)
    locked = parse_lock(file, place.shown(path), place.root)
    means = wanted(locked, marker_environment(interpreter.facts()), conda_platform())
    conda = conda_installed(interpreter.prefix) if means.conda else {}
    differences = compare(locked, means, {**_installed(listing), **conda})
    findings = list(_findings(locked, differences, interpreter))
    if means.conda and not conda:
        findings.append(
            Finding(
                "no-conda",
                "note",
                f"{interpreter.prefix} is no environment of conda: the packages of conda cannot be compared",
                "name its Python: --python <prefix>/bin/python",
            )
        )
    oracle = Oracle(place, keep=keep, wheels=wheels, search=prove)
    wrong = {item.name for item in differences}
    right = {name: one for name, one in listing.items() if name not in wrong and locked.grade == "lock"}
    proofs = dict(_proofs(oracle, right, means, os.path.dirname(path)))
    oracle.save()
    findings += [_of_another_file(listing[name]) for name, proof in proofs.items() if proof == "other"]
    answers = list(proofs.values())
    report = LockReport(
        path,
        file.kind,
        locked.grade,
        len(means.required),
        answers.count("proven"),
        answers.count("unknown"),
    )
    return report, findings


def _installed(listing: Mapping[str, Distribution]) -> dict[str, Installed]:
    return {
        name: Installed(
            name,
            one.version,
            one.direct == "editable",
            one.direct in {"editable", "dir"},
            by_conda=one.installer == "conda",
        )
        for name, one in listing.items()
    }


def _proofs(
    oracle: Oracle, listing: Mapping[str, Distribution], means: Wanted, folder: str
) -> Iterator[tuple[str, Proof]]:
    """Whether each distribution that the lock allows was installed from a file that it names."""
    for name, one in listing.items():
        packages = [
            package for package in means.allowed.get(name, ()) if same_version(package.version, one.version)
        ]
        if packages and one.direct != "editable":
            yield name, oracle.ask(one, packages, folder)


def _of_another_file(one: Distribution) -> Finding:
    return Finding(
        "hash-not-locked",
        "differs",
        f"{one.name} {one.version} was not installed from a locked file: its RECORD is another",
        reinstall(one),
        one.name,
        one.folder,
    )


def _findings(
    locked: Locked, differences: Sequence[Difference], interpreter: Interpreter
) -> Iterator[Finding]:
    # What only declares is a wish: an environment that differs from it is told as much.
    if locked.stale:
        yield Finding("stale-lock", "differs", locked.stale, "lock again with the tool that wrote it")
    if locked.python and not _admits(locked.python, interpreter.version):
        yield Finding(
            "wrong-python",
            "differs",
            f"Python is {interpreter.version}, the lock is for {locked.python}",
            "use an interpreter that it names",
        )
    tool = "uv pip" if interpreter.made_by == "uv" else "pip"
    for item in differences:
        code = "not-locked" if item.code == "version" else item.code
        yield Finding(code, "differs", str(item), _mend(item, tool), item.name)


def _mend(item: Difference, tool: str) -> str:
    """The command that makes one package what the lock says."""
    exact = item.locked[:1].isdigit() and " " not in item.locked
    if item.name.startswith("conda:"):
        name = item.name.removeprefix("conda:")
        return f"conda remove {name}" if item.code == "extra" else f"conda install {name}={item.locked}"
    if item.code == "extra":
        return f"{tool} uninstall {item.name}"
    return f"{tool} install --no-deps " + (
        f"{item.name}=={item.locked}" if exact else f"'{item.name}{item.locked}'"
    )


def _admits(specifier: str, version: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - only where a lock says so
    from packaging.version import InvalidVersion  # noqa: PLC0415 - likewise

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True
