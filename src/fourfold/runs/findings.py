"""Findings: what a run did that nothing declares, as a value, as facts of a record, and back from them.

How a path gets its class is `classify`; what is done about findings is the pipeline's.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from fourfold.base.errors import ConflictError, FourfoldError, UnsupportedError
from fourfold.base.ids import BadObjectNameError, Oid, parse_oid
from fourfold.formats.native.fact import Fact, Section, absent, observed
from fourfold.runs.observation import Trace

#: Where something undeclared lies. *tracked*: Git or the project tracks it. *code*: a source file that Git
#: tracks. *untracked*: in the repository, known to nobody. *outside*: of the repository, and no part of the
#: system or the environment. *unknown*: its name says nothing.
Kind = Literal["tracked", "code", "untracked", "outside", "unknown"]
KINDS: tuple[Kind, ...] = ("tracked", "code", "untracked", "outside", "unknown")
#: So many findings stand in the record itself; the part has all.
MOST = 100

#: Names of files that hold secrets: their MD5 would let values be tried.
_SECRET = re.compile(
    r"(?:^|/)(?:\.env(?:\..*)?|\.netrc|\.pypirc|id_[a-z0-9]+|kaggle\.json"
    r"|[^/]*(?:secret|credential|passwo?r?d)[^/]*|[^/]*\.(?:pem|key|p12|pfx))$",
    re.IGNORECASE,
)

Parts = Callable[[Mapping[str, Any]], dict[str, Any]]


class UndeclaredError(ConflictError):
    """A stage that is strict read, wrote or deleted something that it does not declare."""

    code = "undeclared-access"


class UnwatchedError(UnsupportedError):
    """A stage is strict, and its run could not be watched: what it used is not known."""

    code = "strict-unwatched"


class Finding(NamedTuple):
    """One file that was used and is not declared.

    Attributes:
        path: As the record names it: POSIX and relative to the root (``../`` in the rest of the repository),
            ``~/`` below the home folder, else absolute.
        kind: Where it lies.
        how: ``read`` | ``exec`` | ``write`` | ``delete``.
        oid: MD5 of what was read; None where that is not known (it changed meanwhile, or is too
            large), or the file may hold a secret.
        size: Bytes, where ``oid`` is known.
    """

    path: str
    kind: Kind
    how: str
    oid: Oid | None = None
    size: int | None = None

    def document(self) -> dict[str, Any]:
        """As a record holds it."""
        found: dict[str, Any] = {"path": self.path, "kind": self.kind, "how": self.how}
        if self.oid is not None:
            found |= {"md5": self.oid, "size": self.size}
        return found


class Findings(NamedTuple):
    """What a trace means.

    Attributes:
        reads: Undeclared inputs, by path.
        writes: What was written or deleted, remains so, and is no declared output; by path.
        network: Whom it connected to: host and port, sorted; a port that the system draws is 0.
        env: Names of the environment variables that Python looked up, sorted.
        declared_env: Keyed hashes of those that are declared (`envdeps`), by name.
        executed: Programs that ran, as the record names them, sorted.
        classes: All paths by class, as the record names them, sorted; without those whose names are
            drawn anew in each run.
        missing: Files of the repository that were looked for and not there, sorted.
        told: Whether any process of Python told what it looked up.
        watched: Whether anybody looked: without that, nothing found says nothing.
    """

    reads: tuple[Finding, ...] = ()
    writes: tuple[Finding, ...] = ()
    network: tuple[tuple[str, int], ...] = ()
    env: tuple[str, ...] = ()
    declared_env: Mapping[str, str] = {}
    executed: tuple[str, ...] = ()
    classes: Mapping[str, tuple[str, ...]] = {}
    missing: tuple[str, ...] = ()
    told: bool = False
    watched: bool = True

    @property
    def counts(self) -> dict[str, int]:
        """How many paths each class has."""
        return {name: len(paths) for name, paths in sorted(self.classes.items())}

    @property
    def undeclared(self) -> tuple[Finding, ...]:
        """Reads, then writes."""
        return (*self.reads, *self.writes)

    def remedy(self, stage: str) -> str:
        """The command that declares what a stage was seen to use."""
        words = ["ff deps fix", stage]
        if self.reads and all(finding.kind == "outside" for finding in self.reads):
            words.append("--outside")
        if self.writes and not self.reads:
            words.append("--outs")
        return " ".join(words)


def section(findings: Findings, trace: Trace, parts: Parts) -> Section:
    """The facts of the trace.

    ``coverage``; ``undeclared_reads`` and ``undeclared_writes``: ``{count, files}`` (`MOST` of them; the part
    has all); ``network``; ``env``: names that were read, hashes of those declared; ``executed``;
    ``paths``: a part.
    """
    coverage = trace.coverage
    said: dict[str, Any] = {"method": coverage.method, "blind": list(coverage.blind)}
    if coverage.why:
        said["why"] = coverage.why
    if coverage.lost:
        said["lost"] = True
    env: dict[str, Any] = {"read": list(findings.env)} if findings.told else {}
    if findings.declared_env:
        env["declared"] = dict(findings.declared_env)
    facts: dict[str, Fact] = {
        "coverage": observed(said),
        "env": observed(env) if env else absent("no process of Python told what it looked up"),
    }
    seen = ("undeclared_reads", "undeclared_writes", "network", "executed", "paths")
    if coverage.method == "none":
        why = f"not traced: {coverage.why}" if coverage.why else "not traced"
        return {**facts, **{name: absent(why) for name in seen}}
    whole = {
        "reads": [finding.document() for finding in findings.reads],
        "writes": [finding.document() for finding in findings.writes],
    }
    part = parts(
        {
            "schema": "fourfold.paths/1",
            "classes": {name: list(paths) for name, paths in sorted(findings.classes.items())},
            "missing": list(findings.missing),
            "undeclared": whole,
        }
    )
    partly = "" if coverage.method in {"seccomp", "strace"} else "what native code does is not seen"
    return {
        **facts,
        "undeclared_reads": observed(_capped(whole["reads"]), partly),
        "undeclared_writes": observed(_capped(whole["writes"]), partly),
        "network": observed([list(pair) for pair in findings.network], partly),
        "executed": observed(list(findings.executed), partly),
        "paths": observed({"counts": findings.counts, "listing": part}, partly),
    }


def _capped(files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"count": len(files), "files": list(files[:MOST])}


def restored(facts: Section, read: Callable[[str], Mapping[str, Any]] | None = None) -> Findings | None:
    """What a record says was found; None where the run was not traced.

    Args:
        facts: The section ``trace`` of a record.
        read: Gives the part of an id, for records with more findings than `MOST`; without it, or where that
            fails, those in the record are all.
    """
    reads, writes = facts.get("undeclared_reads"), facts.get("undeclared_writes")
    if reads is None or writes is None or "absent" in {reads.grade, writes.grade}:
        return None
    whole: Mapping[str, Any] = {}
    if read is not None and (_short(reads.value) or _short(writes.value)):
        listing = _mapping(_mapping(facts["paths"].value if "paths" in facts else None).get("listing"))
        try:
            whole = _mapping(read(str(listing.get("part"))).get("undeclared"))
        except FourfoldError:
            whole = {}
    network = facts.get("network")
    executed = facts.get("executed")
    return Findings(
        parsed(whole.get("reads") or _mapping(reads.value).get("files")),
        parsed(whole.get("writes") or _mapping(writes.value).get("files")),
        network=tuple(
            (str(pair[0]), int(pair[1]))
            for pair in _list(network.value if network else None)
            if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], int)
        ),
        executed=tuple(str(name) for name in _list(executed.value if executed else None)),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _short(value: object) -> bool:
    count = _mapping(value).get("count")
    return isinstance(count, int) and count > len(_list(_mapping(value).get("files")))


def parsed(rows: object) -> tuple[Finding, ...]:
    """Findings of rows; what is no finding is passed over: a record may come from elsewhere."""
    found = []
    for row in _list(rows):
        entry = _mapping(row)
        path, kind, size = entry.get("path"), entry.get("kind"), entry.get("size")
        if not isinstance(path, str) or kind not in KINDS:
            continue
        try:
            oid = parse_oid(entry["md5"]) if "md5" in entry else None
        except BadObjectNameError:
            oid = None
        found.append(
            Finding(path, kind, str(entry.get("how", "")), oid, size if isinstance(size, int) else None)
        )
    return tuple(found)


_VERBS = {"read": "read", "exec": "ran", "write": "wrote", "delete": "deleted"}
_WHERE: Mapping[Kind, str] = {
    "tracked": "a tracked file",
    "code": "code that Git tracks",
    "untracked": "tracked by nothing",
    "outside": "outside of the repository",
    "unknown": "no place that is known",
}


def may_be_secret(path: str) -> bool:
    """Whether a file, by its name, may hold a secret."""
    return _SECRET.search(path) is not None


def verb(finding: Finding) -> str:
    """What was done to it."""
    return _VERBS.get(finding.how, "used")


def described(finding: Finding) -> str:
    """One finding in words: ``read schema.yaml (a tracked file)``."""
    return f"{verb(finding)} {finding.path} ({_WHERE[finding.kind]})"


def refuse(findings: Findings, stage: str) -> FourfoldError | None:
    """Why a strict stage fails; None when all that it was seen to do is declared.

    Args:
        findings: Of its run.
        stage: As the user calls it; "" for a command that is no stage.
    """
    what = f"stage '{stage}'" if stage else "the command"
    if not findings.watched:
        return UnwatchedError(
            f"{what} is strict, and nobody could watch what it does",
            hint="see what works here: ff doctor",
        )
    undeclared = findings.undeclared
    if not undeclared:
        return None
    first = undeclared[0]
    more = f", and {len(undeclared) - 1} more" if len(undeclared) > 1 else ""
    return UndeclaredError(
        f"{what} {verb(first)} '{first.path}', which it does not declare{more}",
        hint=f"declare it with: {findings.remedy(stage)}" if stage else "name it with -d or -o",
        details=[described(finding) for finding in undeclared[1:]],
    )
