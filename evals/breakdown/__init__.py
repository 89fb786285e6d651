"""The suite of breakdowns."""
