"""How a graph is made and proven. torch, torchvision and transformers live here and nowhere else."""

import os

# What is exported is nobody else's business; both have to be said before the libraries are imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
