"""Behaviour added by wrapping a blob store: retry and faults."""
