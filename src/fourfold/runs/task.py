"""A task: what is about to run, in words that know no pipeline; and what it declares about being captured.

Whoever runs something (a stage, `ff run`) says it as a `Task`; every part of the capture reads that and
nothing else.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from fourfold.base.ids import Oid

Determinism = Literal["off", "seeded", "strict"]
DETERMINISM: tuple[Determinism, ...] = ("off", "seeded", "strict")
#: How what a run does is seen: the first of these that works here (`auto`), one of them, or not at all.
TraceMode = Literal["auto", "seccomp", "strace", "audit", "off"]
TRACE_MODES: tuple[TraceMode, ...] = ("auto", "seccomp", "strace", "audit", "off")


class Numerics(NamedTuple):
    """A numerics profile: what decides the bits of a sum besides seeds. None leaves a switch alone.

    Attributes:
        threads: Threads of BLAS, OpenMP and their like.
        blas: Core type of OpenBLAS (``Haswell``); MKL's nearest code path is set along.
        simd: Ceiling of SIMD: ``x86-64-v2`` | ``x86-64-v3`` | ``x86-64-v4``.
        tf32: Whether matrix products on GPUs may round to TF32.
        workspace: ``CUBLAS_WORKSPACE_CONFIG``.
        deterministic: Whether libraries are asked for deterministic algorithms.
    """

    threads: int | None = None
    blas: str | None = None
    simd: str | None = None
    tf32: bool | None = None
    workspace: str | None = None
    deterministic: bool | None = None


class Declared(NamedTuple):
    """What a task says about its capture: ``meta: fourfold:`` of a stage, options of a command.

    Attributes:
        seed: The seed of the run; None to draw one.
        seed_from: Where it is declared: ``meta`` or ``params.yaml:seed``; "" when it is drawn.
        determinism: Whether seeds are injected, and how far it goes.
        numerics: What is set besides what ``determinism`` sets.
        env: Names of environment variables that the task depends on.
        trace: How it is observed.
        strict: Whether undeclared reads and writes fail it.
        hermetic: Whether undeclared files and the network are denied.
        image: The container image that it says it runs in: ``NAME:TAG`` or ``NAME@DIGEST``.
    """

    seed: int | None = None
    seed_from: str = ""
    determinism: Determinism = "seeded"
    numerics: Numerics = Numerics()
    env: tuple[str, ...] = ()
    trace: TraceMode = "auto"
    strict: bool = False
    hermetic: bool = False
    image: str | None = None


class Item(NamedTuple):
    """One file or folder that a task declares.

    Attributes:
        path: Absolute and normalized, or a URL.
        shown: As the record names it: POSIX, relative to the root; a URL without its secrets.
        role: ``dep`` | ``out`` | ``metric`` | ``plot`` | ``params``.
        oid: Its content, by MD5, where known; after the run, what came out.
        size: Bytes, of all files; None when not known.
        nfiles: Number of files of a folder; None for a file.
        cached: Whether the cache has (or gets) its content.
        version: Of a URL: its version, ETag or checksum, as the lock file says; "" where it says none.
    """

    path: str
    shown: str
    role: str
    oid: Oid | None = None
    size: int | None = None
    nfiles: int | None = None
    cached: bool = True
    version: str = ""


TaskKind = Literal["stage", "command", "replay"]


class Task(NamedTuple):
    """What is about to run.

    Attributes:
        kind: ``stage``, ``command``, or ``replay`` of either.
        name: The stage as the root calls it; "" for a command.
        commands: Lines for the shell, in turn.
        root: Absolute root of the project, of the Git repository, or the folder where the user stands.
        cwd: Absolute folder in which it runs.
        environ: All of the environment that it would have without us.
        declared: What it says about its capture.
        inputs: What it declares to read.
        outputs: What it declares to write.
        params: Values by file, then by dotted key.
        tracked: Absolute paths of everything that the project tracks or makes (outputs of all stages and
            pointer files), to tell *tracked but undeclared* from *untracked*.
        replays: Of a replay: ``of`` which run, and from which runs it has its coordinates, by their names,
            where these are others; empty for what is no replay.
    """

    kind: TaskKind
    name: str
    commands: tuple[str, ...]
    root: str
    cwd: str
    environ: Mapping[str, str]
    declared: Declared = Declared()
    inputs: tuple[Item, ...] = ()
    outputs: tuple[Item, ...] = ()
    params: Mapping[str, Mapping[str, Any]] = {}
    tracked: tuple[str, ...] = ()
    replays: Mapping[str, str] = {}
