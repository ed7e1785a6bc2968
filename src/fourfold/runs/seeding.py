"""`fourfold.seed_everything`: for programs that prefer a call to being seeded from outside.

The derivation, and what is done to each library, are those of a run (`inject`); it works without one, too.
"""

import sys
from typing import Any

from fourfold.base.errors import UsageError
from fourfold.runs.declared import SEEDS


class SeedRangeError(UsageError):
    """A seed is a whole number from 0 to 2**63 - 1."""

    code = "seed-out-of-range"


def seed_everything(seed: int | None = None, *, workers: bool = True) -> int:
    """Seed Python's `random`, NumPy, Polars, PyTorch and TensorFlow: what is imported, and what will be.

    Each process gets seeds of its own: they follow from the seed, the rank that a launcher gave it
    (``RANK``, ``SLURM_PROCID`` and their like), and the process of `multiprocessing` that it is. Generators
    made without a seed afterwards, by `numpy.random` and `random.Random`, get one that follows from it too.
    Hashes of strings cannot be fixed any more: that is for ``PYTHONHASHSEED``, before Python starts.

    Args:
        seed: 0 to 2**63 - 1. Without one: that of the run which this is part of (``FOURFOLD_SEED``); if
            there is none, one is drawn.
        workers: Whether children that are forked get a seed of their own for `random`; Python would
            take one from the system.

    Returns:
        The seed.

    Raises:
        SeedRangeError: the seed is out of range.
    """
    inside = _inside()
    if seed is None:
        seed = inside.environment_seed()
    if seed is None:
        import secrets  # noqa: PLC0415 - seldom

        seed = secrets.randbelow(2**32)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < SEEDS:
        raise SeedRangeError(f"seed must be a whole number from 0 to {SEEDS - 1}, not {seed!r}")
    inside.everything(seed, workers)
    return seed


def _inside() -> Any:
    """What seeds libraries: that of the run, where it is in this process already."""
    injected = sys.modules.get("_fourfold_seeds")
    if injected is not None:
        return injected
    from fourfold.runs.inject import _fourfold_seeds  # noqa: PLC0415 - not in a process of a run

    return _fourfold_seeds
