"""History: the states between a good result and a bad one, in their order.

Between two revisions: the commits along first parents, each with what its lock files say was run, and aside
the runs that were made on them and stand in none. Between two runs: the runs of their stage, by time. Which
is the first bad one is `bisect`.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from fourfold.base.errors import ConflictError, FourfoldError
from fourfold.evidence.commits import Commits
from fourfold.evidence.lineage import Makers, metrics_of
from fourfold.evidence.states import History, State, one_metric, run_state
from fourfold.formats.native.record import RunId
from fourfold.runs.changes import value_of
from fourfold.runs.words import SHORT

if TYPE_CHECKING:
    from fourfold.base.ids import CommitId
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records


class NotBetweenError(ConflictError):
    """There is no line from the good version to the bad one."""

    code = "not-on-one-line"


def states_of(
    place: "Place", records: "Records", good: str, bad: str, *, metric: str, stage: str | None = None
) -> History:
    """The states between two versions.

    Args:
        place: Where.
        records: Its records.
        good: A revision, or a run: an id, ``stage~N``.
        bad: Likewise.
        metric: ``FILE:NAME``, or the name alone.
        stage: Whose result; None for the one that has the metric.

    Raises:
        RunNotFoundError: one of them is neither revision nor run.
        NotBetweenError: they are one version, one is a run and one a revision, or they are not on one line.
        MetricNotFoundError, MetricAmbiguousError: the metric does not say which number is meant.
        FourfoldError: records or history cannot be read.
    """
    first, last = (_commit(place, text) for text in (good, bad))
    if first is not None and last is not None:
        with Commits(place, records) as commits:
            return _between_commits(commits, records, (first, last), (good, bad), metric, stage)
    runs = [records.resolve(text) for text, commit in ((good, first), (bad, last)) if commit is None]
    if len(runs) == 1:
        one, other = (good, bad) if first is None else (bad, good)
        raise NotBetweenError(
            f"'{one}' is a run, and '{other}' a revision",
            hint="name two revisions, or two runs of one stage: --good train~5 --bad train",
        )
    return _between_runs(records, runs, (good, bad), metric, stage)


def _commit(place: "Place", text: str) -> "CommitId | None":
    """The commit that a text means; None when it means none."""
    if place.git is None or place.project is None:
        return None
    try:
        return place.git.resolve(text)
    except FourfoldError:
        return None


# --- commits ----------------------------------------------------------------------------------------------


def _between_commits(
    commits: Commits,
    records: "Records",
    ends: "tuple[CommitId, CommitId]",
    texts: tuple[str, str],
    metric: str,
    stage: str | None,
) -> History:
    _refuse_one(ends, texts)
    line = commits.line(*ends)
    if line is None:
        raise _not_on_a_line(commits, ends, texts)
    known = commits.stages_with(ends[1], metric) or commits.stages_with(ends[0], metric)
    stage, name = one_metric(known, metric, stage)
    states = tuple(commits.state(commit, stage, name) for commit in line.commits)
    named = {state.run for state in states}
    aside = _aside(records, stage, name, {*line.commits}, named)
    return History(stage, name, states, aside, line.merged, line.beside)


def _refuse_one(ends: Sequence[str], texts: tuple[str, str]) -> None:
    if ends[0] == ends[1]:
        both = f"'{texts[0]}' and '{texts[1]}' are" if texts[0] != texts[1] else f"'{texts[0]}' twice is"
        raise NotBetweenError(
            f"{both} one version, {ends[0][:SHORT]}", hint="name an older one that was good: --good <version>"
        )


def _not_on_a_line(
    commits: Commits, ends: "tuple[CommitId, CommitId]", texts: tuple[str, str]
) -> NotBetweenError:
    """Why first parents do not lead from the bad version to the good one."""
    base = commits.base(*ends)
    if base == ends[1]:
        return NotBetweenError(
            f"'{texts[0]}', which is to be good, is newer than '{texts[1]}', which is to be bad",
            hint=f"the older one is --good: ff bisect --good {texts[1]} --bad {texts[0]}",
        )
    if base == ends[0]:
        return NotBetweenError(
            f"'{texts[0]}' came to '{texts[1]}' by a merge, or lies further back than is searched: "
            "it is not among its first parents",
            hint="name two commits of one line of history: git log --first-parent --oneline",
        )
    return NotBetweenError(
        f"'{texts[0]}' is not among the first parents of '{texts[1]}': they are on two branches",
        hint="name the commit where they part as the good one"
        + (f", if it was: --good {base[:SHORT]}" if base is not None else ""),
    )


def _aside(
    records: "Records", stage: str, metric: str, line: set["CommitId"], named: set[RunId | None]
) -> dict[str, tuple[State, ...]]:
    """Runs of a stage, made on a commit of the line, that no commit of it has."""
    found: dict[str, list[State]] = {}
    makers = Makers(records)
    for summary in records.summaries():
        if summary.stage != stage or summary.kind != "stage" or summary.state != "succeeded":
            continue
        with suppress(FourfoldError):  # one that is damaged was measured, and nobody knows what
            commit = value_of(makers.record(summary.id).code, "commit")
            if summary.id not in named and commit in line:
                found.setdefault(str(commit), []).append(run_state(records, makers, summary.id, metric))
    return {commit: tuple(states) for commit, states in found.items()}


# --- runs -------------------------------------------------------------------------------------------------


def _between_runs(
    records: "Records",
    ends: Sequence[RunId],
    texts: tuple[str, str],
    metric: str,
    stage: str | None,
) -> History:
    _refuse_one(ends, texts)
    makers = Makers(records)
    good, bad = (makers.record(run) for run in ends)
    if (good.stage, good.kind) != (bad.stage, bad.kind) or (stage is not None and stage != bad.stage):
        raise NotBetweenError(
            f"'{texts[0]}' and '{texts[1]}' are runs of different stages",
            hint="name two runs of one stage: ff runs list",
        )
    known = {bad.stage: tuple(metrics_of(bad, records.part))}
    _, name = one_metric(known, metric, bad.stage)
    states: list[State] = []
    inside = False
    for summary in records.summaries():
        inside = inside or summary.id == ends[0]
        same = (summary.stage, summary.kind) == (bad.stage, bad.kind) and summary.state == "succeeded"
        if inside and (same or summary.id in ends):
            with suppress(FourfoldError):  # as above; the ends were read already
                if bad.stage or makers.record(summary.id).command == bad.command:
                    states.append(run_state(records, makers, summary.id, name))
        if summary.id == ends[1]:
            break
    if not states or states[-1].run != ends[1] or len(states) < len(ends):
        raise NotBetweenError(
            f"the good run '{texts[0]}' is not older than the bad one '{texts[1]}'",
            hint="the good one comes first: ff bisect --good <older> --bad <newer>",
        )
    return History(bad.stage, name, tuple(states))
