"""Running a stepwise model: rows that share decoder steps, join between them, and leave when they are done.

A `Batch` holds the tensors of its rows stacked along the batch axis, so that a step copies nothing but its
own ids: the decoder's outputs are the next step's inputs. Only where rows join or leave are they copied; of
context whose size is fixed, which is most of it (18 MB a row for the smallest Whisper), only what is new or has
to move. Rows of different lengths along an axis that has a mask are padded to the longest; the mask says which
places are real, so padding may lie anywhere, and where many places are padding for every row they are cut out when
rows leave.

A decoder on a device of its own keeps state and context there between joins and leaves (`BoundGraph`), which go
through the host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from models.model import BATCH, Graph, Stepwise, Tensor
from models.task import Array, Item, TokenSearch


class BoundGraph(Protocol):
    """A decoder with the tensors of one batch, which stay on its device from step to step."""

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """The outputs that are no state, by name. Where it raises, the state is what it was before."""

    def shape(self, name: str) -> Sequence[int]:
        """The shape of a state's input, as the last run has left it."""

    def release(self) -> Mapping[str, Array]:
        """The state, by its inputs' names, as the last run has left it; nothing before the first. There is no run
        after this: the device keeps nothing."""


class RunsGraph(Protocol):
    """What a session is to this module."""

    def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        """The outputs in the order in which the graph declares them."""

    def bind(self, tensors: Mapping[str, Array], state: Mapping[str, str]) -> BoundGraph | None:
        """Runs for which `tensors` stay where the graph runs, and its outputs `state` become its inputs of these
        names there; None where that is the host, and nothing would travel."""
        return None


@dataclass(eq=False)
class Row:
    """One item on its way through the decoder."""

    item: Item
    search: TokenSearch
    token: int = 0
    position: int = 0
    error: BaseException | None = None
    done: bool = False

    def choose(self, logits: Array) -> None:
        """Let the search choose from logits `[step, vocabulary]`; its error is this row's alone."""
        try:
            token = self.search.choose(logits)
        except BaseException as error:  # whatever it is, it is not the end of the other rows
            self.error, self.done = error, True
            return
        self.position += len(logits)
        self.done = token is None
        self.token = token or 0


@dataclass(eq=False)
class Batch:
    """Rows that share steps: their state, context and masks, stacked."""

    rows: list[Row]
    tensors: dict[str, Array]
    masks: dict[str, Array]
    """By axis: `[batch, length]`, 1 where a row has something of its own."""
    buffers: dict[str, Array] = field(default_factory=dict)
    """Where tensors of fixed size lie, with room for more rows behind them."""
    bound: BoundGraph | None = None
    """What has the tensors on a device; meanwhile the state among `tensors` is that of before."""

    def unbind(self) -> None:
        """Take the state back from the device; of the context there is no need."""
        if self.bound is not None:
            self.tensors |= self.bound.release()
            self.bound = None


