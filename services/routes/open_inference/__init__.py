"""The Open Inference Protocol, version 2: the graphs themselves, as tensors."""
