"""What a result hangs on: a run replayed with one circumstance otherwise each time, and what came of it."""
