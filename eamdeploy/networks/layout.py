"""Block by block, a MobileNet whose channels are not those of its paper's table; free of torch.

Libraries fix the stem, keep V3's hidden layer wide, repeat blocks or leave out gates: such networks are told apart from the
table by the shapes of their weights, and described here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from eamdeploy.base.errors import UsageError


@dataclass(frozen=True)
class BlockLayout:
    """One block.

    Attributes:
        kernel: side of the depthwise kernel.
        expanded: channels of the depthwise convolution; those of the input where there is no expansion.
        out: channels that leave it.
        gate: hidden channels of its squeeze-and-excite gate; 0 without one.
        act: activation, ``relu``, ``relu6`` or ``hswish``.
        stride: of the depthwise convolution, for inputs above 64 px.
        skip: whether input and output are added where their shapes agree.
        gate_act: activation between the gate's two layers.
    """

    kernel: int
    expanded: int
    out: int
    gate: int
    act: str
    stride: int
    skip: bool = True
    gate_act: str = "relu"


@dataclass(frozen=True)
class Layout:
    """All of a network's blocks.

    Attributes:
        stem: channels of the first convolution.
        blocks: in order of execution.
        last: channels of the 1x1 convolution behind the blocks; 0 without one.
        hidden: of V3's layer between the pooled features and the classifier; 0 without one.
        act: activation of the stem, of ``last`` and of ``hidden``.
        lasts: how many convolutions of ``last`` channels follow one another.
    """

    stem: int
    blocks: tuple[BlockLayout, ...]
    last: int
    hidden: int
    act: str
    lasts: int = 1

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Layout:
        """The inverse of ``dataclasses.asdict``.

        Raises:
            UsageError: for a field that is unknown, missing or of another type.
        """
        try:
            blocks = tuple(BlockLayout(**row) for row in values["blocks"])
            layout = cls(**{**values, "blocks": blocks})
        except (TypeError, KeyError) as error:
            raise UsageError("the layout of the blocks is damaged", why=error) from error
        _check_types(layout)
        for block in blocks:
            _check_types(block)
        return layout


def _check_types(row: Layout | BlockLayout) -> None:
    for field in fields(row):
        value = getattr(row, field.name)
        expected_type = {"int": int, "str": str, "bool": bool}.get(str(field.type))
        if expected_type is not None and type(value) is not expected_type:
            raise UsageError("the layout of the blocks is damaged", why=f"{field.name} is {value!r}")
