"""Formats that are ours: run records and their parts, ``fourfold.lock``. Bytes to values, without I/O."""
