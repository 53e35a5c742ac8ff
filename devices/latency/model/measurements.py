"""What a measurement was made under, and of which network and family."""

from __future__ import annotations

import re
from dataclasses import dataclass

FAMILIES = (  # the first that the name starts with
    ("mobilenet_v1", "mobilenet_v1"), ("mobilenet_v2", "mobilenet_v2"), ("mobilenet_v3", "mobilenet_v3"),
    ("efficientnet_lite", "efficientnet_lite"), ("efficientnetv2", "efficientnet_v2"), ("efficientnet", "efficientnet"),
    ("inception_resnet", "inception"), ("inception", "inception"), ("googlenet", "inception"), ("resnext", "resnext"),
    ("resnet", "resnet"), ("vgg", "vgg"), ("densenet", "densenet"), ("squeezenet", "squeezenet"),
    ("shufflenet_v1", "shufflenet_v1"), ("shufflenet_v2", "shufflenet_v2"), ("wide_resnet", "resnet"),
    ("efficientdet_lite", "efficientdet_lite"), ("ssd_mobilenet_v1_fpn", "ssd_fpn"), ("ssd_resnet50", "ssd_fpn"),
    ("ssd_mobilenet_v2", "ssd"), ("ssdlite_mobilenet_v2", "ssd"), ("yolox", "yolox"), ("yolo", "yolo"),
    ("vit", "vit"), ("deit", "vit"), ("nb201", "nb201"), ("fbnet", "fbnet"),
)  # fmt: skip

Network = tuple[str, str, str]
STATED = "stated"  # how many threads: one calibration holds all counts


def family(model: str) -> str:
    """What is left out together: all widths, sizes and variants of a design; an unknown name is its own family."""
    return next((group for start, group in FAMILIES if model.startswith(start)), model)


@dataclass(frozen=True)
class MeasurementConditions:
    """What a calibration is for."""

    board: str
    processor: str
    runtime: str
    version: str
    precision: str
    threads: str

    @property
    def name(self) -> str:
        """A file's name."""
        parts = (
            self.board,
            self.runtime,
            self.version,
            self.processor,
            self.precision,
            self.threads and (self.threads if self.threads == STATED else f"t{self.threads}"),
        )
        text = "_".join(p for p in parts if p).lower().replace("+", "plus")
        return re.sub(r"[^a-z0-9.]+", "-", text).strip("-")
