"""Reports: what differs between two moments of a project, as one value, and that value for people to read."""
