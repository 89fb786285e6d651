"""What an agent request costs beside its model: over HTTP, against one that answers at once."""
