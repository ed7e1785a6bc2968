"""Lock files of environments, of every tool, as one value (`model.Locked`). Bytes to values, without I/O."""
