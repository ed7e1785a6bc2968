"""What a run's processes did, as seen from outside: files, programs, connections.

`start` is the way in: what to put before a command, and what was seen once it ended. What the facts
mean is `runs.classify`'s. The supervisor (`supervisor`, `watch`, `events`, `walls`, `kernel`, `abi`,
`ledger`) is a program of its own, which loads little and imports nothing of the engine.
"""
