"""`python -m evals.retrieval`: every mode of the search, compared."""

from evals.retrieval.command import main

main()
