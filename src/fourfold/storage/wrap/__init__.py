"""Behaviour added by wrapping a blob store: retry, read-only, throttle, faults."""
