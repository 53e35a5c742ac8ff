"""From a foreign file to a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.inference.foreign import class_names
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.checkpoint import save_checkpoint
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training.importing.matching import Match, fill
from eamdeploy.training.importing.warm_start import warm_start
from eamdeploy.training.importing.weights import read_weights


@dataclass(frozen=True)
class ImportResult:
    """The checkpoint written, and which of the static network's tensors the file filled."""

    checkpoint: Path
    match: Match


def import_weights(
    source: Path,
    spec: ArchSpec,
    out: Path,
    *,
    labels: Path | None = None,
    resize: int | None = None,
    noise: float = 0.002,
) -> ImportResult:
    """Write a checkpoint of ``spec`` that starts from the static weights in ``source``.

    A ``.npz`` is taken as exported from TensorFlow: its padding, ReLU6, and pixels scaled to [-1, 1]; other files as
    PyTorch's, with ImageNet's statistics.

    Raises:
        DataError: when the file cannot be read or does not fit the architecture.
        UsageError: when the checkpoint cannot be written.
    """
    names = class_names(labels, spec.classes)
    weights = read_weights(source)
    if weights.folded:
        spec = replace(spec, padding="tf-same", activation="relu6" if "v3" not in spec.arch else "own")
    static = build(replace(spec, conv="static"))
    match = fill(static, weights, source=str(source))
    network = static if spec.conv == "static" else warm_start(static, spec, noise)
    size = spec.input_px
    wanted = resize or (round(size * 8 / 7) if size > 64 else None)
    half = (0.5,) * spec.in_channels
    imagenet = Preprocessing(size, wanted) if spec.in_channels == 3 else Preprocessing(size, wanted, half, half, 1)
    preprocessing = Preprocessing(size, wanted, half, half, spec.in_channels) if weights.folded else imagenet
    path = out if out.suffix == ".safetensors" else out.with_name(out.name + ".safetensors")
    meta = {"data": "imported", "source": source.name}
    save_checkpoint(path, network, preprocessing=preprocessing.to_dict(), classes=names, meta=meta)
    return ImportResult(path, match)
