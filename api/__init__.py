"""The edges: settings, HTTP, the command line, and the wiring of everything below."""
