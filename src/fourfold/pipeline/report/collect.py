"""Collecting a report: everything that two moments of a project tell of each other, as one value.

Reads only; runs nothing, checks nothing out. What cannot be read is a line among the report's problems; only
what makes the comparison itself meaningless is an error.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Sink, silent
from fourfold.pipeline import metrics, params
from fourfold.pipeline.compare import Differences, compare
from fourfold.pipeline.drawing import Picture
from fourfold.pipeline.goals import Goals, declared_goals, verdict
from fourfold.pipeline.graph import Graph, build_graph, postorder
from fourfold.pipeline.moments import WORKSPACE, Moment, Values
from fourfold.pipeline.report.data import Manifests, data_changes, tables_of
from fourfold.pipeline.report.gates import Gate, check, check_state
from fourfold.pipeline.report.recorded import locked, undeclared_of, verified_of
from fourfold.pipeline.report.sides import sides
from fourfold.pipeline.report.stages import due, stage_changes
from fourfold.pipeline.report.value import OnRemote, Report, Side, ValueChange
from fourfold.project.config import NoRemoteError
from fourfold.project.files import load_tracked
from fourfold.project.outs import Owner
from fourfold.project.remote_status import remote_status
from fourfold.project.scope import WORKSPACE as NO_REVISIONS
from fourfold.project.scope import Scope

if TYPE_CHECKING:
    from fourfold.pipeline.plots.collect import Plot
    from fourfold.project.project import Project


class Wanted(NamedTuple):
    """What a report is asked to tell.

    Attributes:
        goals: Which way metrics are better; adds to, and beats, what stages declare.
        gates: Conditions to check.
        remote: The name of the remote to ask; None for each output's own, or the default one.
        ask_remote: Whether to ask one at all.
        plots: Whether to read plots.
    """

    goals: Goals = MappingProxyType({})
    gates: Sequence[Gate] = ()
    remote: str | None = None
    ask_remote: bool = True
    plots: bool = True


def report(
    project: "Project",
    old: str | None = None,
    new: str | None = None,
    *,
    wanted: Wanted = Wanted(),  # noqa: B008 - a value, never changed
    environ: Mapping[str, str] | None = None,
    events: Sink = silent,
) -> Report:
    """Compare two moments of a project.

    Args:
        project: Whose.
        old: A revision; None for the merge base (see `sides`).
        new: A revision, or ``workspace``; None for the workspace.
        wanted: What to tell.
        environ: Where a pull request tells its target.
        events: Hears hashing and the asking of the remote.

    Raises:
        NoHistoryError, UnknownRevisionError, NoMergeBaseError: there is nothing to compare.
        InvalidFileError: a pipeline or pointer file of one of the moments cannot be understood.
        CycleError: the stages of the new side wait for each other.
    """
    before, after = sides(project, old, new, environ or {})
    first, second = (Moment(project, load_tracked(project, side.commit)) for side in (before, after))
    graph = build_graph(second.tracking)
    stages, same = stage_changes(project, _stages(first), _stages(second, graph))
    manifests = Manifests(project, ask=wanted.ask_remote, remote=wanted.remote, events=events)
    data, pairs = data_changes(first.tracking, second.tracking, manifests)
    tables = tables_of(project, pairs)
    names = [_name(before), _name(after)]
    measured = metrics.show(project, revs=names, keep_workspace=True)
    chosen = params.show(project, revs=names, keep_workspace=True)
    problems = [*_problems("metrics", measured), *_problems("parameters", chosen)]
    goals = {**declared_goals(second.tracking.owners), **wanted.goals}
    olds, news = (measured.get(name, Values({})) for name in names)
    late = due(project, second, graph)
    remote = _on_remote(project, after, wanted, events) if wanted.ask_remote else None
    runs = list(locked(second, _stages(second, graph).values()))
    gates = [check_state(gate, late, remote) or check(gate, olds, news) for gate in wanted.gates]
    return Report(
        old=before,
        new=after,
        stages=stages,
        same_stages=same,
        due=late,
        params=_values(compare(chosen, names[0], names[1]), {}),
        metrics=_values(compare(measured, names[0], names[1], unchanged=True), goals),
        data=data,
        tables=tables.changes,
        tables_left=tables.left,
        absent_tables=tables.absent,
        graph=_drawn(graph),
        plots=_plots(project, before, after) if wanted.plots else (),
        remote=remote,
        gates=tuple(gates),
        problems=tuple(dict.fromkeys(problems)),
        undeclared=undeclared_of(project, runs),
        verified=verified_of(project, runs),
    )


def _name(side: Side) -> str:
    return side.commit or WORKSPACE


def _stages(moment: Moment, graph: Graph | None = None) -> dict[str, Owner]:
    """The stages by name; given the graph, in the order of the pipeline."""
    owners = moment.tracking.owners if graph is None else graph.of(postorder(graph))
    return {owner.addressing: owner for owner in owners if owner.is_stage}


def _drawn(graph: Graph) -> Picture:
    names = {key: owner.addressing for key, owner in graph.owners.items()}
    edges = tuple((names[maker], names[key]) for key in names for maker in graph.makers[key])
    return Picture(tuple(names.values()), edges)


def _values(found: Differences, goals: Goals) -> tuple[ValueChange, ...]:
    return tuple(
        ValueChange(
            path,
            key,
            change.get("old"),
            change.get("new"),
            change.get("diff"),
            verdict(goals, path, key, change.get("diff")),
        )
        for path, changes in sorted(found.files.items())
        for key, change in sorted(changes.items())
    )


def _problems(what: str, found: Mapping[str, Values]) -> list[str]:
    told = [f"{what}: {values.error.message}" for values in found.values() if values.error is not None]
    return told + [
        f"{what}: {file.error.message}"
        for values in found.values()
        for file in values.files.values()
        if file.error is not None
    ]


def _plots(project: "Project", old: Side, new: Side) -> "tuple[Plot, ...]":
    """The plots that are not the same at both moments."""
    from fourfold.pipeline.plots.collect import collect  # noqa: PLC0415 - many projects have none

    found = collect(project, revs=[old.name, new.name])
    return tuple(plot for plot in found if _shown(plot, old.name) != _shown(plot, new.name))


def _shown(plot: "Plot", rev: str) -> list[Any]:
    if plot.is_image:
        return [picture.data for picture in plot.images if picture.rev == rev]
    return [{key: value for key, value in row.items() if key != "rev"} for row in plot.rows_of(rev)]


def _on_remote(project: "Project", side: Side, wanted: Wanted, events: Sink) -> OnRemote:
    scope = NO_REVISIONS if side.commit is None else Scope(revs=(side.commit,), workspace=False)
    try:
        found = remote_status(project, remote=wanted.remote, scope=scope, events=events)
    except NoRemoteError:
        return OnRemote(problem="there is no default remote")
    except FourfoldError as error:  # its message may name places of this machine: the code does not
        return OnRemote(problem=f"the remote could not be asked ({error.code})")
    return OnRemote(
        tuple(sorted(found.remotes)),
        found.total,
        tuple(sorted(path for path, state in found.states.items() if state in {"new", "missing"})),
    )
