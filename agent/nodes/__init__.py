"""The nodes of the graph: the steps that every job shares, and one module for each job."""
