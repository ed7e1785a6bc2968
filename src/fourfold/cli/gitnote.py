"""The note that verbs end with: which files the next Git commit needs, or that they are staged already."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fourfold.cli.session import Session
    from fourfold.project.staging import Staged


def tell_git(session: "Session", staged: "Staged") -> None:
    """Say, on stderr, how to track the changed files with Git; nothing when that is done or not needed."""
    if not staged.paths or staged.done or session.settings.quiet:
        return
    from shlex import quote  # noqa: PLC0415 - few commands end here

    files = " ".join(quote(session.display(path)) for path in staged.paths)
    session.news(f"to track the changes with git, run: git add {files}")


def staged_data(session: "Session", staged: "Staged") -> dict[str, object]:
    """The same for ``--json``."""
    return {"files": [session.display(path) for path in staged.paths], "staged": staged.done}
