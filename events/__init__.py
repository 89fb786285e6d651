"""The way out: from the outbox to Parquet."""
