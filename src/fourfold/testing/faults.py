"""Stores that fail on purpose, for tests: see `fourfold.storage.wrap.faults`."""

from fourfold.storage.wrap.faults import Fault, Faulty

__all__ = ["Fault", "Faulty"]
