"""What the demos of pictures and videos are made of."""
