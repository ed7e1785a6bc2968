"""Metrics and parameters of moments on the command line: paths as typed and shown, DVC's JSON."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fourfold.cli.options import ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.tables import differences
from fourfold.pipeline.goals import Goals, verdict
from fourfold.pipeline.moments import FileAbsentError, Values

if TYPE_CHECKING:
    import argparse

    from fourfold.base.errors import FourfoldError
    from fourfold.cli.session import Session
    from fourfold.pipeline.compare import Differences
    from fourfold.project.project import Project


def from_root(project: "Project", targets: Iterable[str] | None) -> list[str]:
    """Paths as typed, as paths from the project's root."""
    return [project.relpath(project.absolute(target)) for target in targets or ()]


def shown(session: "Session", path: str) -> str:
    """A path from the root as the user would type it."""
    return session.display(f"{session.project.root}/{path}")


def as_dvc(session: "Session", found: Mapping[str, Values]) -> dict[str, Any]:
    """Values in the shape of DVC's ``show --json``."""
    data: dict[str, Any] = {}
    for name, values in found.items():
        if values.error is not None:
            data[name] = {"error": error_as_dvc(values.error)}
            continue
        data[name] = {
            "data": {
                shown(session, path): {"data": file.data}
                if file.error is None
                else {"error": error_as_dvc(file.error)}
                for path, file in values.files.items()
            }
        }
    return data


def error_as_dvc(error: "FourfoldError") -> dict[str, str]:
    """What could not be read, in the words of DVC's ``--json``."""
    if isinstance(error, FileAbsentError):
        cause = "No storage files available" if error.cached else "No such file or directory"
        return {"type": "FileNotFoundError", "msg": f"[Errno 2] {cause}: '{error.path}'"}
    return {"type": type(error).__name__, "msg": error.message}


def failed_names(found: Mapping[str, Values]) -> list[str]:
    """The moments of which something could not be loaded."""
    return [
        name or "workspace"
        for name, values in found.items()
        if values.error is not None or any(file.error is not None for file in values.files.values())
    ]


def diff_outcome(
    session: "Session",
    args: "argparse.Namespace",
    result: "Differences",
    *,
    title: str,
    change: bool = True,
    precision: int | None = None,
    goals: Goals | None = None,
) -> Outcome:
    """What ``metrics diff`` and ``params diff`` end with: DVC's JSON, or its table.

    Without a goal, up and down have colours of their own; with one, better and worse have.
    """
    style = session.style

    def paint(path: str, key: str, difference: Any, text: str) -> str:
        judged = verdict(goals or {}, path, key, difference)
        if judged:
            return style.green(text) if judged == "better" else style.red(text)
        return style.cyan(text) if difference > 0 else style.yellow(text) if difference < 0 else text

    if result.errors:
        names = ", ".join(repr(name) for name in result.errors)
        session.warn(f"some files could not be loaded for: {names}")
    files = {shown(session, path): changes for path, changes in result.files.items()}
    text = differences(
        files,
        title=title,
        names=(args.a_rev, args.b_rev),
        path=not args.no_path,
        change=change,
        markdown=args.markdown,
        csv=args.csv,
        precision=args.precision if args.csv and change else precision,
        paint=paint,
    )
    return Outcome(data=files, text=text)


def add_diff_options(parser: "argparse.ArgumentParser", what: str) -> None:
    """Add the arguments that both have."""
    parser.add_argument("a_rev", nargs="?", default="HEAD", help="the old revision; HEAD by default")
    parser.add_argument(
        "b_rev", nargs="?", default="workspace", help="the new revision; the workspace by default"
    )
    parser.add_argument("--targets", nargs="*", metavar="<paths>", help=f"only these files of {what}")
    parser.add_argument("--all", action="store_true", help="show what is equal too")
    parser.add_argument("--md", dest="markdown", action="store_true", help="print a Markdown table")
    add_csv(parser)
    parser.add_argument("--no-path", action="store_true", help="do not show the files")


def add_csv(parser: "argparse.ArgumentParser") -> None:
    """Add the form of a table that spreadsheets read; DVC has none here."""
    ours(parser.add_argument("--csv", action="store_true", help="print comma-separated values, not rounded"))
