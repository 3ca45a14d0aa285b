"""What a server does, from the numbers that it gives Prometheus."""
