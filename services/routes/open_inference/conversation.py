"""How a graph is run for the Open Inference Protocol: a conversation, as tasks have them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.model import OneShot
from models.task import Array, Conversation, Item, run
from services.routes.open_inference.graphs import NamedGraph
from services.routes.open_inference.shapes import varying_cost


def infer(named: NamedGraph, inputs: Mapping[str, Array]) -> Conversation[dict[str, Array]]:
    """Run the graph with inputs that fit it: the outputs by name, batches as the caller put them together.

    Of a one-shot model every row is an item of its own, in batches with everybody's. A graph of a stepwise model is
    run once, as it is: only its protocol knows how rows share steps.
    """
    model, graph = named.model, named.graph
    if not isinstance(model.protocol, OneShot):
        batch = inputs[graph.inputs[0].name].shape[graph.inputs[0].batch_axis]
        [whole] = yield from run([Item(inputs, cost=batch * model.item_cost, graph=graph.name)])
        return dict(whole)
    rows = {tensor.name: np.moveaxis(inputs[tensor.name], tensor.batch_axis, 0) for tensor in graph.inputs}
    sizes = {
        axis: inputs[tensor.name].shape[place] for tensor in graph.inputs for axis, place in tensor.varying.items()
    }
    cost = varying_cost(sizes) if sizes else model.item_cost
    # The first graph goes without a name in items of tasks too: only then do they share its batches.
    name = None if graph is model.protocol.graph else graph.name
    columns = zip(*rows.values(), strict=True)
    answers = yield from run(Item(dict(zip(rows, row, strict=True)), cost, graph=name) for row in columns)
    return {
        tensor.name: np.stack([answer[tensor.name] for answer in answers], axis=tensor.batch_axis)
        for tensor in graph.outputs
    }
