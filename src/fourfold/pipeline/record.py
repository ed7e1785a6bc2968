"""Recording a stage as it is, without running it: what ``commit`` needs to know of pipelines."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fourfold.base.events import Sink, silent
from fourfold.pipeline.recorder import Recorder
from fourfold.project.changes import Examiner
from fourfold.project.commit import StageRecorder
from fourfold.project.nativelock import lock_path
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
        recorder = Recorder(project, op, relink=relink, events=events)
        done = recorder.record(owner, examiner, remember=insisted)
        if not os.path.lexists(lock_path(owner.file)):
            return done.files
        from fourfold.pipeline.witness import Witness  # noqa: PLC0415 - where nothing was observed, not loaded

        return (*done.files, *Witness(project, op, events=events).restored(done.owner, done.files))

    return record
