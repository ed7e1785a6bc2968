"""The recipe of a replay: from records to what is run: whose code, which inputs, environment, seed, commands.

A replay takes all four coordinates from one record, or some from others (`Sources`), and may vary something
on purpose (`Changes`). Records may come from a stranger: what is not as expected is refused or left out. What
is done with a recipe is `replay`.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import ConflictError, FourfoldError
from fourfold.evidence.parting import switches_of
from fourfold.evidence.replaying.reseeding import reseeded
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import Part, mapping, params_of, paths_in, rows_of, value_of
from fourfold.runs.codesources import is_code
from fourfold.runs.declared import SEEDS, SIMD
from fourfold.runs.findings import restored
from fourfold.runs.inject._fourfold_facts import SWITCHES
from fourfold.runs.reading import code_folders, prefix_of, sources_of
from fourfold.runs.task import DETERMINISM, Declared, Determinism, Item, Numerics, Task
from fourfold.scm.process import LOCATION
from fourfold.storage.redact import HIDDEN

if TYPE_CHECKING:
    from fourfold.evidence.replaying.box import Box
    from fourfold.evidence.replaying.surroundings import Surroundings
    from fourfold.project.outs import Owner
    from fourfold.runs.store import Records

_HASHSEED = "PYTHONHASHSEED"
#: What a run of ours leaves in the environment of what it starts: a replay in a run has its own.
_OURS = ("FOURFOLD_SEED", "FOURFOLD_DETERMINISM", "FOURFOLD_NUMERICS")
_LOCALE = re.compile(r"LANG|LANGUAGE|TZ|LC_[A-Z_]+", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
#: A value of a switch, a language or a time zone is no longer, in characters.
_LONGEST = 200
#: What ends a word of a command line.
_BREAKS = re.compile(r"[\s'\"=:;,()&|<>]+")
#: So much of a pipeline file is searched for a word.
_PIPELINE = 1 << 20


class CommandHiddenError(ConflictError):
    """The command line of a record has a secret struck out, and the code of the run does not give it."""

    code = "replay-command-hidden"


class NothingToReplayError(ConflictError):
    """A record has no command."""

    code = "nothing-to-replay"


class OverwritingError(ConflictError):
    """A replay would write over something that is not in its own folder."""

    code = "replay-would-overwrite"


class Sources(NamedTuple):
    """From which other runs a replay takes coordinates; None for the run that is replayed.

    With the code come the command lines, where they stand and what they write; with the data, the values of
    parameters. Source files that are declared inputs are code, whoever declares them.
    """

    code: RunId | None = None
    data: RunId | None = None
    environment: RunId | None = None
    randomness: RunId | None = None


class Changes(NamedTuple):
    """What a replay varies on purpose.

    Attributes:
        environ: Variables that are set besides, last of all; None unsets one.
        prefix: Words that go before the shell of each command.
        cwd_name: What the folder of the worktree is called; "" for as always.
        seed: Another seed; None for that of the record.
        varied: The name of what is varied, for the record of the replay: who looks for plain ones skips it.
    """

    environ: Mapping[str, str | None] = {}
    prefix: tuple[str, ...] = ()
    cwd_name: str = ""
    seed: int | None = None
    varied: str = ""


class Plan(NamedTuple):
    """The records that the coordinates of a replay are taken from.

    Attributes:
        code: Whose code is run.
        data: Whose inputs and parameters are read.
        environment: Whose environment it runs in.
        randomness: Whose seed and numerics it has.
        named: The runs that are not the one that is replayed, by coordinate.
    """

    code: RunRecord
    data: RunRecord
    environment: RunRecord
    randomness: RunRecord
    named: Mapping[str, str]


def plan_of(records: "Records", run: RunId, sources: Sources) -> Plan:
    """Read the records of a replay.

    Raises:
        RunNotFoundError, RecordCorruptError: one is not here, or damaged.
    """
    named = {key: name for key, name in sources._asdict().items() if name is not None and name != run}
    found = {name: records.get(name) for name in {run, *named.values()}}
    return Plan(**{key: found[named.get(key, run)] for key in Sources._fields}, named=named)


# -- commands ------------------------------------------------------------------------------------------------


def commands_of(plan: Plan, box: "Box") -> tuple[str, ...]:
    """The command lines, secrets in them as the restored ``dvc.yaml`` has them.

    Raises:
        NothingToReplayError: the record has none.
        CommandHiddenError: a secret was struck out, and the code does not say it.
    """
    lines = plan.code.command
    if not lines:
        raise NothingToReplayError("the record of this run has no command")
    if any("\0" in text for text in (*lines, plan.code.stage)):
        raise NothingToReplayError("the record of this run has a command that no shell could have run")
    if not any(HIDDEN in line for line in lines):
        return lines
    whole = _written(plan.code, box)
    if len(whole) == len(lines) and all(_fits(line, each) for line, each in zip(lines, whole, strict=True)):
        return whole
    hidden = next(line for line in lines if HIDDEN in line)
    raise CommandHiddenError(
        f"a secret was struck out of the command line of this run: {' '.join(hidden.split()):.100}",
        hint="hand secrets over in environment variables; runs that are recorded then can be replayed",
    )


def _written(code: RunRecord, box: "Box") -> tuple[str, ...]:
    """The lines of the stage in the ``dvc.yaml`` of the box; none where it has no such stage."""
    owner = _owner(code, box)
    command = (owner.cmd or "") if owner is not None else ""
    found = command.splitlines() if isinstance(command, str) else list(command)
    return tuple(str(line) for line in found)


def persistent(code: RunRecord, box: "Box") -> tuple[str, ...]:
    """The outputs of the stage that it finds as it left them, as the record names them."""
    path = box.inside(code.stage.rpartition(":")[0] or "dvc.yaml")
    if path is None or not os.path.isfile(path):
        return ()
    try:
        with open(path, "rb") as file:
            if b"persist" not in file.read(_PIPELINE):
                return ()
    except OSError:
        return ()
    owner = _owner(code, box)
    if owner is None:
        return ()
    kept = {os.path.normpath(os.path.join(owner.wdir, out.path)) for out in owner.outs if out.persist}
    return tuple(row["path"] for row in rows_of(code, "outputs") if box.inside(row["path"]) in kept)


def _owner(code: RunRecord, box: "Box") -> "Owner | None":
    """The stage of a run, as the restored code has it; None where it has none that can be read."""
    project = box.place.project
    if project is None or not code.stage:
        return None
    from fourfold.project.files import load_tracked  # noqa: PLC0415 - few replays ask

    try:
        owners = load_tracked(project).owners
    except FourfoldError:
        return None
    for owner in owners:
        name = owner.name or ""
        if name and code.stage == (name if owner.relpath == "dvc.yaml" else f"{owner.relpath}:{name}"):
            return owner
    return None


def _fits(struck: str, whole: str) -> bool:
    """Whether a line is the other one with secrets struck out, each of a character or more."""
    first, *rest = struck.split(HIDDEN)
    if not rest or not whole.startswith(first):
        return struck == whole
    at = len(first)
    for text in rest[:-1]:
        at = whole.find(text, at + 1)
        if at < 0:
            return False
        at += len(text)
    return whole.endswith(rest[-1]) and len(whole) - len(rest[-1]) > at


def refuse_overwriting(plan: Plan, box: "Box", commands: Iterable[str]) -> tuple[str, ...]:
    """Refuse what would write over files that are none of the box.

    Returns:
        Where the run will write outside of the box: nothing is there.

    Raises:
        OverwritingError: the run wrote outside of its repository, and something is there; or its command
            names the workspace by an absolute path.
        RecordPathError: a path could lead out of the box.
    """
    words = {word.rstrip("/") for line in commands for word in _BREAKS.split(line) if word.startswith("/")}
    strays = []
    for row in rows_of(plan.code, "outputs"):
        shown = row["path"]
        path = box.where(shown)
        if box.inside(shown) is None:
            if os.path.lexists(path):
                raise OverwritingError(
                    f"the run wrote {shown[:200]}, outside of its repository: a replay would overwrite it",
                    hint="move it away, or have the command write below the repository",
                )
            if "://" not in shown:
                strays.append(path)
            continue
        own, top = box.of_user(path), box.of_user(box.root)
        while len(own) >= len(top):
            if own in words and os.path.lexists(own):
                raise OverwritingError(
                    f"the command names {own[:200]} in the workspace: a replay would write {shown} there",
                    hint="have the command name it relative to the project, and run it so once",
                )
            own = os.path.dirname(own)
    return tuple(strays)


# -- inputs --------------------------------------------------------------------------------------------------


def inputs_of(plan: Plan, part: Part) -> list[Mapping[str, Any]]:
    """The rows of the inputs that a replay declares to read, each path once."""
    found = rows_of(plan.data, "inputs")
    if plan.data is not plan.code:
        found = _mixed(found, rows_of(plan.code, "inputs"), _is_coded(plan, part))
    written = rewritten(plan.code)
    return [row if row["path"] not in written else {"path": row["path"], "role": "dep"} for row in found]


def rewritten(record: RunRecord) -> frozenset[str]:
    """What a command read and wrote, where inputs are told as they were at the end: see `fourfold.runs.data`.

    What they held before is in the code, or nobody has it.
    """
    fact = record.data.get("inputs")
    if record.stage or fact is None or not fact.why:
        return frozenset()
    return frozenset(row["path"] for row in rows_of(record, "inputs")) & {
        row["path"] for row in rows_of(record, "outputs")
    }


def seen_of(plan: Plan, part: Part) -> list[Mapping[str, Any]]:
    """The rows of what was read without being declared, so far as it matters where it lies."""
    found = _seen(plan.data, part)
    if plan.data is not plan.code:
        found = _mixed(found, _seen(plan.code, part), _is_coded(plan, part))
    known = {row["path"] for row in inputs_of(plan, part)}
    return [row for row in found if row["path"] not in known]


def _seen(record: RunRecord, part: Part) -> list[Mapping[str, Any]]:
    findings = restored(record.trace, part)
    return [finding.document() for finding in findings.reads] if findings is not None else []


def _mixed(
    data: list[Mapping[str, Any]], code: list[Mapping[str, Any]], is_coded: Callable[[str], bool]
) -> list[Mapping[str, Any]]:
    """The data of one run for the code of another; what the first never read is as the code's run had it."""
    taken = {row["path"]: row for row in data if not is_coded(row["path"])}
    return [*taken.values(), *(row for row in code if row["path"] not in taken)]


def _is_coded(plan: Plan, part: Part) -> Callable[[str], bool]:
    """Which inputs are code: source files, and folders that hold source files which were read."""
    folders: set[str] = set()
    for record in (plan.code, plan.data):
        folders |= code_folders(sources_of(record, part) or (), prefix_of(record))
    return lambda path: is_code(path) or path in folders


# -- the task ------------------------------------------------------------------------------------------------


def task_of(
    run: RunId,
    plan: Plan,
    box: "Box",
    part: Part,
    commands: tuple[str, ...],
    surroundings: "Surroundings",
    changes: Changes,
) -> Task:
    """What is about to run, as a replay of a run; the inputs are in the box.

    Raises:
        RecordPathError: a path of the record could lead out of the box.
        SeedFixedError: another seed is wanted, and it stands where none can be written.
    """
    code = plan.code
    environ = _environ(plan, box, surroundings)
    for name, value in changes.environ.items():
        if value is None:
            environ.pop(name, None)
        else:
            environ[name] = value
    declared, params = _declared(plan.randomness), params_of(plan.data, part)
    if surroundings.image:  # what is started there is no child of ours, and its paths are none of here
        declared = declared._replace(trace="off", image=surroundings.image)
    if changes.seed is not None:
        declared = declared._replace(seed=changes.seed, seed_from="replay")
    if declared.seed is not None and (changes.seed is not None or plan.randomness is not plan.data):
        params = reseeded(box, plan.randomness, params, declared.seed)
    return Task(
        kind="replay",
        name=code.stage,
        commands=commands,
        root=box.project_root,
        cwd=box.cwd(code),
        environ=environ,
        declared=declared,
        inputs=tuple(_items(box, inputs_of(plan, part))),
        outputs=tuple(_items(box, rows_of(code, "outputs"))),
        params=params,
        tracked=tuple(
            os.path.join(box.root, path) for path in paths_in(value_of(code.code, "outputs"), part)
        ),
        replays={
            "of": run,
            **plan.named,
            **({"varied": changes.varied} if changes.varied else {}),
        },
    )


def _items(box: "Box", rows: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
    return (Item(box.where(row["path"]), row["path"], str(row.get("role", "dep"))) for row in rows)


def _environ(plan: Plan, box: "Box", surroundings: "Surroundings") -> dict[str, str]:
    """The environment of the commands: as a stage, or `ff run`, has it; switches and language as recorded."""
    # Where a hook of Git, or a stage, starts a replay, their repository and project are not those of the box.
    environ = {name: value for name, value in box.place.environ.items() if name not in {*_OURS, *LOCATION}}
    if plan.code.stage:
        environ |= {"DVC_ROOT": box.project_root, "DVC_STAGE": plan.code.stage}
    facts = plan.environment.environment
    threads = value_of(facts, "threads")
    if isinstance(threads, Mapping):
        _put(environ, SWITCHES, switches_of(plan.environment))
    locale = mapping(value_of(facts, "locale")).get("variables")
    if isinstance(locale, Mapping):
        _put(environ, [*filter(_LOCALE.fullmatch, environ), *filter(_LOCALE.fullmatch, locale)], locale)
    environ |= surroundings.environ
    fact = plan.randomness.randomness.get("hash_seed")
    if fact is not None:  # derived from the seed, or salted anew, unless the user had set one
        environ.pop(_HASHSEED, None)
        if fact.why == "set by the user" and type(fact.value) is int:
            environ[_HASHSEED] = str(fact.value)
    return environ


def _put(environ: dict[str, str], names: Iterable[str], then: Mapping[str, Any]) -> None:
    """Set variables as they were set then, and no others of these names."""
    for name in set(names):
        environ.pop(name, None)
        value = then.get(name)
        if isinstance(value, str) and len(value) <= _LONGEST and value.isprintable():
            environ[name] = value


def _declared(record: RunRecord) -> Declared:
    """The randomness of a run as a declaration."""
    facts = record.randomness
    seed = value_of(facts, "seed")
    if not (type(seed) is int and 0 <= seed < SEEDS):
        seed = None
    said = value_of(facts, "determinism")
    determinism: Determinism = next((one for one in DETERMINISM if one == said), "seeded")
    env = mapping(mapping(value_of(record.trace, "env")).get("declared"))
    return Declared(
        seed=seed,
        seed_from="" if seed is None else "replay",
        determinism=determinism,
        numerics=_numerics(mapping(mapping(value_of(facts, "numerics")).get("asked"))),
        env=tuple(sorted(name for name in map(str, env) if _WORD.fullmatch(name))),
    )


def _numerics(asked: Mapping[str, Any]) -> Numerics:
    """A profile as far as its values are what they may be."""
    found: dict[str, Any] = {}
    threads = asked.get("threads")
    if type(threads) is int and 1 <= threads <= 4096:
        found["threads"] = threads
    if asked.get("simd") in SIMD:
        found["simd"] = asked["simd"]
    for name in ("tf32", "deterministic"):
        if type(asked.get(name)) is bool:
            found[name] = asked[name]
    for name in ("blas", "workspace"):
        word = asked.get(name)
        if isinstance(word, str) and _WORD.fullmatch(word):
            found[name] = word
    return Numerics(**found)
