"""The command line `ekiben`; needs the extra `cli`."""

from __future__ import annotations

import sys

from ekiben_client.cli.exits import SERVER


def main() -> None:
    try:
        from ekiben_client.cli.commands import ekiben
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich", "PIL"):
            raise
        sys.stderr.write(f"ekiben: {error.name} is not installed; pip install 'ekiben-client[cli]' brings it\n")
        sys.exit(SERVER)
    ekiben(prog_name="ekiben")
