"""The export in a session of one thread, as our own server opens it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.pictures.image import Pixels


class Graph:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.log_severity_level = 3
        path = os.environ["PEER_GRAPH"]
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, batch: Sequence[Pixels]) -> NDArray[np.float32]:
        """Crops → probabilities `[batch, 1000]`."""
        # A batch of one is not copied.
        images = np.stack(batch) if len(batch) > 1 else batch[0][None]
        probabilities: NDArray[np.float32] = self._session.run(["probabilities"], {"image": images})[0]
        return probabilities
