"""The same model and code behind other servers: `make bench PEERS=1`.

A peer is `<name>.py`, its server, and `<name>.txt`, what it needs beside the standard library. It runs in an
environment of its own, so nothing that is imported on its way may need more than that.
"""
