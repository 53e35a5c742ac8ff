"""The options on quantization that ``quantize`` and ``export`` share, and what they make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.options.choices import MethodName

if TYPE_CHECKING:
    from rich.console import Console

    from eamdeploy.pipeline.quantize.options import QuantizedArtifact, QuantizeOptions

MaxDrop = Annotated[
    float,
    typer.Option(
        "--max-drop",
        help="Most points of top-1 accuracy that quantization may cost. Layers stay in float until the limit holds.",
    ),
]
Method = Annotated[
    MethodName, typer.Option("--method", help="How the value ranges are derived from the calibration images.")
]
CalibrationImages = Annotated[
    int,
    typer.Option(
        "--calibration-images", min=1, help="Use at most this many calibration images, balanced over the classes."
    ),
]
CheckImages = Annotated[
    int,
    typer.Option(
        "--check-images",
        min=1,
        help="Number of images on which the accuracy before and after quantization is compared.",
    ),
]
FloatLayers = Annotated[str, typer.Option("--float-layers", help="Layers that stay in float, separated by commas.")]
ClassMap = Annotated[
    Path | None,
    typer.Option(
        "--class-map",
        help='JSON file that maps the folder names of the images to the model\'s classes: {"n01440764": 1}.',
    ),
]


@dataclass(frozen=True)
class QuantizationFlags:
    """The options on quantization, declared once for ``quantize`` and ``export``."""

    max_drop: MaxDrop = 1.0
    method: Method = "mse"
    calibration_images: CalibrationImages = 256
    check_images: CheckImages = 1000
    float_layers: FloatLayers = ""
    class_map: ClassMap = None

    def options(self) -> QuantizeOptions:
        """The options that these flags stand for.

        Raises:
            UsageError: a limit out of range.
        """
        from eamdeploy.pipeline.quantize.options import QuantizeOptions

        if not 0 <= self.max_drop <= 100:
            raise UsageError(f"--max-drop is in points of top-1, from 0 to 100, and is {self.max_drop:g}")
        return QuantizeOptions(
            method=self.method,
            calibration_images=self.calibration_images,
            max_drop=self.max_drop,
            check_images=self.check_images,
            float_layers=names(self.float_layers),
        )


def class_map_of(file: Path | None) -> Mapping[str, int | str] | None:
    """The class map in ``file``, where one was given."""
    from eamdeploy.data.class_map import read_class_map

    return None if file is None else read_class_map(file)


def names(text: str) -> tuple[str, ...]:
    """The parts between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def render_quantized(artifact: QuantizedArtifact, console: Console) -> None:
    """A line on a quantized artifact, and its notes."""
    report = artifact.report
    outcome = report.outcome
    if outcome.float_map is not None and outcome.map is not None:
        accuracy = f"mean average precision {outcome.float_map:.2f} -> {outcome.map:.2f} % on {outcome.images} images"
    elif outcome.labels_changed is not None:
        accuracy = f"{100 - outcome.labels_changed:.2f} % of the labels kept on {outcome.images} images"
    elif outcome.top1 is None or outcome.float_top1 is None:
        accuracy = f"best class kept on {outcome.images - outcome.flips} of {outcome.images} images"
    else:
        accuracy = f"top-1 {outcome.float_top1:.2f} -> {outcome.top1:.2f} % on {outcome.images} images"
    size = f"{artifact.bytes / 1e6:.2f} MB, {report.size_ratio:.3f}x of float"
    line = f" {artifact.path}  {artifact.precision}  {size}  {accuracy}"
    if report.latency is not None and report.latency.ratio < 1:  # a slower one gets a note
        line += f"  {report.latency.ratio:.2f}x of its latency"
    console.print(Text.assemble(("verified", "green"), line), soft_wrap=True)
    for note in report.notes():
        console.print(f"  note: {note}", style="yellow", soft_wrap=True)
