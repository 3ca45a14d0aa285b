"""Tensors that stay on a device from one run of a graph to the next: ONNX Runtime's IOBinding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnxruntime

from models.task import Array


class Binding:
    """One graph, bound to tensors that stay on its device; its outputs `state` become its inputs of these names there.

    What is uploaded lies in the session's own arena, whose size is bounded; an `OrtValue` that is made of an array
    would lie in one beside it, which is not. Where the graph itself wants an input on the CPU (all of them on a CPU,
    and on a GPU those of nodes that have no kernel there) it is the array itself, which must not change while it is
    bound.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, tensors: Mapping[str, Array], state: Mapping[str, str]
    ) -> None:
        self._session = session
        wanted = zip(session.get_inputs(), session.get_input_memory_infos(), strict=True)
        on_cpu = {each.name for each, memory in wanted if memory.name == "Cpu"}
        self._outputs = {
            each.name: "cpu" if each.name not in state or state[each.name] in on_cpu else "cuda"
            for each in session.get_outputs()
        }
        self._inputs_of = state
        self._state: dict[str, onnxruntime.OrtValue] = {}
        self._io = session.io_binding()
        for name, array in tensors.items():
            self._upload(name, array)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs that are no state, by name. Where it raises, the state is what it was before."""
        for name, array in inputs.items():
            self._upload(name, array)
        # An output that is bound to a device gets its memory there in the run; one that still had its memory of the
        # last run, which is an input by now, would be written to.
        for name, device in self._outputs.items():
            self._io.bind_output(name, device)
        try:
            self._session.run_with_iobinding(self._io)
            outputs = dict(zip(self._outputs, self._io.get_outputs(), strict=True))
        finally:
            self._io.clear_binding_outputs()
        results = {name: self._download(name, each) for name, each in outputs.items() if name not in self._inputs_of}
        self._state = {name: outputs[output] for output, name in self._inputs_of.items()}
        for name, each in self._state.items():
            self._io.bind_ortvalue_input(name, each)
        return results

    def shape(self, name: str) -> Sequence[int]:
        """The shape of a state's input, as the last run has left it."""
        shape: Sequence[int] = self._state[name].shape()
        return shape

    def release(self) -> dict[str, Array]:
        """The state, by its inputs' names, as the last run has left it; nothing before the first. There is no run
        after this: the device keeps nothing, whoever still has the binding (as an error's traceback does)."""
        state = {name: self._download(name, each) for name, each in self._state.items()}
        self._state.clear()
        self._io.clear_binding_inputs()
        return state

    # All that passes between the host and the device.

    def _upload(self, name: str, array: Array) -> None:
        self._io.bind_cpu_input(name, array)

    def _download(self, name: str, value: onnxruntime.OrtValue) -> Array:
        array: Array = value.numpy()
        return array
