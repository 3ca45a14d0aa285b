"""Running models: queues, batches and rows, threads, and ONNX Runtime's sessions."""
