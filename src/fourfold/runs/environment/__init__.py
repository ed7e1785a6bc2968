"""The environment of a run: interpreter, distributions, libraries, machine, and how two of them differ.

What a process of Python told of itself (`inject/`) is joined with what our own look at the disk and the
machine shows. `distributions` and `records` know what is installed, `libraries` what was loaded, `host` the
machine, `accelerators` its GPUs, `compare` what differs. Locks are another room's.
"""

from fourfold.runs.environment.section import section

__all__ = ["section"]
