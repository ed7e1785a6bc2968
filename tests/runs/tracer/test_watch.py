"""The supervisor: what it sees, and that a command cannot tell it from nothing."""

import signal
from pathlib import Path

from tests.runs.tracer.tracing import traced


def test_reads_and_writes_of_a_shell_and_its_programs_are_seen_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("data\n")
    run = traced(tmp_path, "cat in.txt > made.txt", "cat ./made.txt > /dev/null; mv made.txt kept.txt")
    assert run.codes == [0, 0]
    assert run.trace.coverage.method == "seccomp"
    assert run.below("read") == {"in.txt": True, "made.txt": False}
    assert run.below("write") == {"made.txt": True, "kept.txt": True}
    assert run.below("delete") == {"made.txt": False}


def test_a_command_ends_with_its_own_code_and_its_own_signal(tmp_path: Path) -> None:
    run = traced(tmp_path, "exit 7", "kill -9 $$", "kill -TERM $$", "kill -USR1 $$")
    assert run.codes == [7, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGUSR1]
