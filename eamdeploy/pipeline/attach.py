"""What a user knows of somebody's classifier, written into its file once, so that no later command has to be told."""

from __future__ import annotations

import shutil
from pathlib import Path

import eamdeploy
from eamdeploy.base.errors import UsageError
from eamdeploy.base.files import atomic_path
from eamdeploy.inference.foreign import artifact_card
from eamdeploy.inference.model_card import ModelCard
from export.exporter.registry import get_exporter
from runtimes.readers.metadata import read_metadata

FORMATS = (".onnx", ".tflite")
# a file that carries this was made elsewhere: what it computes is prepared as a foreign file's
ATTACHED = "attached"


def attach(
    artifact: Path,
    out: Path | None = None,
    *,
    preprocessing: str,
    labels: Path | None = None,
    head: str | None = None,
) -> ModelCard:
    """Write preprocessing, class names and head into ``artifact``, or into a copy of it.

    The operators and weights of the file stay as they are, byte by byte in TFLite, value by value in ONNX.

    Args:
        out: the copy; left out, the file itself.
        preprocessing: JSON, or a file with it.
        labels: a file of class names, one a line; left out, the classes are numbered.
        head: what its answers mean; found from them where it is left out.

    Raises:
        UsageError: for a file that eamdeploy made, or one that what is said does not fit.
    """
    if artifact.suffix.lower() not in FORMATS:
        raise UsageError("nothing can be attached to this file", where=artifact, hint="give an .onnx or a .tflite file")
    metadata = read_metadata(artifact)
    if not metadata.foreign and not metadata.raw.get(ATTACHED):
        raise UsageError("the file says these things already", where=artifact, why="eamdeploy made it")
    target = artifact if out is None else out
    if target.suffix.lower() != artifact.suffix.lower():
        raise UsageError(f"the copy must be a {artifact.suffix} file", where=target)
    card = artifact_card(artifact, preprocessing, labels, head)
    exporter = get_exporter(artifact.suffix.lower()[1:])
    exporter.check_available()
    document = {
        "schema_version": 1,
        ATTACHED: True,
        "name": target.stem,
        "format": exporter.format,
        "precision": metadata.raw.get("precision"),  # of a file that was quantized here since
        "architecture": None,
        "classes": list(card.classes),
        "preprocessing": card.preprocessing.to_dict(),
        "head": card.head.to_dict(),
        "plan": [],
        "tensors": {},
        "input_layout": None,
        "eamdeploy_version": eamdeploy.__version__,
    }
    with atomic_path(target) as temporary:
        shutil.copyfile(artifact, temporary)
        exporter.attach_metadata(temporary, document)
    return ModelCard(target, card.classes, card.preprocessing, card.head)
