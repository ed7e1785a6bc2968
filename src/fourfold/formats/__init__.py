"""Bytes to values and back, one folder a format; no input or output of any kind."""
