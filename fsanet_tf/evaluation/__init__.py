"""Metrics and reports on labeled faces."""
