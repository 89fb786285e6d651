"""The leaf of the house: models, SQL, the event catalogue and the outbox."""
