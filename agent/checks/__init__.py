"""Pure rules that judge what the model said: overlap of goals, the graph of tasks, the verdict."""
