"""How well the search finds: the product's own index and search, beside nearest vectors."""
