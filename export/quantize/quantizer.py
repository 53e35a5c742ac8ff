"""One interface to both formats: calibrate a float artifact once, then write as many quantized forms of it as are tried."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Images = Iterable[npt.NDArray[np.float32]]
PRECISIONS = {
    "fp16": "float16 weights, float arithmetic",
    "int8": "int8 weights and maps, calibrated",
    "int8-weights": "int8 weights alone; maps stay float (ONNX) or are quantized as they come (TFLite)",
}


@dataclass(frozen=True)
class Written:
    """What a quantized file holds.

    Attributes:
        operators: that compute, in the float graph (not those that only move values).
        int8_operators: how many of them compute in int8.
        int8_layers: layers in int8.
        float_layers: layers that could be int8 and were left in float.
    """

    operators: int
    int8_operators: int
    int8_layers: tuple[str, ...] = ()
    float_layers: tuple[str, ...] = ()

    @property
    def float_share(self) -> float:
        """Share of the computing operators that stayed float."""
        return 1 - self.int8_operators / max(1, self.operators)


class Quantizer(Protocol):
    """A float artifact that can be quantized.

    Attributes:
        path: of the float artifact.
        layers: what can be int8, in the order of execution; names as in ``float_layers``.
        batch: images that the artifact takes at a time.
        input_shape: of one image, (C, H, W).
        input_layout: of the file's own input, ``NCHW`` or ``NHWC``.
    """

    path: Path
    layers: tuple[str, ...]
    batch: int
    input_shape: tuple[int, int, int]
    input_layout: str

    def calibrate(self, images: Images, method: str) -> int:
        """See the images ``(B, C, H, W)``, one batch at a time; returns how many there were."""
        ...

    def write(self, path: Path, precision: str, float_layers: Collection[str] = ()) -> Written:
        """Write the file in ``precision``; ``int8`` needs a calibration first."""
        ...

    def layer_snr_db(self, path: Path, images: Images) -> dict[str, float]:
        """Signal to noise of each layer's output in the quantized file at ``path``, in dB, over ``images``."""
        ...


class CountedImages:
    """Batches of images, counted as they go by; ``images`` is how many there were so far."""

    def __init__(self, batches: Images) -> None:
        self._batches, self.images = batches, 0

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        """The batches, as they are."""
        for batch in self._batches:
            self.images += len(batch)
            yield batch


class NoiseMeter:
    """Signal and noise energy of named tensors, summed over images."""

    def __init__(self) -> None:
        self._signal: dict[str, float] = {}
        self._noise: dict[str, float] = {}

    def add(self, name: str, exact: npt.NDArray[np.float32], quantized: npt.NDArray[np.float32]) -> None:
        """Compare one tensor of one image."""
        reference = exact.astype(np.float64).reshape(-1)
        error = quantized.astype(np.float64).reshape(-1) - reference
        self._signal[name] = self._signal.get(name, 0.0) + float(reference @ reference)
        self._noise[name] = self._noise.get(name, 0.0) + float(error @ error)

    def decibels(self) -> dict[str, float]:
        """10 log10(signal / noise); 200 stands for no noise at all."""
        return {
            name: round(10 * float(np.log10(max(signal, 1e-30) / max(self._noise[name], signal * 1e-20, 1e-30))), 2)
            for name, signal in self._signal.items()
        }
