"""``ff env check``: one environment, every file of it, against its RECORDs and against its lock."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.events import Sink, silent
from fourfold.runs.envcheck.findings import Finding, of_system, reinstall
from fourfold.runs.envcheck.interpreter import Interpreter, ask, find_python
from fourfold.runs.envcheck.locked import LockReport, against_lock
from fourfold.runs.envcheck.rehash import Rehashed, Row, Verdict, read_record, rehash
from fourfold.runs.envcheck.strays import strays
from fourfold.runs.environment.distributions import Distribution, installed
from fourfold.runs.environment.remembered import Remembered, remembered

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: So many files of one distribution are named; the rest is a number.
_SHOWN = 5
_LIBRARIES = (".so", ".pyd", ".dylib", ".dll")


class Checked(NamedTuple):
    """What an examination gave.

    Attributes:
        python: The interpreter.
        distributions: How many are installed.
        rehashed: What re-hashing gave; None when only names and versions were looked at.
        lock: What the lock says; None without one.
        findings: Differences first, then notes.
    """

    python: Interpreter
    distributions: int
    rehashed: Rehashed | None
    lock: LockReport | None
    findings: tuple[Finding, ...]

    @property
    def differs(self) -> bool:
        """Whether the environment is not what it should be."""
        return any(finding.weight == "differs" for finding in self.findings)


def check(
    place: "Place",
    *,
    python: str | None = None,
    lock: str | None = None,
    fast: bool = False,
    wheels: Sequence[str] = (),
    events: Sink = silent,
) -> Checked:
    """Examine an environment.

    Args:
        place: Where the lock is looked for, and where what was read is remembered.
        python: The interpreter: a path, a name on PATH, the folder of an environment; see `find_python`.
        lock: The lock file; see `find_lock`.
        fast: Names and versions only: no file is read.
        wheels: Wheels, or folders of wheels, that prove what a locked hash contains.
        events: Hears of progress.

    Raises:
        NoPythonError, DumbPythonError: there is no interpreter that answers.
        NoLockFileError: the lock that was named does not exist.
        BadLockFileError: it cannot be understood.
    """
    interpreter = ask(find_python(place.cwd, place.environ, python), place.environ)
    in_project = place.project is not None or os.path.isdir(place.own)
    known = remembered(place, "rehash") if in_project else Remembered("")
    listing = installed(interpreter.sites, remembered(place, "distributions"), place.clock.now_ns())
    names = list(listing)
    listed: list[Row] = []
    without: list[Distribution] = []
    for index, name in enumerate(names):
        found = read_record(listing[name].folder, listing[name].site, index)
        if found is None:
            without.append(listing[name])
        else:
            listed += found
    findings: list[Finding] = []
    rehashed = None
    if not fast:
        rehashed = rehash(listed, _inside(interpreter), known, place.clock.now_ns(), events)
        findings += _changed(rehashed.wrong, [listing[name] for name in names])
        findings += strays(interpreter, listing, listed, without)
    report, more = against_lock(
        place, interpreter, listing, named=lock, wheels=wheels, prove=not fast, keep=in_project
    )
    findings += more
    findings += _inputs(interpreter, listing, place.environ)
    findings += _without_record(without)
    if in_project:
        known.save(place)
    ordered = sorted(findings, key=lambda item: item.weight == "note")
    return Checked(interpreter, len(listing), rehashed, report, tuple(ordered))


def _inside(interpreter: Interpreter) -> tuple[str, ...]:
    """Folders that an installed file may lie in."""
    user_base = os.path.dirname(os.path.dirname(os.path.dirname(interpreter.user_site)))
    found = {interpreter.prefix, interpreter.base, *interpreter.sites}
    return tuple(sorted(found | ({user_base} if interpreter.user_site else set())))


def _changed(wrong: Sequence[Verdict], names: Sequence[Distribution]) -> Iterator[Finding]:
    """One finding a file; of a distribution with many, the first few and a number."""
    counts: dict[int, int] = {}
    for verdict in wrong:
        if verdict.state == "unknown":
            continue
        owner = verdict.row.owner
        counts[owner] = counts.get(owner, 0) + 1
        if counts[owner] <= _SHOWN:
            finding = _finding(verdict, names[owner])
            yield finding._replace(weight="note") if of_system(names[owner]) else finding
    for owner, count in counts.items():
        if count > _SHOWN:
            one = names[owner]
            yield Finding(
                "file-changed",
                "note" if of_system(one) else "differs",
                f"{one.name} {one.version}: {count - _SHOWN} more files differ from its RECORD",
                reinstall(one),
                one.name,
            )


def _finding(verdict: Verdict, one: Distribution) -> Finding:
    row = verdict.row
    name = f"{one.name} {one.version}"
    hint = reinstall(one, verdict.links)
    if verdict.state == "missing":
        return Finding("file-missing", "differs", f"{name}: {row.shown} is missing", hint, one.name, row.path)
    if verdict.state == "outside":
        return Finding(
            "record-outside",
            "differs",
            f"{name}: its RECORD names a file outside of the environment: {row.shown[:120]}",
            f"look at {one.folder}, then: {hint}",
            one.name,
            row.path,
        )
    if verdict.state == "unreadable":
        return Finding(
            "file-changed", "differs", f"{name}: {row.shown} cannot be read", hint, one.name, row.path
        )
    base = row.shown.rpartition("/")[2]
    code = "file-changed"
    if base.endswith(_LIBRARIES) or ".so." in base:
        code = "library-changed"
    elif base.endswith(".pth"):
        code = "pth-changed"
    what = {"library-changed": "shared library", "pth-changed": "path file"}.get(code, "file")
    return Finding(
        code,
        "differs",
        f"{name}: {what} {row.shown} is not what was installed",
        hint,
        one.name,
        row.path,
    )


def _without_record(without: Sequence[Distribution]) -> Iterator[Finding]:
    if without:
        names = ", ".join(one.name for one in without[:_SHOWN])
        more = f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else ""
        yield Finding(
            "record-missing",
            "note",
            f"no RECORD, so that no file of them can be verified: {names}{more}",
            "install them with pip or uv into an environment of the project",
        )


def _inputs(
    interpreter: Interpreter, listing: Mapping[str, Distribution], environ: Mapping[str, str]
) -> Iterator[Finding]:
    """What brings code into a run beside what is installed."""
    for one in listing.values():
        if one.direct == "editable":
            yield Finding(
                "editable",
                "note",
                f"{one.name} {one.version} is an editable install of {one.source}: its code is what is there",
                "commit that folder; its files are inputs of the run",
                one.name,
                one.source,
            )
    if interpreter.user_site:
        count = sum(one.site == interpreter.user_site for one in listing.values())
        yield Finding(
            "user-site",
            "note",
            f"packages of the user come first: {interpreter.user_site} ({count} distributions)",
            "leave them out: export PYTHONNOUSERSITE=1",
            path=interpreter.user_site,
        )
    path = environ.get("PYTHONPATH", "")
    if path:
        yield Finding(
            "pythonpath",
            "note",
            f"PYTHONPATH puts folders before what is installed: {path[:200]}",
            "unset PYTHONPATH, or install what is there",
        )
