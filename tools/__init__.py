"""The verbs of the product; HTTP, command line, agent and evals call the same ones."""
