"""How a stage is started so that what runs inside of it (`inject/`) is there: additions to its environment.

What is planned for its randomness is `randomness`; what traces it adds its own.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fourfold.runs.randomness import Plan
    from fourfold.runs.task import Task

#: The folder that goes first on ``PYTHONPATH``.
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject")
#: Tells processes of a run where they meet and leave their reports.
RUN_DIR = "FOURFOLD_RUN_DIR"


def environment(task: "Task", plan: "Plan", scratch: str) -> dict[str, str]:
    """What is added to the environment of a task.

    Args:
        task: What is about to run.
        plan: What is planned for its randomness.
        scratch: The folder for reports.
    """
    path = task.environ.get("PYTHONPATH", "")
    # A run inside of a run: its processes report to the inner one, and find the folder once.
    entries = [entry for entry in path.split(os.pathsep) if entry != FOLDER] if path else []
    return {
        **plan.environ,
        "PYTHONPATH": os.pathsep.join([FOLDER, *entries]),
        RUN_DIR: scratch,
        # Names of processes begin anew.
        **({"FOURFOLD_WORKER": ""} if task.environ.get("FOURFOLD_WORKER") else {}),
    }
