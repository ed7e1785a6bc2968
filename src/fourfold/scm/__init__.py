"""The only code that knows Git."""
