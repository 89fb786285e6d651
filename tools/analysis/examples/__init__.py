"""Examples: what a task says that a program gives."""
