"""Parts of tensors, and putting parts together."""

from __future__ import annotations

import math

import numpy as np

from eamdeploy.base.errors import UsageError
from export.ncnn.conversion import Conversion, integers
from export.ncnn.graph import OnnxNode
from export.ncnn.network import NcnnWeights
from export.ncnn.operators.average import AveragePair, average_at, pooled
from export.ncnn.values import NcnnValue
from runtimes.readers.ncnn_file import Parameter

_STARTS, _ENDS, _AXES = 9, 10, 11
# multiplications of a convolution that cost as much as one more crop: 12,000 instructions counted on a Cortex-A72
PICK_UP_TO = 28_000


def gather(conversion: Conversion, node: OnnxNode) -> None:
    """Entries of one axis by constant indices: a crop for every run of neighbours, joined; of a small map one convolution.

    ncnn has no gather; pnnx makes a crop of the first entry of it, and says nothing.
    """
    if not conversion.is_constant(node.inputs[1]):
        raise UsageError("ncnn has no gather by computed indices", where=node.name, hint="use another selection")
    value = conversion.value(node.inputs[0])
    axis = value.axis(node.attributes.get("axis", 0))
    if axis < 0:
        raise UsageError("a gather out of the batch is not converted", where=node.name)
    length = value.natural[axis]
    indices = [index % length for index in integers(conversion.source.constant(node.inputs[1]))]
    runs, average = _runs(indices), average_at(conversion, conversion.source.only_reader(node.outputs[0]))
    of_channels = axis == 0 and len(value.natural) == 3
    if of_channels and len(runs) > 1 and len(indices) * math.prod(value.natural) <= len(runs) * PICK_UP_TO:
        _pick(conversion, node, indices, average)
        return
    windows: dict[tuple[int, int], str] = {}
    parts = [_part(conversion, node, value, axis=axis, run=run, windows=windows) for run in runs]
    if average is not None and of_channels:
        pooled(conversion, average, parts)
    elif len(parts) == 1:
        conversion.define(node.outputs[0], parts[0])
    else:
        conversion.layer("Concat", node, parts, {0: axis})


def slice_(conversion: Conversion, node: OnnxNode) -> None:
    """A run along each of some axes."""
    constants = [integers(conversion.source.constant(name)) for name in node.inputs[1:] if name]
    starts, ends = constants[0], constants[1]
    value = conversion.value(node.inputs[0])
    axes = constants[2] if len(constants) > 2 else list(range(len(starts)))
    if len(constants) > 3 and any(step != 1 for step in constants[3]):
        raise UsageError("ncnn has no slice with steps", where=node.name, hint="use another `lowering`")
    lengths = [value.shape[axis] for axis in axes]
    bounds = [
        (max(start + length, 0) if start < 0 else min(start, length), end + length if end < 0 else min(end, length))
        for start, end, length in zip(starts, ends, lengths, strict=True)
    ]
    axis_values = [value.axis(axis) for axis in axes]
    if min(axis_values) < 0:
        raise UsageError("a slice of the batch is not converted", where=node.name)
    conversion.layer(
        "Crop",
        node,
        (conversion.natural(node.inputs[0]),),
        {_STARTS: tuple(low for low, _ in bounds), _ENDS: tuple(high for _, high in bounds), _AXES: tuple(axis_values)},
    )


def split(conversion: Conversion, node: OnnxNode) -> None:
    """All of an axis, in pieces."""
    value = conversion.value(node.inputs[0])
    axis = value.axis(node.attributes.get("axis", 0))
    for name in node.outputs:
        conversion.define(name, name)
    lengths = tuple(conversion.value(name).shape[node.attributes.get("axis", 0)] for name in node.outputs)
    conversion.network.add(
        "Slice", node.name, (conversion.natural(node.inputs[0]),), node.outputs, parameters={0: lengths, 1: axis}
    )


def concat(conversion: Conversion, node: OnnxNode) -> None:
    """Pieces joined along an axis."""
    axis = conversion.value(node.inputs[0]).axis(node.attributes["axis"])
    conversion.layer("Concat", node, [conversion.natural(name) for name in node.inputs], {0: axis})


def _pick(conversion: Conversion, node: OnnxNode, indices: list[int], average: AveragePair | None) -> None:
    """Channels by a convolution with ones and zeros: 1 times a value and 0 times finite ones add up to the value itself."""
    source, channels = conversion.natural(node.inputs[0]), conversion.value(node.inputs[0]).natural[0]
    choice = np.zeros((len(indices), channels, 1, 1), np.float32)
    choice[np.arange(len(indices)), indices] = 1
    parameters: dict[int, Parameter] = {0: len(indices), 1: 1, 6: choice.size}
    weights = [NcnnWeights(choice, tagged=True)]
    if average is None:
        conversion.layer("Convolution", node, (source,), parameters, weights)
    else:
        name = f"{node.outputs[0]}/chosen"
        pooled(conversion, average, [conversion.helper("Convolution", name, (source,), parameters, weights)])


def _part(
    conversion: Conversion,
    node: OnnxNode,
    value: NcnnValue,
    *,
    axis: int,
    run: tuple[int, int],
    windows: dict[tuple[int, int], str],
) -> str:
    """The blob of one run; out of an aligned window of channels where the map has more."""
    source, low, high = conversion.natural(node.inputs[0]), *run
    step, channels = conversion.channel_window, value.natural[axis]
    if axis == 0 and len(value.natural) == 3 and channels > step and channels % step == 0:
        window = (low // step * step, -(-high // step) * step)
        if window != (0, channels):
            if window not in windows:
                windows[window] = _crop(conversion, f"{node.outputs[0]}/window", source, window, axis)
            source, low, high = windows[window], low - window[0], high - window[0]
            channels = window[1] - window[0]
    if (low, high) == (0, channels):
        return source
    return _crop(conversion, f"{node.outputs[0]}/part", source, (low, high), axis)


def _crop(conversion: Conversion, name: str, source: str, run: tuple[int, int], axis: int) -> str:
    return conversion.helper("Crop", name, (source,), {_STARTS: (run[0],), _ENDS: (run[1],), _AXES: (axis,)})


def _runs(indices: list[int]) -> list[tuple[int, int]]:
    """Indices as runs of neighbours, [first, last + 1)."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs
