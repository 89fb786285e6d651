"""The chat suite: talks of several turns with the planner, approvals among them."""
