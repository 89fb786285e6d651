"""The suite of suggestions."""
