"""Statistics that verdicts rest on: pure, in plain Python; numbers in, numbers out."""
