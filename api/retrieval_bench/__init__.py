"""What retrieval does beside its limits: one table of many owners, searched in every known way."""