class StepwiseModel:
    """The arithmetic of one stepwise model; it waits for nobody and knows no queue."""

    def __init__(self, protocol: Stepwise, encoder: RunsGraph, decoder: RunsGraph) -> None:
        self._protocol = protocol
        self._encoder = encoder
        self._decoder = decoder
        decoder_inputs = {tensor.name: tensor for tensor in protocol.decoder.inputs}
        self._state = {output: decoder_inputs[name] for output, name in protocol.state.items()}
        self._kept = [*self._state.values(), *protocol.context]
        self._movable = {each.name for each in self._kept if each.batch_axis == 0}
        self._fixed = {each.name for each in protocol.context if each.batch_axis == 0 and not each.varying}
        self._dtype = {tensor.name: np.dtype(tensor.dtype) for tensor in protocol.decoder.inputs}

    def shape(self, item: Item) -> tuple[object, ...]:
        """Items of equal shape can be encoded together: all but the axes that have a mask, and the prompt's length."""
        if item.search is None:
            return item.graph, id(item)  # a graph by itself has no company
        if not self._protocol.shared:
            return (id(item),)
        sizes: list[object] = [len(item.search.prompt)]
        for tensor in self._protocol.encoder.inputs:
            if tensor.name in item.inputs:
                actual = zip(tensor.item_axes, item.inputs[tensor.name].shape, strict=True)
                sizes.extend(size for axis, size in actual if axis not in self._protocol.masks)
        return tuple(sizes)

    def run(self, item: Item) -> Mapping[str, Array]:
        """An item without a search is one run of the graph that it names, on tensors with their batch axis."""
        protocol = self._protocol
        graph, session = (
            (protocol.encoder, self._encoder)
            if item.graph == protocol.encoder.name
            else (protocol.decoder, self._decoder)
        )
        return _named(graph, session.run(item.inputs))

    def start(self, items: Sequence[Item]) -> Batch:
        """Encode items of one shape and feed the decoder their prompts, but for what the next step will feed it.

        A prompt of one token is left to the step, which rows share: alone it would cost as much as a whole step.
        """
        rows = [Row(item, item.search) for item in items if item.search is not None]
        inputs, masks = self._encoder_inputs(items)
        encoded = _named(self._protocol.encoder, self._encoder.run(inputs))
        context = self._protocol.context
        tensors = {tensor.name: encoded[tensor.name].astype(tensor.dtype, copy=False) for tensor in context}
        tensors |= {tensor.name: _empty_state(tensor, len(rows)) for tensor in self._state.values()}
        for tensor in self._kept:
            for axis, place in tensor.varying.items():
                masks.setdefault(axis, np.ones((len(rows), tensors[tensor.name].shape[place]), np.int64))
        batch = Batch(rows, tensors, masks)
        prompts = np.array([row.search.prompt for row in rows])
        if prompts.shape[1] > 1:
            self._decode(batch, prompts)
        else:
            for row, [token] in zip(rows, prompts.tolist(), strict=True):
                row.token = token
        return batch

    def step(self, batch: Batch) -> None:
        """One token for every row of the batch."""
        self._decode(batch, np.array([[row.token] for row in batch.rows]))

    def _decode(self, batch: Batch, tokens: Array) -> None:
        protocol, rows = self._protocol, batch.rows
        if batch.bound is None:
            batch.bound = self._decoder.bind(batch.tensors, protocol.state)
        bound = batch.bound
        feeds = {
            **(batch.tensors if bound is None else {}),
            **{name: batch.masks[axis] for axis, name in protocol.masks.items()},
            protocol.tokens: tokens,
        }
        if protocol.positions is not None:
            feeds[protocol.positions] = np.array([row.position for row in rows])
        feeds = {name: array.astype(self._dtype[name], copy=False) for name, array in feeds.items()}
        if bound is None:
            outputs: Mapping[str, Array] = _named(protocol.decoder, self._decoder.run(feeds))
            batch.tensors |= {tensor.name: outputs[name] for name, tensor in self._state.items()}
        else:
            try:
                outputs = bound.run(feeds)
            except BaseException:
                batch.unbind()  # it may be memory that the device has not: the rows will be tried in halves
                raise
        for tensor in self._state.values():
            shape = batch.tensors[tensor.name].shape if bound is None else bound.shape(tensor.name)
            self._grow_masks(batch, tensor, shape)
        for row, logits in zip(rows, outputs[protocol.logits], strict=True):
            row.choose(logits)

    def _grow_masks(self, batch: Batch, tensor: Tensor, after: Sequence[int]) -> None:
        """What a step adds along an axis of the state is real for every row."""
        for axis, place in tensor.varying.items():
            mask = batch.masks[axis]
            if added := after[place] - mask.shape[1]:
                batch.masks[axis] = np.concatenate([mask, np.ones((len(mask), added), mask.dtype)], axis=1)

    def can_join(self, first: Batch, second: Batch) -> bool:
        """Rows share a step when they differ only along axes that have a mask."""
        return self._protocol.shared and all(
            axis in self._protocol.masks or mask.shape[1] == second.masks[axis].shape[1]
            for axis, mask in first.masks.items()
        )

    def join(self, batches: Sequence[Batch]) -> Batch:
        """One batch of the rows of several, padded to the longest of them; the first of them is used up."""
        for batch in batches:
            batch.unbind()
        first = batches[0]
        lengths = {axis: max(batch.masks[axis].shape[1] for batch in batches) for axis in first.masks}
        masks = {
            axis: np.concatenate([_pad(batch.masks[axis], 1, length) for batch in batches])
            for axis, length in lengths.items()
        }
        tensors, buffers = {}, {}
        for tensor in self._kept:
            if tensor.name in self._fixed:
                parts = [batch.tensors[tensor.name] for batch in batches]
                buffers[tensor.name], tensors[tensor.name] = _append(first.buffers.get(tensor.name), parts)
                continue
            parts = []
            for batch in batches:
                array = batch.tensors[tensor.name]
                for axis, place in tensor.varying.items():
                    array = _pad(array, place, lengths[axis])
                parts.append(array)
            tensors[tensor.name] = np.concatenate(parts, axis=tensor.batch_axis)
        return Batch([row for batch in batches for row in batch.rows], tensors, masks, buffers)

    def leave(self, batch: Batch, places: Sequence[int]) -> Batch:
        """A batch of the rows that stay, in another order; `batch` is used up.

        What stays behind the end of the new batch moves to where rows have left, so that the others need not be
        copied.
        """
        batch.unbind()  # before rows move in arrays that may be bound
        order = list(range(len(places)))
        movers = [place for place in places if place >= len(places)]
        for hole in sorted(set(order) - set(places)):
            order[hole] = movers.pop()
            for name in self._movable:
                batch.tensors[name][hole] = batch.tensors[name][order[hole]]
        return self._select(batch, order, in_place=True)

    def keep(self, batch: Batch, places: Sequence[int]) -> Batch:
        """A batch of some of its rows, without what was padding for all of them."""
        batch.unbind()
        return self._select(batch, places, in_place=False)

    def _select(self, batch: Batch, places: Sequence[int], *, in_place: bool) -> Batch:
        masks = {axis: mask[places] for axis, mask in batch.masks.items()}
        used = {axis: np.flatnonzero(masks[axis].any(axis=0)) for axis in self._protocol.masks if axis in masks}
        # Less than an eighth is not worth the copy of all the rest.
        enough = 7 / 8 if in_place else 1.0
        used = {axis: columns for axis, columns in used.items() if len(columns) < enough * masks[axis].shape[1]}
        tensors = {}
        for tensor in self._kept:
            if in_place and tensor.name in self._movable and not used.keys() & tensor.varying.keys():
                tensors[tensor.name] = batch.tensors[tensor.name][: len(places)]
                continue
            array = batch.tensors[tensor.name].take(places, axis=tensor.batch_axis)
            for axis, place in tensor.varying.items():
                if axis in used:
                    array = array.take(used[axis], axis=place)
            tensors[tensor.name] = array
        masks |= {axis: masks[axis][:, columns] for axis, columns in used.items()}
        rows, buffers = [batch.rows[place] for place in places], batch.buffers if in_place else {}
        return Batch(rows, tensors, masks, buffers)

    def _encoder_inputs(self, items: Sequence[Item]) -> tuple[dict[str, Array], dict[str, Array]]:
        """The items' inputs, padded and stacked, and the masks that go with them."""
        inputs: dict[str, Array] = {}
        masks: dict[str, Array] = {}
        mask_names = {name: axis for axis, name in self._protocol.masks.items()}
        for tensor in self._protocol.encoder.inputs:
            if tensor.name in mask_names:
                continue
            arrays = [item.inputs[tensor.name] for item in items]
            for place, axis in enumerate(tensor.item_axes):
                if isinstance(axis, str):
                    lengths = [array.shape[place] for array in arrays]
                    arrays = [_pad(array, place, max(lengths)) for array in arrays]
                    masks[axis] = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
            inputs[tensor.name] = np.stack(arrays, axis=tensor.batch_axis)
        for tensor in self._protocol.encoder.inputs:
            if tensor.name in mask_names:
                inputs[tensor.name] = masks[mask_names[tensor.name]].astype(tensor.dtype)
        return inputs, masks


