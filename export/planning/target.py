"""What an artifact is made for: the runtime, precision, batch and thread count that decide which form is fastest."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from eamdeploy.base.errors import UsageError, did_you_mean

Batch = int | Literal["dynamic"]
RUNTIME_FORMATS = {"onnxruntime": "onnx", "litert": "tflite", "ncnn": "ncnn", "mnn": "mnn"}
PRECISIONS = ("fp32", "fp16", "int8")


def host_machine() -> str:
    """The CPU family of this host as the rules name it: ``x86-64``, ``aarch64`` or what the platform says."""
    machine = platform.machine().lower()
    return {"x86_64": "x86-64", "amd64": "x86-64", "arm64": "aarch64"}.get(machine, machine)


@dataclass(frozen=True)
class Target:
    """Where a lowered network will run.

    Attributes:
        runtime: ``onnxruntime``, ``litert``, ``ncnn`` or ``mnn``.
        precision: ``fp32``, ``fp16`` or ``int8``.
        batch: images per call, or ``dynamic`` (ONNX alone).
        threads: the runtime's threads.
        machine: CPU family, ``x86-64`` or ``aarch64``.
        portable: keep to standard operators; else whatever is fastest on this very host, for this kind of CPU alone.
    """

    runtime: str = "onnxruntime"
    precision: str = "fp32"
    batch: Batch = 1
    threads: int = 1
    machine: str = "x86-64"
    portable: bool = True

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            UsageError: for a runtime or precision that is not known, or a batch that is neither positive nor ``dynamic``.
        """
        if self.runtime not in RUNTIME_FORMATS:
            raise UsageError(
                f"no lowering is made for runtime '{self.runtime}'", hint=did_you_mean(self.runtime, RUNTIME_FORMATS)
            )
        if self.precision not in PRECISIONS:
            raise UsageError(f"unknown precision '{self.precision}'", hint=did_you_mean(self.precision, PRECISIONS))
        if self.batch != "dynamic" and (not isinstance(self.batch, int) or self.batch < 1):
            raise UsageError(f"batch must be a positive integer or 'dynamic', got {self.batch!r}")
        if self.batch == "dynamic" and self.runtime != "onnxruntime":
            raise UsageError(
                f"a file for {self.runtime} has a fixed batch", where="batch", hint="export to ONNX, or give a number"
            )
        if self.runtime == "ncnn" and self.batch != 1:
            raise UsageError("ncnn computes one image at a time", where="batch", hint="leave the batch at 1 for ncnn")

    @property
    def channels_last(self) -> bool:
        """Whether the runtime keeps maps as ``(B, H, W, C)``."""
        return self.runtime == "litert"

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Target:
        """The inverse of :meth:`to_dict`."""
        return cls(**values)
