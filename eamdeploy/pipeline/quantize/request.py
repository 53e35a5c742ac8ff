"""From folders and options to a quantization request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.pipeline.quantize.inputs import open_splits
from eamdeploy.pipeline.quantize.options import QuantizeOptions, QuantizeRequest, check_precisions


def quantize_request(
    precisions: Sequence[str],
    classes: tuple[str, ...],
    *,
    calibration: Path | None = None,
    data: Path | None = None,
    options: QuantizeOptions | None = None,
    class_map: Mapping[str, int | str] | None = None,
) -> QuantizeRequest:
    """The request that these folders and options stand for.

    Args:
        precisions: what is asked for; ``fp32`` needs no quantizing and is passed over.
        classes: the network's.
        calibration: labelled images that set the ranges; see :func:`open_splits` for what a missing folder means.
        data: labelled images to check on.
        options: method, limits and layers that stay in float.
        class_map: from the data's classes to the network's, where the names differ.

    Raises:
        UsageError: an unknown precision, a limit out of range, or a folder that cannot be read.
    """
    check_precisions(tuple(name for name in precisions if name != "fp32"))
    settings = options or QuantizeOptions()
    if not 0 <= settings.max_drop <= 100:
        raise UsageError(f"max_drop is in points of top-1, from 0 to 100, and is {settings.max_drop:g}")
    calibration_images, checked = open_splits(calibration, data, classes)
    return QuantizeRequest(replace(settings), calibration_images, checked, class_map)
