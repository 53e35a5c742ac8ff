"""What quantizers have in common that only store a network's weights in float16: nothing to calibrate, outputs to compare."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.base.errors import UsageError
from export.quantize.quantizer import Images
from export.quantize.tensors import tensor_snr_db
from runtimes.readers.metadata import read_metadata


class HalfWeights:
    """A float file whose weights can be stored in half as many bytes."""

    layers: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path = path

    def calibrate(self, images: Images, method: str) -> int:
        """Nothing to calibrate: the images are counted alone."""
        del method
        return sum(len(batch) for batch in images)

    def layer_snr_db(self, path: Path, images: Images) -> dict[str, float]:
        """See the protocol."""
        outputs = read_metadata(self.path).tensors.get("output", {})
        return tensor_snr_db(self.path, path, dict(outputs), images)

    def refuse_all_but_fp16(self, precision: str, *, files: str, runtime: str, why: str) -> None:
        """Raise for another precision.

        Raises:
            UsageError: says ``why`` there is none.
        """
        if precision != "fp16":
            raise UsageError(
                f"{files} are not written in {precision}",
                where=self.path.name,
                why=why,
                hint=f"use fp16 for {runtime}; ONNX and TFLite files of the same network can be int8",
            )
