"""How tasks are served: nothing in here knows a task or a model by name."""
