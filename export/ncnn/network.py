"""An ncnn network in the making: layers with their weights, written as ``.param`` and ``.bin``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runtimes.readers.ncnn_file import FLOAT_TAG, HALF_TAG, NcnnLayer, NcnnParam, Parameter, split_shared, weights_path

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class NcnnWeights:
    """One block of a layer's weights.

    Attributes:
        values: in ncnn's order.
        tagged: whether ncnn reads a tag before them, and so can store them in float16.
    """

    values: Array
    tagged: bool = False

    def stored(self, *, half: bool) -> bytes:
        """The block as it stands in the ``.bin`` file."""
        if not self.tagged:
            return np.ascontiguousarray(self.values, dtype="<f4").tobytes()
        if half:
            content = np.ascontiguousarray(self.values, dtype="<f2").tobytes()
            return HALF_TAG + content + bytes(-len(content) % 4)
        return FLOAT_TAG + np.ascontiguousarray(self.values, dtype="<f4").tobytes()


@dataclass
class NcnnNetwork:
    """Layers in order of execution, each with its weights."""

    layers: list[tuple[NcnnLayer, tuple[NcnnWeights, ...]]] = field(default_factory=list)

    def add(
        self,
        kind: str,
        name: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        parameters: Mapping[int, Parameter] | None = None,
        weights: Sequence[NcnnWeights] = (),
    ) -> None:
        """Append a layer."""
        layer = NcnnLayer(kind, name, tuple(inputs), tuple(outputs), dict(parameters or {}))
        self.layers.append((layer, tuple(weights)))

    def write(self, param: Path, *, outputs: Sequence[str], half: bool = False) -> None:
        """Write the network to ``param`` and the ``.bin`` file beside it.

        Args:
            outputs: blobs that are the network's outputs; each gets a branch of its own that no layer reads.
            half: store weights in float16 where ncnn can.
        """
        layers = split_shared([layer for layer, _ in self.layers], outputs)
        param.write_text(NcnnParam(tuple(layers), output_blobs=tuple(outputs)).text(), encoding="utf-8")
        with weights_path(param).open("wb") as file:
            for _, blocks in self.layers:
                for block in blocks:
                    file.write(block.stored(half=half))
