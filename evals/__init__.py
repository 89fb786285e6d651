"""Measures of quality, run on fixtures."""
