"""Progress on a terminal, off a terminal, and under `-q`, on a clock that the test moves."""

import io
import time

from fourfold.base.events import Advanced, Noticed, PhaseEnded, PhaseStarted, Warned
from fourfold.cli.progress import Progress, amount, span
from tests.fixtures.clock import HandClock


def start(**options: bool) -> tuple[Progress, HandClock, io.StringIO]:
    clock, out = HandClock(100.0), io.StringIO()
    return Progress(out, clock, **{"live": False, **options}), clock, out


def last_frame(out: io.StringIO) -> str:
    return out.getvalue().rpartition("\r\x1b[K")[2]


def test_nothing_is_drawn_in_the_first_300_ms() -> None:
    sink, clock, out = start(live=True)
    sink(PhaseStarted("hashing", total=10))
    for _ in range(10):
        clock.sleep(0.029)
        sink(Advanced("hashing", 1))
    sink(PhaseEnded("hashing"))
    sink.close()
    assert out.getvalue() == ""


def test_a_line_names_phase_amounts_rate_and_time_left() -> None:
    sink, clock, out = start(live=True)
    sink(PhaseStarted("hashing", total=20_000, total_bytes=4_000_000))
    clock.sleep(2)
    sink(Advanced("hashing", 5_000, 1_000_000))
    assert last_frame(out) == "hashing  5,000/20,000 files  1.0 MB/4.0 MB  500 kB/s  0:06 left"


def test_a_phase_of_unknown_size_still_tells_how_far_it_is() -> None:
    sink, clock, out = start(live=True)
    sink(PhaseStarted("collecting", unit="objects"))
    clock.sleep(2)
    sink(Advanced("collecting", 5_000))
    assert last_frame(out) == "collecting  5,000 objects  2,500 objects/s"


def test_a_phase_that_begins_late_is_named_at_once() -> None:
    sink, clock, out = start(live=True)
    clock.sleep(1)
    sink(PhaseStarted("listing the remote"))
    assert last_frame(out) == "listing the remote"


def test_the_line_vanishes_when_the_phase_ends_and_before_anything_else_is_said() -> None:
    sink, clock, out = start(live=True)
    sink(PhaseStarted("hashing", total=10))
    clock.sleep(1)
    sink(Advanced("hashing", 1))
    sink(Warned("odd", "something odd", "look at it"))
    assert out.getvalue().endswith("\r\x1b[Kwarning: something odd\nhint: look at it\n")
    clock.sleep(1)
    sink(Advanced("hashing", 1))
    assert last_frame(out).startswith("hashing")
    sink(PhaseEnded("hashing"))
    assert out.getvalue().endswith("\r\x1b[K")


def test_off_a_terminal_there_is_a_line_every_ten_per_cent_without_control_characters() -> None:
    sink, clock, out = start()
    sink(PhaseStarted("pushing", total=100))
    for _ in range(100):
        clock.sleep(0.5)
        sink(Advanced("pushing", 1))
    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == [f"{n}0%" for n in range(1, 11)]
    assert out.getvalue().replace("\n", "").isprintable()


def test_off_a_terminal_a_slow_phase_speaks_every_thirty_seconds() -> None:
    sink, clock, out = start()
    sink(PhaseStarted("pushing", total=1_000_000))
    for _ in range(100):
        clock.sleep(1)
        sink(Advanced("pushing", 1))
    assert len(out.getvalue().splitlines()) == 3


def test_off_a_terminal_a_quick_phase_is_not_told() -> None:
    sink, clock, out = start()
    sink(PhaseStarted("hashing", total=1000))
    for _ in range(1000):
        clock.sleep(0.0002)
        sink(Advanced("hashing", 1))
    assert out.getvalue() == ""


def test_quiet_says_nothing_at_all() -> None:
    sink, clock, out = start(live=True, quiet=True)
    sink(PhaseStarted("hashing", total=10))
    clock.sleep(60)
    sink(Advanced("hashing", 1))
    sink(Warned("odd", "something odd"))
    sink(Noticed("news"))
    sink.news("talk")
    sink.close()
    assert out.getvalue() == ""


def test_news_of_the_engine_is_for_verbose() -> None:
    for verbose in (False, True):
        sink, _clock, out = start(verbose=verbose)
        sink(Noticed("reading .dvc/config"))
        assert out.getvalue() == ("reading .dvc/config\n" if verbose else "")


def test_a_phase_that_was_not_announced_is_drawn_all_the_same() -> None:
    sink, clock, out = start(live=True)
    clock.sleep(1)
    sink(Advanced("hashing", 3))
    assert "hashing" in out.getvalue()
    sink(PhaseEnded("never begun"))


def test_names_in_events_cannot_drive_the_terminal() -> None:
    sink, clock, out = start(live=True)
    clock.sleep(1)
    sink(PhaseStarted("reading \x1b[2J"))
    sink(Warned("odd", "name \x07\x1b]0;x"))
    assert "\x1b[2J" not in out.getvalue()
    assert "\x07" not in out.getvalue()


def test_a_million_events_ask_the_clock_seldom_and_cost_little() -> None:
    sink, clock, _out = start(live=True)
    sink(PhaseStarted("hashing", total=1_000_000))
    began = time.perf_counter()
    for _ in range(1_000_000):
        sink(Advanced("hashing", 1, 8192))
    spent = time.perf_counter() - began
    assert clock.asked < 1_000
    assert spent < 5  # about 0.7 s on an idle core, half of it the making of the events


def test_a_burst_of_events_does_not_hide_the_slow_ones_after_it() -> None:
    sink, clock, out = start(live=True)
    sink(PhaseStarted("pushing", total=200_000))
    for _ in range(100_000):
        clock.sleep(0.00001)
        sink(Advanced("pushing", 1))
    for _ in range(5000):
        clock.sleep(0.5)
        sink(Advanced("pushing", 1))
    assert "105,000/200,000" in last_frame(out) or "104,9" in last_frame(out)


def test_amounts_and_spans_read_well() -> None:
    assert [amount(n) for n in (0, 999, 1000, 99_949, 99_951, 999_600, 1.5e9, 2e15)] == [
        "0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "1.0 MB", "1.5 GB", "2000 TB",
    ]  # fmt: skip
    assert [span(n) for n in (0, 7.4, 67, 3723)] == ["0:00", "0:07", "1:07", "1:02:03"]


def test_off_a_terminal_what_is_soon_done_says_nothing() -> None:
    sink, clock, out = start()
    sink(PhaseStarted("hashing", total=2))
    for _ in range(2):
        clock.sleep(0.9)
        sink(Advanced("hashing", 1))
    sink(PhaseEnded("hashing"))
    assert out.getvalue() == ""
