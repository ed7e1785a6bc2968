"""Records as values, for tests that need no run: every fact as the capture writes it, and parts in memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.fact import Fact, absent, declared, observed
from fourfold.formats.native.record import Outcome, RunId, RunRecord, Times
from fourfold.runs.store import Records, RunNotFoundError

_WELL = Outcome("succeeded", 0)


class Parts(dict[str, Mapping[str, Any]]):
    """Parts in memory: called, it keeps one; read by its id."""

    def __call__(self, document: Mapping[str, Any]) -> dict[str, Any]:
        data = canonical(document)
        self[digest(data)] = document
        return {"part": digest(data), "size": len(data)}

    def read(self, name: str) -> Mapping[str, Any]:
        if name not in self:
            raise RunNotFoundError(f"no part {name[:12]} is here")
        return self[name]


def blake(text: str) -> str:
    return digest(text.encode())


def distributions(**versions: str) -> dict[str, Any]:
    return {
        name.replace("_", "-"): {"version": version, "record": blake(name + version), "imported": True}
        for name, version in versions.items()
    }


def library(name: str, build: str) -> dict[str, Any]:
    return {name: {"build_id": build, "size": 1}}


def make(
    parts: Parts,
    *,
    stage: str = "train",
    command: tuple[str, ...] = ("python train.py",),
    outcome: Outcome = _WELL,
    started: str = "2026-01-02T03:04:05.000000Z",
    previous: str | None = None,
    sources: Mapping[str, str] | None = None,
    rows: int = 100,
    data: str = "data",
    lr: float = 0.1,
    model: str = "model",
    packages: Mapping[str, str] | None = None,
    libraries: Mapping[str, Any] | None = None,
    seed: int = 1,
    threads: int | None = None,
    method: str = "seccomp",
    code: Mapping[str, Fact] | None = None,
    environment: Mapping[str, Fact] | None = None,
    randomness: Mapping[str, Fact] | None = None,
    trace: Mapping[str, Fact] | None = None,
    more: Mapping[str, Fact] | None = None,
    inputs: tuple[dict[str, Any], ...] = (),
) -> RunRecord:
    """A record of a stage: ``train.py`` reads ``data.csv`` and parameters, and writes ``model.pkl``."""
    sources = {"train.py": "a" * 40, "lib/model.py": "b" * 40} if sources is None else sources
    versions = packages or {"numpy": "1.26.4", "pandas": "2.2.0"}
    summary = {"format": "csv", "rows": rows, "columns": [{"name": "x", "kind": "int", "nulls": 0}]}
    table = {"path": "data.csv", "role": "dep", "md5": "1" * 32, "blake3": blake(data), "size": rows}
    script = {
        "path": "train.py",
        "role": "dep",
        "md5": "2" * 32,
        "blake3": blake(str(sources.get("train.py"))),
    }
    product = {"path": "model.pkl", "role": "out", "md5": "3" * 32, "blake3": blake(model), "size": 9}
    tree = blake(repr(sorted(sources.items())))[:40]
    made = {
        "code": {
            "commit": observed("c" * 40),
            "branch": observed("main"),
            "remote": observed("https://example.org/churn"),
            "dirty": observed(value=False),
            "tree": observed(tree),
            "changed": observed([]),
            "left_out": observed([]),
            "outputs": observed(["data.csv", "model.pkl"]),
            "folder": observed("."),
            "sources": observed(
                {"count": len(sources), "files": parts({"files": dict(sources), "ignored": [], "blobs": {}})}
            ),
            **(code or {}),
        },
        "data": {
            "inputs": observed([table, *inputs, script]),
            "outputs": observed([product]),
            "params": observed({"params.yaml": {"lr": lr}}),
            "summaries": observed(parts({"tables": {"data.csv": summary}})),
            "entry": observed(blake(model + data)),
            **(more or {}),
        },
        "environment": {
            "digest": observed(blake(repr(versions))),
            "distributions": observed(parts(distributions(**versions))),
            "interpreter": observed({"version": "3.11.9", "implementation": "cpython"}),
            "libraries": observed(parts(libraries or library("{prefix}/lib/libpython3.11.so", "11"))),
            "threads": observed({"libraries": {"libopenblas.so": threads or 2}}),
            "accelerators": absent("no driver"),
            **(environment or {}),
        },
        "randomness": {
            "seed": declared(seed, "params.yaml:seed"),
            "derivation": observed("fourfold/1"),
            "determinism": declared("seeded"),
            "hash_seed": observed(seed * 7, "derived"),
            "injected": observed({"done": ["numpy", "random"]}),
            "numerics": absent("no numerics profile is asked for")
            if threads is None
            else observed({"asked": {"threads": threads}, "set": ["OMP_NUM_THREADS"]}),
            "unseeded": observed([]),
            "entropy": observed([]),
            **(randomness or {}),
        },
        "trace": {
            "coverage": observed({"method": method, "blind": []}),
            "undeclared_reads": observed({"count": 0, "files": []}),
            "undeclared_writes": observed({"count": 0, "files": []}),
            "network": observed([]),
            "env": observed({"read": ["HOME"]}),
            "executed": observed(["{prefix}/bin/python"]),
            "paths": observed(
                {
                    "counts": {"input": 2},
                    "listing": parts({"classes": {"input": ["data.csv", "train.py"]}, "missing": []}),
                }
            ),
            **(trace or {}),
        },
    }
    return RunRecord(
        kind="stage" if stage else "command",
        stage=stage,
        command=command,
        outcome=outcome,
        times=Times(started, started, 1.5),
        **made,
        previous=RunId(previous) if previous else None,
        tool="0.1.0",
    )


def records_in(folder: Path) -> Records:
    """Records on disk, below a folder."""

    def make_folder(*parts: str) -> str:
        path = folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return str(path)

    return Records(str(folder / "runs"), make_folder)


def keep(records: Records, **said: Any) -> RunId:
    """Make a record, its parts, and append it."""
    parts = Parts()
    made = make(parts, **said)
    for document in parts.values():
        records.keep(document)
    return records.append(lambda previous: made._replace(previous=previous))
