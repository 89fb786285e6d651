"""Programs that are run, away from this process."""
