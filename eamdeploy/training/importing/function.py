"""What a state dict does not say: the part of a network's function that lies outside its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from eamdeploy.base.errors import UsageError
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.spec import ACTIVATIONS, PADDINGS

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
OWN_EPSILON = 1e-5  # of every batch norm in this project
CROP = 0.875  # of the short side, in every library here


@dataclass(frozen=True)
class Function:
    """The assumptions under which tensors become a function.

    Attributes:
        epsilon: added to each batch norm's variance.
        padding: ``symmetric`` or ``tf-same``.
        activation: ``own``, ``relu`` or ``relu6``; see :class:`eamdeploy.networks.spec.ArchSpec`.
        mean, std: of pixels in [0, 1].
        interpolation: of the resizing.
    """

    epsilon: float = OWN_EPSILON
    padding: str = "symmetric"
    activation: str = "own"
    mean: tuple[float, ...] = IMAGENET[0]
    std: tuple[float, ...] = IMAGENET[1]
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            UsageError: for a value that cannot be one.
        """
        if not 0 < self.epsilon < 1:
            raise UsageError(f"the epsilon of a batch norm is a small positive number, not {self.epsilon:g}")
        if self.padding not in PADDINGS:
            raise UsageError(f"unknown padding '{self.padding}'", hint=f"known: {', '.join(PADDINGS)}")
        if self.activation not in ACTIVATIONS:
            raise UsageError(f"unknown activation '{self.activation}'", hint=f"known: {', '.join(ACTIVATIONS)}")

    def changed(self, changes: Mapping[str, Any]) -> Function:
        """With what the user says of it; ``None`` is nothing said."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})

    def preprocessing(self, size: int, resize: int | None, channels: int) -> Preprocessing:
        """How images become the input; of grey networks with the mean of the three channels."""
        short = resize or (round(size / CROP) if size > 64 else None)
        mean, std = (
            values if len(values) == channels else (sum(values) / len(values),) * channels
            for values in (self.mean, self.std)
        )
        return Preprocessing(size, short, mean=mean, std=std, channels=channels, interpolation=self.interpolation)

    def __str__(self) -> str:
        """For messages."""
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return (
            f"activation {self.activation}, padding {self.padding}, batch norm epsilon {self.epsilon:g}, "
            f"{self.interpolation} resizing, mean {mean}, std {std}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
