"""The suite of verdicts."""
