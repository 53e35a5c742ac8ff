"""Quantizes a float artifact file in every precision that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.inference.foreign import artifact_card
from eamdeploy.pipeline.failures import Attempts
from eamdeploy.pipeline.quantize.options import QuantizedArtifact, QuantizeOptions
from eamdeploy.pipeline.quantize.request import quantize_request
from eamdeploy.pipeline.quantize.run import quantize_artifact
from runtimes.readers.formats import format_of, model_name


def check_format(source: Path, formats: Sequence[str] | None) -> None:
    """Check that nobody expects another format of an artifact than its own.

    Raises:
        UsageError: when one is asked for: only a checkpoint can be written in several.
    """
    known_format = format_of(source)
    own_format = known_format.name if known_format is not None else source.suffix.lower().removeprefix(".")
    for format_name in formats or ():
        if format_name != own_format:
            why = f"quantizing keeps the format, and {format_name} was asked for"
            hint = f"leave the format out, or export the network itself as {format_name}"
            raise UsageError(f"the artifact is {own_format}", where=source, why=why, hint=hint)


def quantize_file(
    source: Path,
    out: Path | None,
    precisions: Sequence[str],
    *,
    calibration: Path | None = None,
    data: Path | None = None,
    options: QuantizeOptions | None = None,
    class_map: Mapping[str, int | str] | None = None,
    preprocessing: str | None = None,
    labels: Path | None = None,
    head: str | None = None,
    progress: Progress = SILENT,
) -> list[QuantizedArtifact]:
    """Write ``NAME-PRECISION`` beside ``source``, or in ``out``, for every precision.

    Args:
        source: a float .onnx or .tflite file, of this project or from elsewhere.
        preprocessing: of a file from elsewhere: JSON, or a file that holds it.
        labels: of a file from elsewhere: a file with its class names, one a line.
        head: of a file from elsewhere: what its output means.
        calibration, data, options, class_map: as in :func:`quantize_request`.
        progress: receives one sentence as each step begins.

    Raises:
        ParityError: a result does not load, does not shrink, or loses more accuracy than allowed.
        UsageError: an option that cannot be served.
    """
    card = artifact_card(source, preprocessing, labels, head)
    request = quantize_request(
        precisions, card.classes, calibration=calibration, data=data, options=options, class_map=class_map
    )
    folder = out or source.parent
    if folder.exists() and not folder.is_dir():
        raise UsageError("the output folder is a file", where=folder, hint="choose another folder")
    attempts: Attempts[QuantizedArtifact] = Attempts()
    for name in precisions:
        with attempts.at(name):
            attempts.artifacts.append(
                quantize_artifact(
                    source,
                    folder / quantized_name(source, name),
                    replace(request.options, precision=name),
                    card=card,
                    calibration=request.calibration,
                    check=request.check,
                    class_map=request.class_map,
                    manifest_name=model_name(source),
                    progress=progress,
                )
            )
    return attempts.finish()


def quantized_name(source: Path, precision: str) -> str:
    """The file name of ``source`` in ``precision``."""
    known_format = format_of(source)
    name = f"{model_name(source)}-{precision}"
    return f"{name}{source.suffix.lower()}" if known_format is None else known_format.file_name(name)
