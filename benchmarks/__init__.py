"""How near the server comes to what the machine can do: `make bench`. Figures are ratios within one run."""
