"""`python -m ekiben_client`: the command line."""

from __future__ import annotations

from ekiben_client.cli import main

main()
