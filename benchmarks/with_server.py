"""`python -m benchmarks.with_server COMMAND…`: start a server, run a command against it, and stop the server.

`{url}` and `{pid}` in the command stand for the server's address and its first process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.serving import serving


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "log") as server:
        filled = {"{url}": server.url, "{pid}": str(server.process.pid)}
        return subprocess.run([filled.get(word, word) for word in sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
