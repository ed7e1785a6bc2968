"""Telling of a run of the pipeline while it goes on: news, what commands say, and who runs now.

What a stage that has the terminal to itself says comes there as it is, between our lines. Of stages that run
beside each other, each into its log, a terminal shows one line each (how long, and the last thing it said),
which vanishes when it ends; elsewhere what they say is passed on line by line behind their names. A failed
one's log is shown whole.
"""

import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from fourfold.cli.progress import span
from fourfold.cli.render import is_terminal, plain, print_text, write
from fourfold.pipeline import news

if TYPE_CHECKING:
    from fourfold.cli.session import Session
    from fourfold.project.changes import Change
    from fourfold.runs.findings import Findings

#: Seconds between two drawings of who runs.
FRAME = 0.2
#: So much of the end of a log is looked at for its last line.
_TAIL = 4096
#: So much of a log is passed on at once.
_PIECE = 1 << 20
#: So many lines are printed at once.
_BATCH = 4096
#: So many undeclared files are named.
_NAMED = 3
#: Colours and cursor movements, which have no place in a line of ours.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class Teller:
    """Prints what happens, as it happens.

    Args:
        session: The invocation.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._silent = session.settings.json or session.settings.quiet
        #: Under --json, stdout belongs to the document.
        self._stream = session.stderr if session.settings.json else session.stdout
        self._gap = False
        self._running: dict[str, _Follower] = {}
        self._live = (
            not self._silent
            and is_terminal(session.stderr)
            and is_terminal(session.stdout)
            and session.environ.get("TERM") != "dumb"
        )
        self._drawn = 0
        self._drawn_at = 0.0

    def __call__(self, event: news.StageEvent) -> None:
        """Hear one event."""
        if isinstance(event, news.Ticked):
            self._tick(event.waiting)
            return
        self._erase()
        self._session.sink.rest()
        if isinstance(event, news.Ended):
            self._end(event)
        elif isinstance(event, news.Frozen):
            self._session.warn(f"stage '{event.name}' is frozen: what it depends on is not looked at")
        elif isinstance(event, news.Ending):
            names = ", ".join(f"'{name}'" for name in event.names)
            self._session.warn(f"ending {names}; interrupt again not to wait")
        elif isinstance(event, news.Retrying):
            self._session.warn(
                f"{event.name}: {event.error.message}; attempt {event.attempt + 1} of {event.attempts} begins"
            )
        elif isinstance(event, news.Failed):
            self._tell_failure(event)
        elif isinstance(event, news.Found):
            self._session.warn(
                f"stage '{event.name}' {undeclared(event.findings)}, undeclared",
                f"declare it with: {event.findings.remedy(event.name)}",
            )
        elif isinstance(event, news.LockWritten | news.CommandEnded):
            return
        else:
            if not self._silent:
                self._print("".join(f"{line}\n" for line in self._lines(event)))
            if isinstance(event, news.Started) and event.log is not None:
                self._running[event.name] = _Follower(event.log, self._session.clock.monotonic())

    def close(self) -> None:
        """Leave no line behind that speaks of what runs."""
        self._erase()

    def _tell_failure(self, event: news.Failed) -> None:
        self._session.warn(f"{event.name}: {event.error.message}{' (ignored)' if event.ignored else ''}")
        if event.skipped:
            names = ", ".join(f"'{name}'" for name in event.skipped)
            self._session.warn(f"skipped because of this failure: {names}")
        if event.running:
            names = ", ".join(f"'{name}'" for name in event.running)
            self._session.warn(f"nothing more is started; still running: {names}")

    def _lines(self, event: news.StageEvent) -> Iterator[str]:
        style = self._session.style
        if isinstance(event, news.CommandStarted):
            yield f"> {event.command}"
            return
        if self._gap and not isinstance(event, news.Unchanged) and not self._running:
            yield ""
        self._gap = True
        if isinstance(event, news.Unchanged):
            called = "Stage " if event.owner.is_stage else ""
            yield f"{called}'{event.name}' didn't change, skipping"
        elif isinstance(event, news.Started):
            yield f"Running stage '{event.name}':"
            yield from (style.dim(f"  because {reason}") for reason in because(event))
        elif isinstance(event, news.Restored):
            yield f"Stage '{event.name}' is cached - skipping run, checking out outputs"
        elif isinstance(event, news.Verified):
            what = "outputs in frozen stage" if event.owner.frozen else "data sources in stage"
            yield f"Verifying {what}: '{event.name}'"
        elif isinstance(event, news.Pulled):
            yield f"Pulling data for stage: '{event.name}'"

    # -- stages that run beside each other --------------------------------------------------------

    def _tick(self, waiting: int) -> None:
        if not self._live:
            self._session.sink.rest()
            self._pass_on()
            return
        now = self._session.clock.monotonic()
        if now - self._drawn_at >= FRAME:
            self._draw(now, waiting)

    def _pass_on(self) -> None:
        """Print what was said since, a stage after the other, whole lines only."""
        for name, follower in self._running.items():
            self._print_lines(name, follower.lines())

    def _print_lines(self, name: str, lines: Iterator[str]) -> None:
        """Print lines behind the name of their stage, not all of them in memory at once."""
        while batch := list(islice(lines, _BATCH)):
            self._print("".join(f"[{name}] {line}\n" for line in batch))

    def _end(self, event: news.Ended) -> None:
        follower = self._running.pop(event.name, None)
        if follower is None:
            return
        took = span(event.seconds)
        failed = event.error is not None
        if not self._live:
            self._print_lines(event.name, follower.lines(last=True))
        if not self._silent:
            how = "Failed" if failed else "Done"
            where = f"; its log: {self._session.display(event.log)}" if failed else ""
            self._print(f"{how}: '{event.name}' after {took}{where}\n")
        if self._live and failed:
            self._print_whole(event.log)

    def _print_whole(self, log: str) -> None:
        """Print a log as it is, in pieces."""
        last = "\n"
        try:
            with open(log, encoding="utf-8", errors="replace", newline="") as file:
                while piece := file.read(_PIECE):
                    self._print(piece)
                    last = piece[-1]
        except OSError as error:
            self._session.warn(f"the log cannot be read: {error}")
        if last != "\n":
            self._print("\n")

    def _draw(self, now: float, waiting: int) -> None:
        """One line for each running stage, below everything that was said."""
        stream = self._session.stderr
        if stream is None or not self._running:
            return
        self._erase()
        self._session.sink.rest()
        try:
            columns, rows = os.get_terminal_size(stream.fileno())
        except (OSError, ValueError):
            columns, rows = 80, 24
        columns, rows = columns or 80, rows or 24  # a terminal that does not know its size says 0
        names = list(self._running)
        shown = names[: max(1, rows - 3)]
        width = min(30, max(len(name) for name in shown))
        lines = []
        for name in shown:
            follower = self._running[name]
            line = f"  {plain(name):{width}}  {span(now - follower.since):>7}  {follower.last_line()}"
            lines.append(line[: columns - 1])
        rest = [f"{len(names) - len(shown)} more running"] if len(names) > len(shown) else []
        rest += [f"{waiting} waiting"] if waiting else []
        if rest:
            lines.append(f"  {', '.join(rest)}"[: columns - 1])
        write(stream, "".join(f"{line}\n" for line in lines))
        stream.flush()
        self._drawn = len(lines)
        self._drawn_at = now

    def _erase(self) -> None:
        stream = self._session.stderr
        if self._drawn and stream is not None:
            self._session.sink.rest()
            write(stream, f"\x1b[{self._drawn}A\x1b[J")
            stream.flush()
        self._drawn = 0

    def _print(self, text: str) -> None:
        print_text(self._stream, text)


class _Follower:
    """Reads what a stage writes into its log."""

    def __init__(self, path: str, since: float) -> None:
        self.path = path
        self.since = since
        self._at = 0
        self._open = b""

    def lines(self, *, last: bool = False) -> Iterator[str]:
        """The lines that were finished since the last look; with ``last``, an unfinished one too."""
        while True:
            try:
                with open(self.path, "rb") as file:
                    file.seek(self._at)
                    data = file.read(_PIECE)
            except OSError:
                data = b""
            self._at += len(data)
            *whole, self._open = (self._open + data).split(b"\n")
            yield from map(_readable, whole)
            if len(self._open) > _PIECE:  # a line without an end is passed on in pieces
                yield _readable(self._open)
                self._open = b""
            if len(data) < _PIECE:
                break
        if last and self._open:
            yield _readable(self._open)
            self._open = b""

    def last_line(self) -> str:
        """The last thing it said, in one line without anything that a terminal would obey."""
        try:
            with open(self.path, "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL))
                data = file.read(_TAIL)
        except OSError:
            return ""
        for line in reversed(data.replace(b"\r", b"\n").split(b"\n")):
            text = _SEQUENCE.sub("", line.decode("utf-8", "replace")).strip()
            if text:
                return plain(text)
        return ""


def _readable(line: bytes) -> str:
    """A line as it would stand on a terminal in the end: what a carriage return wrote over is left out."""
    text = line.decode("utf-8", "replace")
    if "\r" in text:
        text = text.rstrip("\r").rpartition("\r")[2]
    return _SEQUENCE.sub("", text) if "\x1b" in text else text


def because(event: news.Started) -> list[str]:
    """Why a stage runs, as clauses; a first run needs no list."""
    if event.owner.is_stage and not event.owner.locked:
        return ["it has not run before"]
    return [explain(change) for change in event.reasons] or ["it is forced to"]


def explain(change: "Change") -> str:
    """One reason as a clause: what differs, and how."""
    if change.kind == "parameter":
        what = f"parameter {change.key} of {change.path}" if change.key else f"parameters file {change.path}"
        if change.state == "modified":
            return f"{what} is {change.new!r}, was {change.old!r}"
        return f"{what} is {change.state}"
    if change.kind in {"dependency", "output"}:
        return f"{change.kind} {change.path} is {change.state}"
    if change.kind == "upstream":
        return f"stage '{change.path}' runs before it"
    return {
        "variable": f"environment variable {change.key} {_variable_is(change)}",
        "command": "the command changed",
        "always": "it always counts as changed",
    }.get(change.kind, "its checksum changed")


def _variable_is(change: "Change") -> str:
    """What became of an environment variable, never its value."""
    return "is a new dependency" if change.state == "new" else "has another value"


def undeclared(found: "Findings") -> str:
    """What was used without being declared, as a clause without its subject."""
    told = []
    for used, does in ((found.reads, "reads"), (found.writes, "writes")):
        if used:
            names = ", ".join(one.path for one in used[:_NAMED])
            more = f" and {len(used) - _NAMED} more" if len(used) > _NAMED else ""
            told.append(f"{does} {names}{more}")
    return " and ".join(told)
