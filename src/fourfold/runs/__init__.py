"""Run records: what a run is observed with, what is written down of it, and what records can be asked.

A run is a stage of a pipeline or any command; this room knows no pipeline. It captures the four coordinates
(`code`, `data`, `environment/`, `randomness`), watches what the processes really do (`tracer/`, and
`inject/`, which runs inside of them), and keeps records (`store`).
"""
