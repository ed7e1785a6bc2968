"""How owners are executed: a value that is handed down from a command to `execute`."""

from typing import NamedTuple


class Options(NamedTuple):
    """How owners are executed.

    Attributes:
        commit: Save outputs into the cache.
        run_cache: Take remembered runs.
        dry: Tell, and do nothing.
        pull: Bring what a remembered run made from the default remote.
        relink: Let the workspace share bytes with the cache, where that is configured.
        strict: Undeclared reads and writes fail a stage.
        output: Where the standard output of commands goes: a file descriptor; None for ours.
    """

    commit: bool = True
    run_cache: bool = True
    dry: bool = False
    pull: bool = False
    relink: bool = True
    strict: bool = False
    output: int | None = None
