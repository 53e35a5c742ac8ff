"""A .mnn file in float16, in int8, or with int8 weights, all by MNN's own tools.

Constant convolutions alone can be int8. A bank of kernels is an operand of a matrix product, which the converter leaves as it is;
of a network with computed kernels the quantizer of the package MNN 3.6.1 makes nothing, whichever of its methods it is told to
use: it crashes (`python -m benchmarks.export.int8_tools`). A budget that collapses all layers leaves constant ones.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from eamdeploy.base.errors import UsageError
from export.mnn.converter import convert
from export.quantize.half_weights import HalfWeights
from export.quantize.mnn.calibration import takes, write_calibrated
from export.quantize.quantizer import Images, Written
from export.quantize.tensors import tensor_snr_db
from runtimes.protocol import RuntimeOptions
from runtimes.readers.metadata import read_metadata
from runtimes.readers.mnn_file import read_network
from runtimes.registry import get_runtime

_CONVOLUTIONS = (12, 13)  # OpType: Convolution, ConvolutionDepthwise


class MnnQuantizer(HalfWeights):
    """A float ``.mnn`` file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        session = get_runtime("mnn").load(path, RuntimeOptions())
        batch, channels, height, width = (int(size or 1) for size in session.inputs[0].shape)
        session.close()
        self.batch, self.input_shape, self.input_layout = batch, (channels, height, width), "NCHW"
        network = read_network(path)
        self._operators = len(network.operators)
        convolutions = [entry for entry in network.operators if entry.type in _CONVOLUTIONS]
        self._constant = [entry.name for entry in convolutions if len(entry.inputs) == 1]
        self._computed = [entry.name for entry in convolutions if len(entry.inputs) > 1]
        self._images: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []

    def calibrate(self, images: Images, method: str) -> int:
        """Keep the images; MNN's quantizer derives the ranges in its own way."""
        del method
        self._images = list(images)
        return sum(len(batch) for batch in self._images)

    def write(self, path: Path, precision: str, float_layers: Collection[str] = ()) -> Written:
        """Write the file in ``precision``.

        Raises:
            UsageError: for int8 where kernels are computed or the images have neither one nor three channels.
            InternalError: MNN's tool failed.
        """
        del float_layers
        if precision == "int8-weights":
            convert(self.path, path, ("--weightQuantBits", "8"), framework="MNN")
            return Written(self._operators, 0)
        if precision == "fp16":
            convert(self.path, path, ("--fp16",), framework="MNN")
            return Written(self._operators, 0)
        self._raise_unless_constant()
        write_calibrated(self.path, path, np.concatenate(self._images))
        return Written(self._operators, len(self._constant))

    def layer_snr_db(self, path: Path, images: Images) -> dict[str, float]:
        """See the protocol; the quantizer renames what it makes int8, and renamed tensors are left out."""
        names = {name for entry in read_network(path).operators for name in entry.outputs}
        outputs = read_metadata(self.path).tensors.get("output", {})
        return tensor_snr_db(self.path, path, {key: name for key, name in outputs.items() if name in names}, images)

    def _raise_unless_constant(self) -> None:
        if self._computed:
            why = f"MNN's quantizer crashes on computed kernels, and {len(self._computed)} convolutions have one"
            hint = "use fp16; or a `budget` that leaves no dynamic layer; or ONNX or TFLite, which can be int8"
            raise UsageError(
                "MNN files with computed kernels are not written in int8", where=self.path, why=why, hint=hint
            )
        if not takes(self.input_shape[0]):
            why = f"MNN's quantizer reads pictures of one or three channels, and these have {self.input_shape[0]}"
            raise UsageError("the MNN file is not written in int8", where=self.path, why=why, hint="use fp16")
