"""Signal to noise of named tensors between a float artifact and a quantized one, both run with those tensors shown."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from export.quantize.quantizer import Images, NoiseMeter
from runtimes.protocol import RuntimeOptions
from runtimes.readers.mnn_file import OUTPUTS_MEMBER
from runtimes.readers.ncnn_file import NcnnParam, read_param, split_shared, weights_path
from runtimes.registry import runtime_for


def tensor_snr_db(source: Path, quantized: Path, named: Mapping[str, str], images: Images) -> dict[str, float]:
    """Signal to noise in dB by layer; ``named`` says which tensor is a layer's."""
    if not named:
        return {}
    meter = NoiseMeter()
    with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
        copies = [Path(folder) / f"{number}{source.suffix}" for number in range(2)]
        for path, copy in zip((source, quantized), copies, strict=True):
            _show(path, copy, list(named.values()))
        first, second = (runtime_for(copy).load(copy, RuntimeOptions()) for copy in copies)
        unnamed_outputs = len(first.outputs) - len(named)
        for batch in images:
            values = zip(first.run(batch)[unnamed_outputs:], second.run(batch)[unnamed_outputs:], strict=True)
            for layer, (exact, changed) in zip(named, values, strict=True):
                meter.add(layer, exact, changed)
        first.close()
        second.close()
    return meter.decibels()


def _show(source: Path, copy: Path, tensors: list[str]) -> None:
    if source.suffix.lower() == ".param":
        param = read_param(source)
        layers = tuple(split_shared(param.layers, tensors))
        copy.write_text(NcnnParam(layers, None, (*param.outputs, *tensors)).text(), encoding="utf-8")
        shutil.copyfile(weights_path(source), weights_path(copy))
        return
    shutil.copyfile(source, copy)
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr(OUTPUTS_MEMBER, json.dumps(tensors))
