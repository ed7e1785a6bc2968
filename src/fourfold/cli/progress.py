"""Progress: the sink of engine events that draws one line, or writes a few, on stderr.

On a terminal nothing for the first 300 ms, then one line, that vanishes when the phase ends; elsewhere
nothing for two seconds, then a line every ten per cent or thirty seconds, without control characters.
The words for amounts and times (`amount`, `span`) live here too, since every summary line needs them.
"""

import os
from _thread import allocate_lock
from typing import TYPE_CHECKING, TextIO

from fourfold.base.events import Advanced, Noticed, PhaseEnded, PhaseStarted, Warned
from fourfold.cli.render import Style, plain, write

if TYPE_CHECKING:
    from fourfold.base.clock import Clock
    from fourfold.base.events import Event

#: Seconds before the first sign of life: on a terminal, and where it stays to be read.
DELAY, CALM = 0.3, 2.0
#: Seconds between two drawings of the line.
FRAME = 0.1
#: Off a terminal: seconds between two lines, when a tenth was done and when not.
STEP, STILL = 1.0, 30.0
#: The clock is asked at least once in so many events.
MOST_SKIPPED = 4096


class _Phase:
    """A phase under way."""

    __slots__ = ("count", "name", "since", "size", "tenth", "total", "total_bytes", "unit")

    def __init__(self, event: PhaseStarted, since: float) -> None:
        self.name = event.name
        self.total = event.total
        self.total_bytes = event.total_bytes
        self.unit = event.unit
        self.since = since
        self.count = 0
        self.size = 0
        self.tenth = 0

    def share(self) -> float | None:
        """How much is done, 0 to 1; None when no total is known."""
        if self.total_bytes:
            return min(1.0, self.size / self.total_bytes)
        if self.total:
            return min(1.0, self.count / self.total)
        return None

    def describe(self, now: float) -> str:
        """``hashing  1,204/20,000 files  1.2 GB/3.4 GB  310 MB/s  0:07 left``."""
        spent = now - self.since
        words = [self.name]
        done = f"{self.count:,}" + (f"/{self.total:,}" if self.total is not None else "")
        if self.total is not None or self.count:
            words.append(f"{done} {self.unit}")
        if self.size or self.total_bytes:
            of = f"/{amount(self.total_bytes)}" if self.total_bytes else ""
            words.append(amount(self.size) + of)
        if spent > 0:
            if self.size:
                words.append(f"{amount(self.size / spent)}/s")
            elif self.count:
                words.append(f"{self.count / spent:,.0f} {self.unit}/s")
        share = self.share()
        if share and share < 1 and spent >= 1:
            words.append(f"{span(spent / share - spent)} left")
        return "  ".join(words)


class Progress:
    """The sink of a command: call it with events; `close` it at the end.

    Args:
        stream: stderr; None for a closed one.
        live: Whether to draw and redraw one line, as on a terminal.
        quiet: Say nothing at all.
        verbose: Print `Noticed` events.
    """

    def __init__(
        self,
        stream: TextIO | None,
        clock: "Clock",
        *,
        live: bool,
        quiet: bool = False,
        verbose: bool = False,
        style: Style | None = None,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._live = live
        self._quiet = quiet or stream is None
        self._verbose = verbose
        self._style = style or Style(on=False)
        self._born = clock.monotonic()
        self._delay = DELAY if live else CALM
        self._said = self._born + self._delay - STEP
        self._phases: dict[str, _Phase] = {}
        self._drawn = False
        self._skip = 0
        self._skipped = 0
        self._lock = allocate_lock()

    def __call__(self, event: "Event") -> None:
        """Take one event; safe from any thread."""
        if isinstance(event, Advanced):
            if not self._quiet:
                with self._lock:
                    self._advance(event)
            return
        with self._lock:
            self._other(event)

    def _advance(self, event: Advanced) -> None:
        phase = self._phases.get(event.name)
        if phase is None:
            phase = self._start(PhaseStarted(event.name))
        phase.count += event.done
        phase.size += event.size
        self._skipped += 1
        if self._skipped <= self._skip:
            return
        self._skipped = 0
        now = self._clock.monotonic()
        waited = now - self._said
        # Events that come thick are counted without asking the clock; slow ones are all looked at.
        thick = waited < FRAME / 2 or now < self._born + self._delay
        self._skip = min(MOST_SKIPPED, self._skip * 2 + 1) if thick else 0
        self._tell(phase, now)

    def _other(self, event: "Event") -> None:
        if isinstance(event, Warned):
            self.say("warning", event.message, event.hint)
        elif self._quiet:
            return
        elif isinstance(event, PhaseStarted):
            self._tell(self._start(event), self._clock.monotonic())
        elif isinstance(event, PhaseEnded):
            self._phases.pop(event.name, None)
            self._erase()
            self._skip = 0
        elif isinstance(event, Noticed) and self._verbose:
            self._line(plain(event.message))

    def _start(self, event: PhaseStarted) -> _Phase:
        phase = _Phase(event, self._clock.monotonic())
        self._phases[event.name] = phase
        self._skip = 0
        return phase

    def _tell(self, phase: _Phase, now: float) -> None:
        if now < self._born + self._delay:
            return
        if self._live:
            if not self._drawn or now - self._said >= FRAME:
                self._draw(phase.describe(now))
                self._said = now
            return
        share = phase.share()
        tenth = int(share * 10) if share is not None else 0
        waited = now - self._said
        if (tenth > phase.tenth and waited >= STEP) or waited >= STILL:
            phase.tenth = tenth
            self._said = now
            percent = f"{share:.0%}  " if share is not None else ""
            self._line(percent + phase.describe(now))

    def _draw(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            width = 80
        write(self._stream, "\r\x1b[K" + plain(text)[: max(10, width - 1)])
        self._stream.flush()
        self._drawn = True

    def _erase(self) -> None:
        if self._drawn and self._stream is not None:
            write(self._stream, "\r\x1b[K")
            self._stream.flush()
        self._drawn = False

    def _line(self, text: str) -> None:
        self._erase()
        write(self._stream, text + "\n")
        if self._stream is not None:
            self._stream.flush()

    def say(self, kind: str, message: str, hint: str = "") -> None:
        """Print a finding (``warning``) and its hint above the progress line; not under ``--quiet``."""
        if self._quiet:
            return
        from fourfold.storage.secrets import strike  # noqa: PLC0415 - most commands have nothing to warn of

        self._line(f"{self._style.yellow(kind + ':')} {plain(strike(message))}")
        if hint:
            self._line(f"{self._style.cyan('hint:')} {plain(strike(hint))}")

    def news(self, message: str) -> None:
        """Print one line of talk; not under ``--quiet``."""
        if not self._quiet:
            self._line(plain(message))

    def rest(self) -> None:
        """Leave no line behind, and be silent for a while again: somebody else spoke."""
        self.close()
        self._born = self._clock.monotonic()
        self._said = self._born + self._delay - STEP

    def close(self) -> None:
        """Leave no line behind."""
        self._phases.clear()
        self._erase()


def amount(size: float) -> str:
    """Bytes for people, in powers of 1000: ``999 B``, ``1.2 MB``."""
    if size < 1000:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 999.5 or unit == "TB":
            return f"{size:.1f} {unit}" if size < 99.95 else f"{size:.0f} {unit}"
    return ""


def span(seconds: float) -> str:
    """Seconds for people: ``0:07``, ``1:02:03``."""
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    minutes, last = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{last:02}" if hours else f"{minutes}:{last:02}"
