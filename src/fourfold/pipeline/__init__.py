"""Stages of dvc.yaml: load, graph, changes, plan, execute, run-cache."""
