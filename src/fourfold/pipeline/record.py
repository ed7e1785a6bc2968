"""Recording a stage as it is, without running it: what ``commit`` needs to know of pipelines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fourfold.base.events import Sink, silent
from fourfold.formats.dvc.stages import ParamsSpec
from fourfold.pipeline.execute import Options, Workshop
from fourfold.project.changes import Examiner
from fourfold.project.commit import StageRecorder
from fourfold.project.oplog import Operation
from fourfold.project.outs import Owner

if TYPE_CHECKING:
    from fourfold.project.project import Project


def stage_recorder(project: "Project", *, insisted: bool, events: Sink = silent) -> StageRecorder:
    """What `fourfold.project.commit.commit` calls for each stage.

    Args:
        project: Whose.
        insisted: Stages are recorded although they may have changed: DVC then remembers each as a run.
        events: Hears the phases.
    """
    examiner = Examiner(project, events)

    def record(op: Operation, owner: Owner, relink: bool) -> Sequence[str]:
        workshop = Workshop(project, op, Options(relink=relink), events=events)
        return workshop.record(_with_parameters(owner), examiner, remember=insisted).files

    return record


def _with_parameters(owner: Owner) -> Owner:
    """A stage of a template declares what its lock entry records."""
    if owner.params_wanted or not owner.params:
        return owner
    wanted = tuple(ParamsSpec(file, tuple(values)) for file, values in owner.params.items())
    return owner._replace(params_wanted=wanted)
