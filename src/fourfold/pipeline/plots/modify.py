"""Change how an output is drawn: its entry in ``dvc.yaml``, comments and order kept."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError
from fourfold.base.events import Sink, silent
from fourfold.base.suggest import did_you_mean
from fourfold.formats.dvc import stages
from fourfold.formats.dvc.pointer import Output
from fourfold.pipeline.plots.definitions import PROPERTIES
from fourfold.pipeline.plots.templates import find
from fourfold.project.files import load_tracked, read_owner_file
from fourfold.project.freeze import OwnerGoneError, TemplatedStageError
from fourfold.project.locks import project_lock
from fourfold.project.oplog import operation
from fourfold.project.outs import Tracked
from fourfold.project.staging import Staged, stage_changes

if TYPE_CHECKING:
    from fourfold.project.project import Project


class PlotOutputNotFoundError(NotFoundError):
    """No stage and no pointer file has that path as an output."""

    code = "plot-output-not-found"


class NotAPlotError(ConflictError):
    """A property is to be taken from an output that is no plot."""

    code = "not-a-plot"


class PointerPlotError(ConflictError):
    """The output belongs to a pointer file, whose format has no place for properties of a plot."""

    code = "plot-of-a-pointer-file"


class PlotPropertyNotSetError(NotFoundError):
    """A property is to be taken from a plot that does not have it."""

    code = "plot-property-not-set"


class Modified(NamedTuple):
    """What `modify` did.

    Attributes:
        out: The output.
        props: How it is drawn now.
        staged: What belongs into the next commit.
    """

    out: Tracked
    props: Mapping[str, Any]
    staged: Staged


def modify(
    project: "Project",
    target: str,
    props: Mapping[str, Any],
    unset: Sequence[str] | None = None,
    *,
    events: Sink = silent,
) -> Modified:
    """Set and take away properties of the plot that is an output; an output that was none becomes one.

    Args:
        project: Whose.
        target: The output's path, as typed.
        props: Properties to set, of `definitions.PROPERTIES`.
        unset: Properties to take away.
        events: Hears nothing: this is quick.

    Raises:
        PlotOutputNotFoundError: there is no such output.
        PointerPlotError: it belongs to a pointer file. (DVC writes there what it then cannot read.)
        NotAPlotError, PlotPropertyNotSetError: what is to be taken away is not there.
        TemplateNotFoundError: there is no such template.
        TemplatedStageError: the stage comes from a template of ``dvc.yaml``.
        RepositoryLockedError: another process works on the project.
    """
    del events
    if props.get("template"):
        find(project, str(props["template"]), trusted=True)
    with project_lock(project), operation(project, "plots modify", [target]) as op:
        out = _output(project, target)
        now = _changed(out, props, unset)
        data = _bytes(project, out, out.output._replace(plot=now or True))
        op.write(out.file, data)
    return Modified(out, now, stage_changes(project, [out.file]))


def _output(project: "Project", target: str) -> Tracked:
    path = project.relpath(project.absolute(target))
    outs = load_tracked(project).outs
    for out in outs:
        if out.relpath == path:
            return out
    raise PlotOutputNotFoundError(
        f"no stage has the output '{target}'",
        hint=did_you_mean(path, [out.relpath for out in outs], "see which there are: ff stage list"),
    )


def _changed(out: Tracked, props: Mapping[str, Any], unset: Sequence[str] | None) -> dict[str, Any]:
    if not out.output.plot and unset is not None:
        raise NotAPlotError(
            f"'{out.relpath}' is not a plot", hint=f"make it one: ff plots modify {out.relpath} -x FIELD"
        )
    now = dict(out.output.plot) if isinstance(out.output.plot, Mapping) else {}
    missing = [name for name in unset or () if name not in now]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise PlotPropertyNotSetError(
            f"the plot '{out.relpath}' does not have {names}",
            hint=did_you_mean(missing[0], list(now), f"properties are: {', '.join(PROPERTIES)}"),
        )
    return {**{key: value for key, value in now.items() if key not in (unset or ())}, **props}


def _bytes(project: "Project", out: Tracked, changed: Output) -> bytes:
    """The file of the output's owner with the entry changed."""
    owner = out.owner
    old = read_owner_file(project.root, owner.file)
    if old is None:
        raise OwnerGoneError(f"'{owner.relpath}' is not there any more")

    def changes(outs: Sequence[Output]) -> tuple[Output, ...]:
        return tuple(one._replace(plot=changed.plot) if one.path == changed.path else one for one in outs)

    if not owner.is_stage:
        raise PointerPlotError(
            f"'{out.relpath}' is not the output of a stage: '{owner.relpath}' cannot say how it is drawn",
            hint="write it into 'dvc.yaml', at the top, under: plots",
        )
    spec = stages.parse(old, owner.relpath).stages.get(owner.name or "")
    if spec is None or spec.templated:
        raise TemplatedStageError(
            f"stage '{owner.name}' of '{owner.relpath}' comes from a template",
            hint="change the template by hand",
        )
    return stages.update(old, spec._replace(outs=changes(spec.outs)), owner.relpath)
