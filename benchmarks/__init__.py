"""How near the server comes to what the machine can do: `make bench`. Figures are ratios within one run."""

import os

# Before ONNX Runtime is first imported, in this process and in every server that it starts: from 1.29 on, its
# builds for Linux report to their makers, in threads of their own, which would also be measured.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
