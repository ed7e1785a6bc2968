"""Environments against their locks, by names and versions: `fact`, asked at every run.

Every byte of an environment is `fourfold.runs.envcheck`.
"""

from fourfold.runs.lockcheck.verdict import fact

__all__ = ["fact"]
