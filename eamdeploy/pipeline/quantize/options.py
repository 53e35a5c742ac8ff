"""What a quantization is asked for, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.data import ImageDataset, sample_for
from eamdeploy.pipeline.quantize.report import QuantizationReport
from export.quantize.observers import DEFAULT_METHOD, check_method
from export.quantize.quantizer import PRECISIONS


@dataclass(frozen=True)
class QuantizeOptions:
    """How to quantize.

    Attributes:
        precision: ``int8``, ``fp16`` or ``int8-weights``.
        method: calibration method: ``minmax``, ``percentile``, ``mse`` or ``entropy``.
        calibration_images: at most this many, balanced over the classes, always the same ones.
        max_drop: points of top-1 that may be lost on the check images; layers go back to float until it holds.
        check_images: at most this many, balanced over the classes.
        float_layers: layers that stay float whatever they would cost.
        latency: compare the latency with the float file's on this host.
    """

    precision: str = "int8"
    method: str = DEFAULT_METHOD
    calibration_images: int = 256
    max_drop: float = 1.0
    check_images: int = 1000
    float_layers: tuple[str, ...] = ()
    latency: bool = True


@dataclass(frozen=True)
class QuantizeRequest:
    """What :func:`quantize_artifact` needs besides the artifact; see there."""

    options: QuantizeOptions
    calibration: ImageDataset
    check: ImageDataset | None = None
    class_map: Mapping[str, int | str] | None = None


@dataclass(frozen=True)
class QuantizedArtifact:
    """One finished quantized artifact and the evidence for it."""

    path: Path
    manifest: Path
    format: str
    precision: str
    bytes: int
    report: QuantizationReport
    lowerings: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON of the commands ``quantize`` and ``export``."""
        return {
            "path": str(self.path),
            "manifest": str(self.manifest),
            "format": self.format,
            "precision": self.precision,
            "bytes": self.bytes,
            "lowerings": dict(self.lowerings),
            "parity": self.report.parity(),
            "quantization": self.report.to_dict(),
            "notes": list(self.report.notes()),
        }


def check_precisions(precisions: tuple[str, ...]) -> None:
    """Raises :class:`UsageError` for a precision no runtime here has, or none at all."""
    for precision in precisions:
        if precision not in PRECISIONS:
            hint = did_you_mean(precision, ["fp32", *PRECISIONS])
            raise UsageError(f"nothing can be quantized to '{precision}'", where="`precisions`", hint=hint)


def checked_request(
    precisions: tuple[str, ...], request: QuantizeRequest | None, classes: tuple[str, ...]
) -> QuantizeRequest | None:
    """Check every precision before any work; without a request the embedded sample serves where its classes are the network's.

    Raises:
        UsageError: for an unknown precision or calibration method.
        DataError: when images are needed and none were given.
    """
    if not precisions:
        raise UsageError("no precision was asked for", where="`precisions`", hint="give fp32, fp16, int8 or several")
    check_precisions(tuple(precision for precision in precisions if precision != "fp32"))
    if all(precision == "fp32" for precision in precisions):
        return request
    request = request or QuantizeRequest(QuantizeOptions(), sample_for(classes))
    check_method(request.options.method)
    return request
