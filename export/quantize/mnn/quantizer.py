"""A .mnn file with its weights in float16, by MNN's own converter; arithmetic stays float. int8 is not written here."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from eamdeploy.base.errors import UsageError
from export.mnn.converter import convert
from export.quantize.quantizer import Images, Written
from export.quantize.tensors import tensor_snr_db
from runtimes.protocol import RuntimeOptions
from runtimes.readers.metadata import read_metadata
from runtimes.readers.mnn_file import read_network
from runtimes.registry import get_runtime

_OPTIONS = {"fp16": ("--fp16",)}


class MnnQuantizer:
    """A float ``.mnn`` file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layers: tuple[str, ...] = ()
        session = get_runtime("mnn").load(path, RuntimeOptions())
        batch, channels, height, width = (int(size or 1) for size in session.inputs[0].shape)
        session.close()
        self.batch, self.input_shape, self.input_layout = batch, (channels, height, width), "NCHW"
        self._operators = len(read_network(path).operators)

    def calibrate(self, images: Images, method: str) -> int:
        """Nothing to calibrate: see `write`."""
        del method
        return sum(len(batch) for batch in images)

    def write(self, path: Path, precision: str, float_layers: Collection[str] = ()) -> Written:
        """Write the file in ``precision``.

        Raises:
            UsageError: for anything but fp16.
        """
        del float_layers
        if precision not in _OPTIONS:
            raise UsageError(
                f"MNN files are not written in {precision}",
                where=self.path,
                why="eamdeploy has no int8 form of a computed kernel for MNN",
                hint="use fp16 for MNN; ONNX and TFLite files of the same network can be int8",
            )
        convert(self.path, path, _OPTIONS[precision], framework="MNN")
        return Written(self._operators, 0)

    def layer_snr_db(self, path: Path, images: Images) -> dict[str, float]:
        """See the protocol."""
        named = read_metadata(self.path).tensors.get("output", {})
        return tensor_snr_db(self.path, path, dict(named), images)
