"""Posting a report where its reviewers read: a comment of the pull or merge request, else a job's summary.

Talks to the platforms through their own programs, ``gh`` and ``glab``, which know who we are; nothing here
sees a token. A comment that was posted before is known by its hidden marker and edited. What was tried and
did not work is told; the next place is tried.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from fourfold.base.errors import UnavailableError, from_os_error
from fourfold.pipeline.report.markdown import COMMENT_LIMIT, GITLAB_LIMIT, MARKER, SUMMARY_LIMIT
from fourfold.storage.secrets import strike

#: Seconds that one call of a platform's program may take.
_PATIENCE = 120
#: The first gh that uploads images.
_ATTACHES = (2, 99)


class Render(Protocol):
    """Gives the text of a report."""

    def __call__(self, limit: int, *, images: bool = False) -> str:
        """The text, at most so many bytes long, with its images or without."""
        ...


class NowhereToPostError(UnavailableError):
    """There is no pull or merge request that ``gh`` or ``glab`` knows of, and no summary file of a job."""

    code = "nowhere-to-post"
    default_hint = (
        "run it in a pull request with gh (or glab) signed in, or write it to a file: ff report -o FILE"
    )


class Posted(NamedTuple):
    """Where the report went.

    Attributes:
        place: ``github``, ``gitlab`` or ``summary``.
        address: Of the comment, or the file.
        edited: Whether an earlier comment was edited.
        notes: What was tried before and did not work, or was left out.
    """

    place: str
    address: str
    edited: bool = False
    notes: tuple[str, ...] = ()


class _FailedError(Exception):
    """A platform's program refused; its words."""


def post(
    render: Render, *, environ: Mapping[str, str], cwd: str, images: Sequence[str] = (), attach: bool = False
) -> Posted:
    """Post a report at the first place that takes it.

    Args:
        render: Gives the text for a place.
        environ: The environment: where programs are, and what the job tells of itself.
        cwd: A folder in the repository.
        images: Paths of the images that the text names.
        attach: Upload the images, where ``gh`` can (2.99 or newer).

    Raises:
        NowhereToPostError: there is no such place.
        DeniedError, ExhaustedError: the summary file cannot be written.
    """
    notes: list[str] = []
    for name, place in (("gh", _on_github), ("glab", _on_gitlab)):
        program = shutil.which(name, path=environ.get("PATH", os.defpath))
        if program is None:
            continue
        try:
            posted = place(_Program(program, environ, cwd), render, tuple(images) if attach else ())
        except _FailedError as error:
            notes.append(f"{name}: {error}")
        else:
            return posted._replace(notes=(*notes, *posted.notes))
    summary = environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        _append(summary, render(SUMMARY_LIMIT))
        return Posted("summary", summary, notes=tuple(notes))
    raise NowhereToPostError("there is nowhere to post the report", details=notes)


def _append(path: str, text: str) -> None:
    try:
        with open(path, "ab") as file:
            file.write(text.encode())
    except OSError as error:
        raise from_os_error(error, "writing the step summary") from error


class _Program:
    """A platform's program: asked, and its answer read."""

    def __init__(self, path: str, environ: Mapping[str, str], cwd: str) -> None:
        self.environ = environ
        self._path, self._cwd = path, cwd

    def __call__(self, *args: str) -> str:
        env = {**self.environ, "GH_PROMPT_DISABLED": "1", "NO_PROMPT": "1", "NO_COLOR": "1"}
        try:
            done = subprocess.run(
                [self._path, *args],
                cwd=self._cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _FailedError(type(error).__name__) from None
        if done.returncode:
            told = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise _FailedError(strike(told[0][:200]) if told else f"it ended with {done.returncode}")
        return done.stdout.decode("utf-8", "replace")

    def ask(self, *args: str) -> Any:
        """Its answer as a document."""
        try:
            return json.loads(self(*args))
        except ValueError:
            raise _FailedError("its answer is no JSON") from None


@contextmanager
def _file(text: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="ff-report-") as folder:
        path = os.path.join(folder, "report.md")
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        yield path


# --- GitHub ---


def _on_github(gh: _Program, render: Render, images: Sequence[str]) -> Posted:
    pull = re.fullmatch(r"refs/pull/(\d+)/\w+", gh.environ.get("GITHUB_REF", ""))
    found = gh.ask("pr", "view", *([pull[1]] if pull else []), "--json", "number,comments")
    number, comments = _checked(found)
    notes: tuple[str, ...] = ()
    if images and not _can_attach(gh):
        images, notes = (), ("gh: images need gh 2.99 or newer, and were left out",)
    attached = [word for image in images for word in ("--attach", image)]
    mine = [comment for comment in comments if comment.get("viewerDidAuthor")]
    ours = next((comment for comment in reversed(mine) if MARKER in str(comment.get("body"))), None)
    known = re.search(r"#issuecomment-(\d+)$", str(ours.get("url"))) if ours is not None else None
    with _file(render(COMMENT_LIMIT, images=bool(images))) as body:
        if ours is not None and known is not None and not images:
            where = f"repos/{{owner}}/{{repo}}/issues/comments/{known[1]}"
            gh("api", "--method", "PATCH", where, "--silent", "--field", f"body=@{body}")
            return Posted("github", str(ours["url"]), edited=True, notes=notes)
        last = ["--edit-last"] if ours is not None and ours is mine[-1] else []
        told = gh("pr", "comment", str(number), *last, "--body-file", body, *attached)
    return Posted("github", told.strip() or f"#{number}", edited=bool(last), notes=notes)


def _checked(found: Any) -> tuple[int, list[dict[str, Any]]]:
    number = found.get("number") if isinstance(found, dict) else None
    if not isinstance(number, int):
        raise _FailedError("there is no pull request here")
    comments = found.get("comments")
    return number, [one for one in comments if isinstance(one, dict)] if isinstance(comments, list) else []


def _can_attach(gh: _Program) -> bool:
    found = re.search(r"(\d+)\.(\d+)", gh("--version"))
    return found is not None and (int(found[1]), int(found[2])) >= _ATTACHES


# --- GitLab ---


def _on_gitlab(glab: _Program, render: Render, _images: Sequence[str]) -> Posted:
    number = glab.environ.get("CI_MERGE_REQUEST_IID", "")
    if not number.isdecimal():
        found = glab.ask("mr", "view", "--output", "json")
        number = str(found.get("iid", "")) if isinstance(found, dict) else ""
    if not number.isdecimal():
        raise _FailedError("there is no merge request here")
    notes = f"projects/:fullpath/merge_requests/{number}/notes"
    found = glab.ask("api", f"{notes}?per_page=100&sort=desc")
    known = [note for note in found if isinstance(note, dict)] if isinstance(found, list) else []
    ours = next((note.get("id") for note in known if MARKER in str(note.get("body"))), None)
    with _file(render(GITLAB_LIMIT)) as body:
        if isinstance(ours, int):
            try:
                glab("api", "--method", "PUT", f"{notes}/{ours}", "--field", f"body=@{body}")
            except _FailedError:  # somebody else's: only they may edit it
                ours = None
        if not isinstance(ours, int):
            glab("api", "--method", "POST", notes, "--field", f"body=@{body}")
    return Posted("gitlab", f"!{number}", edited=isinstance(ours, int))
