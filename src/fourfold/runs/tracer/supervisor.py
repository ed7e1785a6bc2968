"""The program that stands between us and a command: ``python -I -S supervisor.py SPEC -- WORD...``.

Only the way to `watch`, whose compiled form is kept: what Python starts by its path it compiles each time.
Where `watch` cannot be loaded, the command runs all the same, unless it must not run outside of walls.
"""

import os
import sys


def _without_us(spec: str, command: list[str]) -> None:
    """Turn into the command, unwatched: a mistake of ours must not cost anybody a run."""
    import signal  # noqa: PLC0415 - only what failed needs it

    with open(spec, "rb") as file:
        hermetic = b"H" in file.read().split(b"\0")
    if not hermetic:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python ignores for itself
        os.execvp(command[0], command)  # noqa: S606 - the words came from us
    os.write(2, b"ff: the sandbox cannot be built here: the supervisor does not load\n")
    os._exit(126)


if __name__ == "__main__":
    sys.path.append(__file__.rsplit("/fourfold/", 1)[0])
    if sys.argv[1] == "--serve":
        from fourfold.runs.tracer.forkserver import serve

        serve(int(sys.argv[2]))
    try:
        from fourfold.runs.tracer.watch import main
    except Exception:  # noqa: BLE001 - whatever is wrong with it
        _without_us(sys.argv[1], sys.argv[3:])
    main(sys.argv[1:])
