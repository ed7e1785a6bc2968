"""Plots: which ones a moment has, their rows, DVC's Vega-Lite of them, and our own drawings."""
