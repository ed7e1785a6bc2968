"""What runs inside of the processes of a stage: this folder goes first on their ``PYTHONPATH``.

Nothing here may need anything of the package but its neighbours, by their short names. Who sends it there
is `fourfold.runs.injection`.
"""