def _named(graph: Graph, arrays: Sequence[Array]) -> dict[str, Array]:
    return {tensor.name: array for tensor, array in zip(graph.outputs, arrays, strict=True)}


def _empty_state(tensor: Tensor, rows: int) -> Array:
    """Zeros, with length 0 along the axes that grow."""
    sizes = [rows if axis == BATCH else 0 if isinstance(axis, str) else axis for axis in tensor.axes]
    return np.zeros(sizes, tensor.dtype)


def _append(buffer: Array | None, parts: Sequence[Array]) -> tuple[Array, Array]:
    """Arrays one behind the other in a buffer, of which the first is the beginning already; and that part of it.

    Without a buffer that is large enough there is a new one, with room to double.
    """
    rows = sum(len(part) for part in parts)
    written = len(parts[0])
    if buffer is None or len(buffer) < rows:
        room = 2 ** (rows - 1).bit_length()
        buffer = np.empty((room, *parts[0].shape[1:]), parts[0].dtype)
        buffer[:written] = parts[0]
    for part in parts[1:]:
        buffer[written : written + len(part)] = part
        written += len(part)
    return buffer, buffer[:rows]


def _pad(array: Array, axis: int, length: int) -> Array:
    missing = length - array.shape[axis]
    if not missing:
        return array
    widths = [(0, missing if place == axis else 0) for place in range(array.ndim)]
    return np.pad(array, widths)
