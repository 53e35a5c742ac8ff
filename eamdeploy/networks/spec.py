"""What defines a network, as data: free of torch, so that a manifest can be read without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.networks.layout import Layout

ARCHITECTURES = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")
CONVOLUTIONS = ("static", "dynet", "eam")
SELECTIONS = ("adjacent-1", "adjacent-2", "adjacent-3", "adjacent-4", "interval", "rcr", "cgr-random", "cgr-max")
POOLS = ("avg", "max")
ACTIVATIONS = ("own", "relu", "relu6")
PADDINGS = ("symmetric", "tf-same")
SHORT_NAMES = {
    "mobilenet_v1": "v1",
    "mobilenet_v2": "v2",
    "mobilenet_v3_small": "v3small",
    "mobilenet_v3_large": "v3large",
}

# what a field may be, at most: larger ones are no network of this family, and would fill the memory before that shows
_INTEGERS = (
    ("kernels", 1, 256),
    ("pool_size", 1, 256),
    ("classes", 1, 1_000_000),
    ("input_px", 8, 16_384),
    ("in_channels", 1, 1024),
    ("seed", 0, 2**63 - 1),
)
_MOST_WIDTH = 32.0


@dataclass(frozen=True)
class ArchSpec:
    """One network of the family (Ding et al. 2021, section 3).

    Attributes:
        arch: one of ``ARCHITECTURES``.
        width: multiplier of all channel counts.
        conv: ``static``, ``dynet`` (attention over all channels) or ``eam`` (over a chosen few).
        select: how the attention chooses its channels; used by ``eam`` alone.
        kernels: kernels per bank, k.
        channels: channels chosen, C' (an integer), or the fraction beta of C (a float below 1); ``None`` is k.
        pool: adaptive ``avg`` or ``max`` pooling before the attention's first linear layer.
        pool_size: side s of the pooled map; ``dynet`` always pools to 1.
        temperature: tau of the softmax (equation 17).
        classes: outputs of the classifier.
        input_px: side of the square input; 64 and less select the small-input strides.
        in_channels: channels of the image.
        seed: of the random channel choices and the initial weights.
        activation: ``own`` is the architecture's (V1 ReLU as in the paper, V2 ReLU6, V3 by its table); ``relu``, ``relu6``
            replace V1's and V2's, for imported weights.
        padding: of 3x3 and larger kernels: ``symmetric`` as in PyTorch, or ``tf-same`` (bottom and right first) for
            weights that were trained in TensorFlow.
        layout: the blocks, where they are not those of the architecture's table at this width.
    """

    arch: str = "mobilenet_v1"
    width: float = 1.0
    conv: str = "eam"
    select: str = "rcr"
    kernels: int = 4
    channels: int | float | None = None
    pool: str = "avg"
    pool_size: int = 5
    temperature: float = 30.0
    classes: int = 1000
    input_px: int = 224
    in_channels: int = 3
    seed: int = 0
    activation: str = "own"
    padding: str = "symmetric"
    layout: Layout | None = None

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            UsageError: for a name that is not known or a number out of range.
        """
        for field, choices in (
            ("arch", ARCHITECTURES),
            ("conv", CONVOLUTIONS),
            ("select", SELECTIONS),
            ("pool", POOLS),
            ("activation", ACTIVATIONS),
            ("padding", PADDINGS),
        ):
            value = getattr(self, field)
            if value not in choices:
                raise UsageError(f"unknown {field} '{value}'", hint=did_you_mean(str(value), choices))
        for field, low, high in _INTEGERS:
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise UsageError(f"{field} must be an integer from {low} to {high}, got {value!r}")
        for field, limit in (("width", _MOST_WIDTH), ("temperature", 1e6)):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < limit:
                raise UsageError(f"{field} must be a positive number below {limit:g}, got {value!r}")
        channels = self.channels
        if channels is not None and (
            isinstance(channels, bool) or not isinstance(channels, (int, float)) or not 0 < channels < 1e6
        ):
            raise UsageError(f"channels must be positive, got {channels!r}")
        if isinstance(self.channels, float) and self.channels >= 1 and not self.channels.is_integer():
            raise UsageError(f"channels must be an integer or a fraction below 1, got {self.channels!r}")

    @property
    def name(self) -> str:
        """A short name such as ``v1x0.25-eam-rcr``."""
        tail = f"-{self.select}" if self.conv == "eam" else ""
        return f"{SHORT_NAMES[self.arch]}x{self.width:g}-{self.conv}{tail}"

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """One image, (C, H, W)."""
        return self.in_channels, self.input_px, self.input_px

    def chosen_channels(self, available: int) -> int:
        """C' for a layer with ``available`` input channels: never more than there are (equation 8)."""
        channels = self.kernels if self.channels is None else self.channels
        count = max(1, round(channels * available)) if isinstance(channels, float) and channels < 1 else int(channels)
        return min(count, available)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values; the layout only where there is one."""
        values = asdict(self)
        if self.layout is None:
            del values["layout"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ArchSpec:
        """The inverse of :meth:`to_dict`.

        Raises:
            UsageError: for an unknown field.
        """
        field_names = {field.name for field in fields(cls)}
        unknown = set(values) - field_names
        if unknown:
            raise UsageError(
                f"unknown architecture field '{min(unknown)}'", hint="was it written by a newer eamdeploy?"
            )
        layout = values.get("layout")
        return cls(**{**values, "layout": None if layout is None else Layout.from_dict(layout)})
