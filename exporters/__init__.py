"""How a graph is made and proven. torch, torchvision and transformers live here and nowhere else."""
