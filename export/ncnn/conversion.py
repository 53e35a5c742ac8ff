"""From an ONNX graph of one image to an ncnn network.

Each operator has a function of its own in ``export.ncnn.operators``; they are called in order of execution with the
:class:`Conversion`, which holds what is known so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eamdeploy.base.errors import UsageError
from export.ncnn.graph import OnnxNode, OnnxSource
from export.ncnn.network import Array, NcnnNetwork, NcnnWeights
from export.ncnn.values import NcnnValue, sizes, without_batch
from runtimes.readers.ncnn_file import Parameter

Operator = Callable[["Conversion", OnnxNode], None]
MOST_DIMENSIONS = 4


class Conversion:
    """One conversion in progress.

    Attributes:
        source: the ONNX graph.
        network: the ncnn network as far as it is.
        channel_window: channels are picked out of an aligned window of so many, so that ncnn need not bring the whole
            map into another layout for each of them: the most channels that it keeps side by side on the target.
    """

    def __init__(self, model: Any, *, channel_window: int) -> None:
        self.source = OnnxSource(model)
        self.network = NcnnNetwork()
        self.channel_window = channel_window
        self._values: dict[str, NcnnValue] = {}
        self._used_names: set[str] = set()
        self._fused: set[str] = set()

    def run(self) -> NcnnNetwork:
        """Convert everything.

        Raises:
            UsageError: the graph has an operator, or a tensor, that ncnn has not.
        """
        from export.ncnn.operators import OPERATORS

        for name in self.source.inputs:
            self.define(name, name)
            self.network.add("Input", name, (), (name,), parameters=sizes(self._values[name].dims))
        for node in self.source.nodes:
            if node.outputs[0] in self._fused:
                continue
            if node.kind not in OPERATORS:
                raise UsageError(
                    f"ncnn has no operator for ONNX's {node.kind}", where=node.name, hint="use another `lowering`"
                )
            OPERATORS[node.kind](self, node)
        for name in self.source.outputs:
            blob = self.natural(name)
            if blob != name:
                # a split into one part hands the blob on under another name
                self.network.add("Split", self.unused(f"{name}/output"), (blob,), (name,))
        return self.network

    def unused(self, name: str) -> str:
        """``name``, or with a number where it is taken: of a layer or blob that ONNX does not have."""
        candidate, count = name, 1
        while candidate in self._used_names:
            count += 1
            candidate = f"{name}_{count}"
        self._used_names.add(candidate)
        return candidate

    def is_constant(self, name: str) -> bool:
        """Whether a tensor is known now."""
        return name in self.source.constants

    def value(self, name: str) -> NcnnValue:
        """A computed tensor."""
        return self._values[name]

    def natural(self, name: str) -> str:
        """The blob of a computed tensor, in its natural dimensions."""
        value = self._values[name]
        return self.in_dims(value, value.natural)

    def define(self, name: str, blob: str, dims: Sequence[int] | None = None) -> None:
        """Say which blob holds the tensor ``name``, and in which dimensions where they are not the natural ones."""
        shape = self.source.shapes.get(name)
        if shape is None or not all(shape):
            raise UsageError("a tensor's size is not known before the run", where=name, hint="export at a fixed batch")
        if len(without_batch(shape)) > MOST_DIMENSIONS:
            raise UsageError(f"ncnn has no tensors of {len(shape)} dimensions", where=name)
        self._values[name] = NcnnValue(blob, shape, without_batch(shape) if dims is None else tuple(dims))

    def layer(
        self,
        kind: str,
        node: OnnxNode,
        inputs: Sequence[str],
        parameters: dict[int, Parameter] | None = None,
        weights: Sequence[NcnnWeights] = (),
        *,
        output: str | None = None,
        dims: Sequence[int] | None = None,
    ) -> None:
        """Add the layer that computes ``node``'s only output (or ``output``, which it has fused), under its name.

        ``dims`` are the blob's where they are not the natural ones.
        """
        name = output or node.outputs[0]
        self.network.add(kind, node.name, inputs, (name,), parameters=parameters, weights=weights)
        self.define(name, name, dims)

    def helper(
        self,
        kind: str,
        name: str,
        inputs: Sequence[str],
        parameters: dict[int, Parameter],
        weights: Sequence[NcnnWeights] = (),
    ) -> str:
        """Add a layer that ONNX has no tensor for; returns its blob."""
        blob = self.unused(name)
        self.network.add(kind, blob, inputs, (blob,), parameters=parameters, weights=weights)
        return blob

    def constant_blob(self, name: str, dims: Sequence[int] | None = None) -> str:
        """A constant as a blob, in the dimensions given or in its own without the batch."""
        values = self.source.constant(name)
        blob_shape = tuple(dims) if dims is not None else without_batch(tuple(values.shape)) or (1,)
        return self.helper("MemoryData", f"{name}/constant", (), sizes(blob_shape), (NcnnWeights(values),))

    def in_dims(self, value: NcnnValue, dims: Sequence[int]) -> str:
        """The blob of ``value`` in other dimensions of as many elements."""
        if value.dims == tuple(dims):
            return value.blob
        return self.helper("Reshape", f"{value.blob}/{len(dims)}d", (value.blob,), sizes(dims))

    def fuse(self, node: OnnxNode) -> None:
        """Say that ``node`` is computed by the layer before it."""
        self._fused.add(node.outputs[0])


def integers(values: Array) -> list[int]:
    """A constant of indices or sizes."""
    return [int(value) for value in np.atleast_1d(values).ravel()]
