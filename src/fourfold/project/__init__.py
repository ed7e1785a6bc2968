"""A DVC-compatible project on disk; one verb a file."""
