"""The blocks of a timm network, read from the shapes of its tensors: widths, repeats and gates that no table has."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from eamdeploy.networks.layout import BlockLayout, Layout

# stride of the first block of each stage, and how many stages of V3 have ReLU
_STRIDES = {
    "mobilenet_v1": (1, 2, 2, 2, 2),
    "mobilenet_v2": (1, 2, 2, 2, 1, 2, 1),
    "mobilenet_v3_small": (2, 2, 2, 1, 2),
    "mobilenet_v3_large": (1, 2, 2, 2, 1, 2),
}
_RELU_STAGES = {"mobilenet_v3_small": 2, "mobilenet_v3_large": 3}
_PLACE = re.compile(r"blocks\.(\d+)\.(\d+)\.")


def block_places(names: Mapping[str, Tensor]) -> list[str]:
    """The prefixes ``blocks.STAGE.INDEX`` in order of execution."""
    places = {(int(match[1]), int(match[2])) for name in names if (match := _PLACE.match(name))}
    return [f"blocks.{stage}.{index}" for stage, index in sorted(places)]


def timm_layout(tensors: Mapping[str, Tensor], arch: str) -> Layout | None:
    """The layout of the network that ``tensors`` (without a prefix) belong to; ``None`` where it is none of ``arch``'s kind."""
    places = block_places(tensors)
    stages = [int(place.split(".")[1]) for place in places]
    if "conv_stem.weight" not in tensors or not places or not _is_kind(tensors, arch):
        return None
    gated = any(".se.conv_reduce.weight" in name for name in tensors)
    v3 = arch in _RELU_STAGES
    act = ("hswish" if gated else "relu") if v3 else "relu6"
    rw = v3 and gated and "conv_head.bias" not in tensors
    blocks, last, lasts = [], 0, 0
    for position, (place, stage) in enumerate(zip(places, stages, strict=True)):
        plain = tensors.get(f"{place}.conv.weight")
        if plain is not None:
            last, lasts = int(plain.shape[0]), lasts + 1
            continue
        row = _block(tensors, place)
        if row is None or stage >= len(_STRIDES[arch]):
            return None
        stride = _STRIDES[arch][stage] if position == 0 or stage != stages[position - 1] else 1
        kernel, expanded, out, gate = row
        activation = "relu" if v3 and stage < _RELU_STAGES[arch] else act
        # timm's first port of V3 ("rw", whose head has no bias) adds nothing around its first block, and its gates have
        # the block's own activation
        blocks.append(
            BlockLayout(
                kernel,
                expanded,
                out=out,
                gate=gate,
                act=activation,
                stride=stride,
                skip=not rw or position > 0,
                gate_act=activation if rw else "relu",
            )
        )
    head = tensors.get("conv_head.weight")
    hidden = 0
    if head is not None and "bn2.weight" in tensors:
        last = int(head.shape[0])
    elif head is not None:
        hidden = int(head.shape[0])
    return Layout(
        int(tensors["conv_stem.weight"].shape[0]), tuple(blocks), last=last, hidden=hidden, act=act, lasts=max(1, lasts)
    )


def _is_kind(tensors: Mapping[str, Tensor], arch: str) -> bool:
    """Whether the blocks are of the architecture's kind: their shapes alone could be read as another's."""
    inverted = any(name.endswith(".conv_pwl.weight") for name in tensors)
    plain = [int(match[1]) for name in tensors if (match := re.fullmatch(r"blocks\.(\d+)\.\d+\.conv\.weight", name))]
    if arch in _RELU_STAGES:
        # V3 ends in a convolution in a stage of its own
        return inverted and set(plain) == {len(_STRIDES[arch])}
    return inverted == (arch == "mobilenet_v2") and not plain


def _block(tensors: Mapping[str, Tensor], place: str) -> tuple[int, int, int, int] | None:
    """Kernel, expanded channels, channels out, hidden channels of the gate."""
    depthwise = tensors.get(f"{place}.conv_dw.weight")
    out = tensors.get(f"{place}.conv_pwl.weight", tensors.get(f"{place}.conv_pw.weight"))
    if depthwise is None or out is None or depthwise.ndim != 4:
        return None
    reduce = tensors.get(f"{place}.se.conv_reduce.weight")
    return (
        int(depthwise.shape[-1]),
        int(depthwise.shape[0]),
        int(out.shape[0]),
        0 if reduce is None else int(reduce.shape[0]),
    )
