"""One run observed, from before its commands start until its record is written.

`begin` prepares and says how commands are to be started; `Capture.finish` reads what was seen, has the
sections made and appends the record. Recording never fails a run: whatever goes wrong here is told as a
warning, and the section says why it is absent. Only what was asked for by name and cannot be had (a way of
tracing, a sandbox) is refused, before anything runs. What the sections hold is each module's own.
"""

import importlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from fourfold import __version__
from fourfold.base.errors import FourfoldError
from fourfold.base.events import Sink, Warned, silent
from fourfold.formats.native.fact import Section, absent, observed
from fourfold.formats.native.record import Outcome, RunId, RunRecord, Times
from fourfold.runs import code, data, injection, randomness
from fourfold.runs.declared import overruled
from fourfold.runs.observation import Coverage, Observation, Trace
from fourfold.runs.scratch import claim, drop
from fourfold.runs.store import FOLDER, Records
from fourfold.runs.task import Task
from fourfold.runs.tracer import start as tracer
from fourfold.runs.tracer.merge import with_libraries

if TYPE_CHECKING:
    from fourfold.runs.findings import Findings
    from fourfold.runs.place import Place

#: Bytes of a seed that is drawn: short enough to be typed again.
_DRAWN = 4
_LIVE = "live"
_NOT_CAPTURED: Section = {"captured": absent("it could not be captured: see the warning")}
Made = TypeVar("Made")
Keep = Callable[[Mapping[str, Any]], dict[str, Any]]


class _Warming:
    """Loads, while commands run, what is needed when they have ended: nobody waits for it then.

    It stops where a command ends early: two that load would be in each other's way.
    """

    def __init__(self) -> None:
        # What only a Python makes necessary comes last.
        self._left = [
            "fourfold.runs.image.running",
            "fourfold.runs.lockcheck",
            *("fourfold.runs.summaries", "fourfold.runs.results", "fourfold.storage.secrets"),
            *("fourfold.runs.environment", "fourfold.runs.redact", "fourfold.runs.reports"),
            *("fourfold.runs.findings", "fourfold.runs.classify"),
        ]
        self._thread: threading.Thread | None = None
        self._is_wanted = False

    def start(self) -> None:
        """A command begins."""
        self._is_wanted = True
        if self._left and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._load, name="ff capture", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """A command has ended."""
        self._is_wanted = False

    def _load(self) -> None:
        while self._left and self._is_wanted:
            # Whatever is wrong with it is told by whoever needs it.
            with suppress(Exception):
                importlib.import_module(self._left.pop())


_WARMING = _Warming()


class Finished(NamedTuple):
    """A run that has been observed.

    Attributes:
        id: Of its record; None when none could be written.
        record: The record.
        findings: What it did without declaring it.
    """

    id: RunId | None
    record: RunRecord | None
    findings: "Findings"


class Capture:
    """A run under observation; made by `begin`.

    Attributes:
        task: What runs.
        environ: All of the environment for its commands.
        prefixes: For each command, what its line begins with.
        is_finished: Whether its record is written, or was tried to be.
    """

    def __init__(self, place: "Place", records: Records, task: Task, scratch: str, events: Sink) -> None:
        self.task = task
        self._place = place
        self._records = records
        self._events = events
        self._scratch = scratch
        self.is_finished = False
        self._looked: tuple[Observation, Findings] | None = None
        self._ended = (0.0, 0)
        self._snapshot = self._guarded("code", lambda: code.snapshot(place, task, records.keep))
        self._before = self._guarded("data", lambda: data.before(task, place))
        self._plan = randomness.plan(task, _draw)
        self._launches = [tracer.prepare(task, scratch, number=at) for at in range(len(task.commands))]
        additions: dict[str, str] = dict(injection.environment(task, self._plan, scratch))
        for launch in self._launches:
            additions |= launch.environ
        self.environ: Mapping[str, str] = {**task.environ, **additions}
        self.prefixes = tuple(launch.prefix for launch in self._launches)
        _WARMING.start()
        self._started = place.clock.now_ns()
        self._since = place.clock.monotonic()

    def finish(self, outcome: Outcome, task: Task, entry: str = "") -> Finished:
        """Write the record of the run.

        Args:
            outcome: How it ended.
            task: What ran, with the content of its inputs and outputs as far as it is known now.
            entry: Digest of the entry of ``dvc.lock`` that it made; "" without one.
        """
        from fourfold.runs.redact import redact  # noqa: PLC0415 - see `_Warming`

        observation, found = self._look()
        seconds, ended = self._ended
        sections = self._sections(task, observation, found, entry)
        self.close()
        self.is_finished = True

        def make(previous: RunId | None) -> RunRecord:
            return RunRecord(
                kind=task.kind,
                stage=task.name,
                command=tuple(redact(line, task.environ) for line in task.commands),
                outcome=outcome,
                times=Times(_moment(self._started), _moment(ended), round(seconds, 6)),
                **sections,
                previous=previous,
                tool=__version__,
            )

        written = self._guarded("record", lambda: self._records.append(make))
        record = None
        if written is not None:
            record = self._guarded("record", lambda: self._records.get(written))
        return Finished(written, record, found)

    def close(self) -> None:
        """Remove what only served to observe; nothing more can be learned of the run."""
        drop(self._scratch)

    @property
    def findings(self) -> "Findings":
        """What the run did without declaring it; its commands have ended."""
        return self._look()[1]

    def _look(self) -> "tuple[Observation, Findings]":
        """Read what was seen, once."""
        from fourfold.runs.classify import classify  # noqa: PLC0415 - see `_Warming`
        from fourfold.runs.findings import Findings  # noqa: PLC0415 - likewise

        if self._looked is None:
            _WARMING.stop()
            clock = self._place.clock
            self._ended = clock.monotonic() - self._since, clock.now_ns()
            observation = self._observe()
            found = self._guarded(
                "trace",
                lambda: classify(
                    self.task,
                    self._place,
                    observation.trace,
                    observation.reports,
                    since_ns=self._started,
                ),
            )
            if found is None:  # nobody may read that nothing was found
                found = Findings(watched=False)
                unknown = Trace(Coverage("none", "what was seen could not be understood"))
                observation = observation._replace(trace=unknown)
            self._looked = observation, found
        return self._looked

    def _observe(self) -> Observation:
        from fourfold.runs import reports  # noqa: PLC0415 - see `_Warming`

        trace = self._guarded("trace", lambda: tracer.collect(self._launches, self._scratch))
        found = self._guarded("reports", lambda: reports.read(self._scratch))
        trace = trace if trace is not None else Trace(Coverage("none", "what was seen could not be read"))
        told = found if found is not None else ()
        trace = with_libraries(trace, told)
        return Observation(trace._replace(coverage=trace.coverage._replace(python=len(told))), told)

    def _sections(
        self, task: Task, observation: Observation, found: "Findings", entry: str
    ) -> dict[str, Section]:
        from fourfold.runs import findings  # noqa: PLC0415 - see `_Warming`
        from fourfold.runs.redact import scrubbed, secrets_of  # noqa: PLC0415 - likewise

        place, hidden = self._place, secrets_of(task.environ)
        snapshot, before = self._snapshot, self._before

        def keep(document: Mapping[str, Any]) -> dict[str, Any]:
            return self._records.keep(scrubbed(document, hidden))

        # The code has to stay as it was to be had again; it leaves out files with secrets itself.
        whole = self._records.keep
        made: dict[str, Callable[[], Section]] = {
            "code": lambda: code.section(snapshot, observation, whole) if snapshot is not None else {},
            "data": lambda: data.section(task, place, keep, before, whole=whole),
            "environment": lambda: _environment(task, place, observation, keep),
            "randomness": lambda: randomness.section(self._plan, task, observation),
            "trace": lambda: findings.section(found, observation.trace, keep),
        }
        sections: dict[str, Section] = {}
        for name, make in made.items():
            section = self._guarded(name, make)
            sections[name] = {
                fact: said._replace(value=scrubbed(said.value, hidden), why=scrubbed(said.why, hidden))
                for fact, said in (section or _NOT_CAPTURED).items()
            }
        sections["code"] = {**sections["code"], "cwd": observed(place.shown(task.cwd))}
        if task.replays:
            sections["trace"] = {**sections["trace"], "replay": observed(dict(task.replays))}
        if entry:
            sections["data"] = {**sections["data"], "entry": observed(entry)}
        return sections

    def _guarded(self, what: str, make: Callable[[], Made]) -> Made | None:
        """What a part of the capture makes; its failure is told, and is not the run's."""
        try:
            return make()
        except FourfoldError as error:
            self._events(
                Warned(error.code, f"{what} of the run is not recorded: {error.message}", error.hint)
            )
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not cost anybody a night of training
            kind = type(error).__name__
            self._events(Warned("not-recorded", f"{what} of the run is not recorded: {kind}: {error}"))
        return None


def _environment(task: Task, place: "Place", observation: Observation, keep: Keep) -> Section:
    from fourfold.runs import environment  # noqa: PLC0415 - see `_Warming`

    return environment.section(task, place, observation, keep)


def begin(place: "Place", records: Records, task: Task, *, events: Sink = silent) -> Capture | None:
    """Prepare to observe a run; None, and a warning, where nothing can be kept.

    Args:
        place: Where it happens.
        records: Those of the place.
        task: What is about to run.
        events: Hears of what cannot be captured.

    Raises:
        FourfoldError: a way of tracing, or a sandbox, that was asked for by name does not work here.
    """
    task = task._replace(declared=overruled(task.declared, task.environ))
    try:
        scratch = claim(place.make(FOLDER, _LIVE))
    except FourfoldError as error:
        events(Warned("not-recorded", f"this run is not recorded: {error.message}"))
        return None
    try:
        return Capture(place, records, task, scratch, events)
    except BaseException:
        drop(scratch)
        raise


def _draw() -> int:
    return int.from_bytes(os.urandom(_DRAWN))


def _moment(when_ns: int) -> str:
    seconds, rest = divmod(when_ns, 1_000_000_000)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{rest // 1000:06}Z", time.gmtime(seconds))
