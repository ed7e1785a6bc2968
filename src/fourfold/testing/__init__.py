"""Shipped test kit: conformance suites, fault stores, fake clock, strategies, models."""
