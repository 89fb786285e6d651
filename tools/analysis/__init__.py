"""Gather evidence on learners' code: what it says, what it does, what must not leave it."""
