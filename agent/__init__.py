"""The LangGraph state machine and what judges its words."""
