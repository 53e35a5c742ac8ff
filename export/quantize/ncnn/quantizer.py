"""An ncnn network's weights in float16: the ``.bin`` file half as large, the ``.param`` file as it was.

int8 is refused. ncnn's int8 layers read their weights' scales from the ``.bin`` file when they load; a layer whose kernel is
computed gets weights alone (``Convolution_*::forward`` with two inputs makes a layer of the kernel as it comes), so the
convolutions that a dynamic network consists of cannot be int8 in ncnn, and the few constant ones would gain nothing.
Networks with constant kernels alone are not written in int8 either: the package has no tool for it.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from eamdeploy.base.errors import UsageError
from export.quantize.half_weights import HalfWeights
from export.quantize.quantizer import Written
from runtimes.readers.ncnn_file import FLOAT_TAG, HALF_TAG, NcnnParam, read_param, weight_spans, weights_path

_COMPUTING = ("Convolution", "ConvolutionDepthWise", "InnerProduct", "Gemm")


class NcnnQuantizer(HalfWeights):
    """A float ``.param`` file with its ``.bin`` file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.batch, self.input_layout = 1, "NCHW"
        self._param = read_param(path)
        sizes = self._param.inputs[0].parameters
        if not all(sizes.get(key) for key in (0, 1, 2)):
            raise UsageError("the network does not say how large its input is", where=path)
        channels, height, width = (int(sizes[key]) for key in (2, 1, 0))  # type: ignore[arg-type]
        self.input_shape = (channels, height, width)

    def write(self, path: Path, precision: str, float_layers: Collection[str] = ()) -> Written:
        """Write the file in ``precision``.

        Raises:
            UsageError: for anything but fp16.
        """
        del float_layers
        why = "its int8 layers take constant kernels with scales from the file, and these kernels are computed"
        self.refuse_all_but_fp16(precision, files="ncnn networks", runtime="ncnn", why=why)
        path.write_text(NcnnParam(self._param.layers, None, self._param.output_blobs).text(), encoding="utf-8")
        weights_path(path).write_bytes(self._halved())
        computing = [layer for layer in self._param.layers if layer.kind in _COMPUTING]
        return Written(len(computing), 0)

    def _halved(self) -> bytes:
        content = weights_path(self.path).read_bytes()
        spans = weight_spans(self._param.layers, content)
        if spans is None:
            raise UsageError("the network has layers whose weights are not known here", where=self.path)
        pieces = []
        for start, end in spans:
            block = content[start:end]
            values = np.frombuffer(block[4:], "<f4") if block[:4] == FLOAT_TAG else np.zeros(0, np.float32)
            if values.size and float(np.abs(values).max()) <= float(np.finfo(np.float16).max):
                half = values.astype("<f2").tobytes()
                block = HALF_TAG + half + bytes(-len(half) % 4)
            pieces.append(block)
        return b"".join(pieces)
