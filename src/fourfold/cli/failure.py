"""The one error handler: what a failure looks like to its reader, and what the process exits with.

An expected failure is `error:`, its details, `hint:` and `code:` on stderr, and with ``--json`` the same
fields as ``{"error": {...}}`` on stdout besides. Anything that is not a `FourfoldError` and not a failure
of the system is a bug of ours: exit code 3 and a report file. A traceback is shown only when
``FF_SHOW_TRACEBACK`` is set. Exit codes: docs/reference/exit-codes.md.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from fourfold.base.errors import (
    AuthError,
    ExhaustedError,
    FourfoldError,
    InvalidFileError,
    UsageError,
    from_os_error,
)
from fourfold.cli.render import Style, discard, plain, to_json, wants_color, write

if TYPE_CHECKING:
    from fourfold.cli.table import Command

#: A byte of the command line that is not UTF-8, as Python keeps it in text.
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Where the hint of a store leaves out the name of the remote, which it does not know.
_UNNAMED = re.compile(r"(ff remote modify (?:--\w+ )*)<name>")
#: So many details are printed as text; JSON carries all of them.
MOST_DETAILS = 20
BUG = 3
INTERRUPTED = 252
#: 128 + SIGPIPE, as a shell reports a program that the signal ends.
BROKEN_PIPE = 141


class OutOfMemoryError(ExhaustedError):
    """The system has no more memory for us."""

    code = "out-of-memory"


class NotUnicodeError(InvalidFileError):
    """A name or a value that had to go into a file is not valid UTF-8."""

    code = "not-unicode"


class TooDeepError(InvalidFileError):
    """Something is nested more deeply than can be followed."""

    code = "too-deep"


class Scene(NamedTuple):
    """Where a failure happened.

    Attributes:
        argv: The arguments of the process.
        command: The command that ran; None while the command line was still being read.
        name: What the command is called; empty while the command line was still being read.
        remotes: The remotes that were opened.
        opening: The error that opening the project failed with, if it did.
        as_json: Whether ``--json`` was given.
    """

    argv: Sequence[str]
    environ: Mapping[str, str]
    stdout: TextIO | None
    stderr: TextIO | None
    command: "Command | None" = None
    opening: FourfoldError | None = None
    name: str = ""
    remotes: frozenset[str] = frozenset()
    as_json: bool = False
    color: str = "auto"


def report(error: BaseException, scene: Scene) -> int:
    """Tell the user about ``error`` and return the exit code. Never raises for what it can foresee."""
    if isinstance(error, BrokenPipeError):
        discard(scene.stdout)
        return BROKEN_PIPE
    if scene.environ.get("FF_SHOW_TRACEBACK"):
        write(scene.stderr, _traceback(error))
    if isinstance(error, KeyboardInterrupt):
        return _show({"message": "interrupted", "code": "interrupted"}, INTERRUPTED, scene)
    expected = expected_form(error)
    if expected is None:
        return _show_bug(error, scene)
    if isinstance(expected, UsageError) and not expected.hint and scene.name:
        expected.hint = f"see: ff {scene.name} --help"
    return _show(describe(expected), exit_code(expected, scene), scene)


def expected_form(error: BaseException) -> FourfoldError | None:
    """The typed error for what was raised; None when it is a bug of ours."""
    if isinstance(error, FourfoldError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemoryError("out of memory", hint="close other programs, or name fewer targets at once")
    if isinstance(error, RecursionError):
        return TooDeepError("the input is nested too deeply")
    if isinstance(error, OSError):
        return from_os_error(error)
    if isinstance(error, UnicodeEncodeError) and _SURROGATE.search(error.object):
        return NotUnicodeError(
            f"not UTF-8: {os.fsencode(error.object)!r:.200}",
            hint="names and values in DVC's files are UTF-8; use another one",
        )
    return None


def exit_code(error: FourfoldError, scene: Scene) -> int:
    """What DVC would exit with.

    DVC's commands of failure code 1 handle whatever they raise themselves; what is raised before they
    begin (reading the command line, opening the project) and refused credentials pass them by.
    """
    if scene.command is None or error is scene.opening or isinstance(error, AuthError):
        return error.exit_code
    if scene.command.failure_code == 1 or isinstance(error, UsageError):
        return scene.command.failure_code
    return scene.command.failure_code if error.exit_code == FourfoldError.exit_code else error.exit_code


def describe(error: FourfoldError) -> dict[str, Any]:
    """The fields of an error, as ``--json`` shows them."""
    fields: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.hint:
        fields["hint"] = error.hint
    if error.details:
        fields["details"] = list(error.details)
    return fields


def _show(fields: dict[str, Any], code: int, scene: Scene) -> int:
    from fourfold.storage.secrets import strike  # noqa: PLC0415 - only failures pay for it

    if len(scene.remotes) == 1 and fields.get("hint"):
        name = next(iter(scene.remotes))
        fields["hint"] = _UNNAMED.sub(lambda found: f"{found[1]}{name}", fields["hint"])
    for field in ("message", "hint"):
        if field in fields:
            fields[field] = strike(fields[field])
    details = fields["details"] = [strike(str(detail)) for detail in fields.get("details", [])]
    if not details:
        del fields["details"]
    style = Style(on=wants_color(scene.stderr, scene.color, scene.environ))
    lines = [f"{style.red('error:')} {_one_line(fields['message'])}"]
    lines += [f"  {_one_line(detail)}" for detail in details[:MOST_DETAILS]]
    if len(details) > MOST_DETAILS:
        lines.append(f"  ... and {len(details) - MOST_DETAILS:,} more")
    if fields.get("hint"):
        lines.append(f"{style.cyan('hint:')} {_one_line(fields['hint'])}")
    if fields["code"] not in {"interrupted", "bug"}:
        lines.append(style.dim(f"code: {fields['code']}"))
    try:
        write(scene.stderr, "\n".join(lines) + "\n")
        if scene.as_json and scene.stdout is not None:
            write(scene.stdout, to_json({"error": {**fields, "exit_code": code}}) + "\n")
            scene.stdout.flush()
    except (OSError, ValueError):
        discard(scene.stdout)  # nobody listens any more; the exit code still speaks
    return code


def _one_line(text: str) -> str:
    return plain(" ".join(text.split("\n")))


def _traceback(error: BaseException) -> str:
    import traceback  # noqa: PLC0415 - only failures pay for it

    from fourfold.storage.secrets import strike  # noqa: PLC0415 - likewise

    return strike("".join(traceback.format_exception(error)))


def _show_bug(error: BaseException, scene: Scene) -> int:
    """Write the report file and print two lines."""
    kind = type(error).__name__
    summary = f"a bug in ff: {kind}: {error}"[:300]
    try:
        path = _write_report(error, scene)
        hint = f"attach {path} to an issue: it holds versions, the command line and the traceback"
    except OSError as trouble:
        hint = f"no report could be written ({trouble.strerror}); FF_SHOW_TRACEBACK=1 prints the traceback"
    return _show({"code": "bug", "message": summary, "hint": hint}, BUG, scene)


def _write_report(error: BaseException, scene: Scene) -> str:
    import platform  # noqa: PLC0415 - only a bug pays for these
    import shlex  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    from fourfold import __version__  # noqa: PLC0415
    from fourfold.storage.secrets import strike  # noqa: PLC0415

    text = "\n".join(
        (
            f"ff {__version__}",
            f"Python {platform.python_version()} on {platform.platform()}",
            f"command: {strike(shlex.join(('ff', *scene.argv)))}",
            "",
            _traceback(error),
        )
    )
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", errors="backslashreplace", prefix="ff-bug-", suffix=".txt", delete=False
    ) as file:
        file.write(text)
    return file.name
