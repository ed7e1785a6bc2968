"""Whether what is recorded and stated is so: keys, statements, and what an audit finds."""
