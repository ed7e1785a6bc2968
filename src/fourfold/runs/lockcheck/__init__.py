"""Environments against their locks: `fact` for each run, `check` for every byte, and writing one."""

from fourfold.runs.lockcheck.verdict import fact

__all__ = ["fact"]
