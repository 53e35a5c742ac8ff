"""A .mnn file in int8, by the quantizer in MNN's package, on images that were prepared for the network.

The quantizer reads pictures. Each prepared image is written as one, its channels stretched over 256 steps, and the quantizer is
told how to undo that. It runs in a process of its own, because it ends with a segmentation fault where it meets what it does not
know.
"""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from eamdeploy.base import processes
from eamdeploy.base.errors import InternalError

Images = npt.NDArray[np.float32]
LIMIT_S = 1800.0
# of its methods (KL, ADMM, EMA) the one that does not crash; python -m benchmarks.export.int8_tools
METHOD = "EMA"
STEPS = 255
MOST_AT_ONCE = 10
_MODES = {1: ("GRAY", "L"), 3: ("RGB", "RGB")}
_WORKER = "import _tools\n_tools.mnnquant(['mnnquant', *sys.argv[1:]])"


def takes(channels: int) -> bool:
    """Whether images of so many channels can be written as pictures."""
    return channels in _MODES


def write_calibrated(source: Path, target: Path, images: Images) -> None:
    """Write ``source`` in int8 to ``target``, its ranges taken from ``images`` ``(N, C, H, W)``.

    Raises:
        InternalError: the quantizer failed.
    """
    with tempfile.TemporaryDirectory(prefix="eamdeploy-") as name:
        folder = Path(name)
        settings = _write_pictures(images, folder / "pictures")
        config = folder / "config.json"
        config.write_text(json.dumps(settings), encoding="utf-8")
        try:
            status = run_quantizer(source, target, config, limit_s=LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise InternalError(
                "MNN's quantizer did not end", where=source, why=f"it took over {LIMIT_S:g} s"
            ) from error
    if status != 0 or not target.is_file():
        raise InternalError("MNN's quantizer failed", where=source, why=_reason(status))


def run_quantizer(source: Path, target: Path, config: Path, *, limit_s: float) -> int:
    """Run the quantizer in a process of its own; returns the exit status, below 0 for a signal.

    Raises:
        TimeoutExpired: it did not end within ``limit_s`` seconds.
    """
    arguments = [str(path.resolve()) for path in (source, target, config)]
    return processes.run(processes.python_code(_WORKER, *arguments), timeout_s=limit_s).returncode


def _write_pictures(images: Images, folder: Path) -> dict[str, object]:
    """Write the pictures; returns the quantizer's settings."""
    folder.mkdir()
    kind, mode = _MODES[images.shape[1]]
    low, high = images.min(axis=(0, 2, 3)), images.max(axis=(0, 2, 3))
    step = np.maximum(high - low, 1e-6) / STEPS
    pixels = np.rint((images - low[:, None, None]) / step[:, None, None]).clip(0, STEPS).astype(np.uint8)
    for number, image in enumerate(pixels):
        picture = image[0] if mode == "L" else image.transpose(1, 2, 0)
        Image.fromarray(picture, mode).save(folder / f"{number:05}.png")
    return {
        "format": kind,
        "mean": _floats(-low / step),
        "normal": _floats(step),
        "width": images.shape[3],
        "height": images.shape[2],
        "path": f"{folder}/",
        "used_image_num": len(images),
        "batch_size": min(MOST_AT_ONCE, len(images)),
        "feature_quantize_method": METHOD,
        "weight_quantize_method": "MAX_ABS",
        "quant_bits": 8,
    }


def _floats(values: Sequence[float] | Images) -> list[float]:
    return [float(value) for value in values]


def _reason(status: int) -> str:
    if status < 0:
        return f"it ended by {signal.Signals(-status).name}"
    return f"exit status {status}"
