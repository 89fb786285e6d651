"""Routes: parse, call a verb, return."""
