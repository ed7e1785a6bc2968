"""Evidence to take away: a run in the words of others, one module a format; what is said is `dossier`."""
