"""How tasks are served: nothing in here knows a task or a model by name."""

import os

# What a server does is nobody else's business; both have to be said before the libraries are imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
