"""Runs run again in boxes: the worktree, the bytes of then, the environment, the recipe, the run itself."""
