"""`python -m services.runner MODEL`: one model's runner by itself, for gateways on this machine or on others.

It reads the same settings as a gateway. Without `--host` only this machine can reach it.
"""

from __future__ import annotations

import argparse
import os
import sys

from services.__main__ import Signals, start

LOOPBACK = "127.0.0.1"


def main() -> int:
    signals = Signals()  # before the import, which takes its time
    from services.settings import PREFIX

    parser = argparse.ArgumentParser(prog="python -m services.runner", description=__doc__)
    parser.add_argument("model", metavar="MODEL", help="its id")
    parser.add_argument("--host", default=LOOPBACK, help=f"address to listen on (default: {LOOPBACK})")
    parser.add_argument(
        "--port", type=int, default=os.environ.get("PORT", "3001"), help="default: 3001, or the variable PORT"
    )
    options = parser.parse_args()
    if "," in options.model:
        parser.error("a runner has one model; start one for each")
    # Where gateways find their runners is nothing to a runner.
    os.environ |= {f"{PREFIX}MODELS": options.model}
    for name in ("RUNNERS", "RUNNER_URLS", "GATEWAY_WORKERS"):
        os.environ.pop(PREFIX + name, None)
    ready = f"\n{options.model} is ready for gateways on http://{options.host}:{options.port}\n"
    return start("services.lone_runner:Runner", options.host, options.port, ready, signals)


if __name__ == "__main__":
    sys.exit(main())
