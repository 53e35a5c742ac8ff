"""A .mnn file with its weights in float16, by MNN's own converter; arithmetic stays float. int8 is not written here."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from export.mnn.converter import convert
from export.quantize.half_weights import HalfWeights
from export.quantize.quantizer import Written
from runtimes.protocol import RuntimeOptions
from runtimes.readers.mnn_file import read_network
from runtimes.registry import get_runtime


class MnnQuantizer(HalfWeights):
    """A float ``.mnn`` file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        session = get_runtime("mnn").load(path, RuntimeOptions())
        batch, channels, height, width = (int(size or 1) for size in session.inputs[0].shape)
        session.close()
        self.batch, self.input_shape, self.input_layout = batch, (channels, height, width), "NCHW"
        self._operators = len(read_network(path).operators)

    def write(self, path: Path, precision: str, float_layers: Collection[str] = ()) -> Written:
        """Write the file in ``precision``.

        Raises:
            UsageError: for anything but fp16.
        """
        del float_layers
        why = "eamdeploy has no int8 form of a computed kernel for MNN"
        self.refuse_all_but_fp16(precision, files="MNN files", runtime="MNN", why=why)
        convert(self.path, path, ("--fp16",), framework="MNN")
        return Written(self._operators, 0)
