"""The content-addressed store: objects, trees, the stat index; one verb a file."""
