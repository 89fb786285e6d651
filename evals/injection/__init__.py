"""Instructions in what the model reads: what the product lets them do, whoever obeys them."""
