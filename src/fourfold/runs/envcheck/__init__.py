"""Every byte of an environment against what was installed and locked: ``ff env check``, ``ff env lock``.

What each run asks, names and versions, is `fourfold.runs.lockcheck`; what is installed is listed by
`fourfold.runs.environment`.
"""
