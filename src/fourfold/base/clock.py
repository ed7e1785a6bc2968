"""The clock, as a parameter: the only place that asks the system for the time."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the engine may ask about time."""

    def now_ns(self) -> int:
        """Wall-clock nanoseconds since the epoch, comparable with a file's ``mtime_ns``."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now_ns(self) -> int:
        """Wall-clock nanoseconds since the epoch."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


SYSTEM: Clock = SystemClock()
