"""What is known of an imported network besides its program: the part that ``ArchSpec`` plays for the networks built here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eamdeploy.base.errors import DataError

IMPORTED = "imported"


@dataclass(frozen=True)
class ImportedSpec:
    """The outside of an imported network.

    Attributes:
        name: short, for files and tables.
        input_shape: one image, (C, H, W).
        classes: outputs.
        dynamic: how many of its layers mix kernels.
    """

    name: str
    input_shape: tuple[int, int, int]
    classes: int
    dynamic: int

    @property
    def arch(self) -> str:
        """``imported``."""
        return IMPORTED

    @property
    def conv(self) -> str:
        """``static`` where no layer mixes kernels, else ``mixed``."""
        return "mixed" if self.dynamic else "static"

    @property
    def in_channels(self) -> int:
        """Channels of the image."""
        return self.input_shape[0]

    @property
    def input_px(self) -> int:
        """The longer side of the image, in pixels."""
        return max(self.input_shape[1:])

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return {
            "arch": IMPORTED,
            "name": self.name,
            "input_shape": list(self.input_shape),
            "classes": self.classes,
            "dynamic": self.dynamic,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ImportedSpec:
        """The inverse of :meth:`to_dict`.

        Raises:
            DataError: when a field is missing or damaged.
        """
        try:
            channels, height, width = (int(size) for size in values["input_shape"])
            spec = cls(str(values["name"]), (channels, height, width), int(values["classes"]), int(values["dynamic"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("the description of the imported network is damaged", why=error) from error
        if min(*spec.input_shape, spec.classes) < 1:
            raise DataError("the description of the imported network is damaged", why="a size is not positive")
        return spec
