"""History: the states between a good result and a bad one, in their order.

Between two revisions: the commits, each with what its lock files say was run, and aside the runs that were
made on them and stand in none. Between two runs: the runs of their stage, by time. Which is the first bad one
is `bisect`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fourfold.base.errors import ConflictError, FourfoldError
from fourfold.evidence.commits import Commits
from fourfold.evidence.lineage import Makers, metrics_of
from fourfold.evidence.states import History, State, one_metric, run_state
from fourfold.formats.native.record import RunId
from fourfold.runs.changes import value_of

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
        UnknownRevisionError, RunNotFoundError: one of them is neither revision nor run.
        NotBetweenError: they are not on one line.
        MetricNotFoundError, MetricAmbiguousError: the metric does not say which number is meant.
        FourfoldError: records or history cannot be read.
    """
    ends = [_commit(place, text) for text in (good, bad)]
    if all(ends):
        first, last = (str(end) for end in ends)
        return _between_commits(Commits(place, records), records, (first, last), (good, bad), metric, stage)
    runs = [records.resolve(text) for text in (good, bad)]
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
    ends: tuple[str, str],
    texts: tuple[str, str],
    metric: str,
    stage: str | None,
) -> History:
    line = commits.line(ends[0], ends[1])
    if line is None:
        raise NotBetweenError(
            f"'{texts[0]}' is not among the first parents of '{texts[1]}'",
            hint="name two commits of one line of history: git log --first-parent --oneline",
        )
    known = commits.stages_with(ends[1], metric) or commits.stages_with(ends[0], metric)
    stage, name = one_metric(known, metric, stage)
    states = tuple(commits.state(commit, stage, name) for commit in line)
    named = {state.run for state in states}
    aside = _aside(records, stage, name, {*line}, named)
    return History(stage, name, states, aside)


def _aside(
    records: "Records", stage: str, metric: str, line: set["CommitId"], named: set[RunId | None]
) -> dict[str, tuple[State, ...]]:
    """Runs of a stage, made on a commit of the line, that no commit of it has."""
    found: dict[str, list[State]] = {}
    makers = Makers(records)
    for summary in records.summaries():
        if summary.stage != stage or summary.kind != "stage" or summary.state != "succeeded":
            continue
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
        if (
            inside
            and (same or summary.id in ends)
            and (bad.stage or makers.record(summary.id).command == bad.command)
        ):
            states.append(run_state(records, makers, summary.id, name))
        if summary.id == ends[1]:
            break
    if not states or states[-1].run != ends[1] or len(states) < len(ends):
        raise NotBetweenError(
            f"the good run '{texts[0]}' is not older than the bad one '{texts[1]}'",
            hint="the good one comes first: ff bisect --good <older> --bad <newer>",
        )
    return History(bad.stage, name, tuple(states))
