"""What a file that classifies images says of itself: its classes, and how a picture becomes its input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.data.preprocessing import Preprocessing
from runtimes.readers.metadata import read_metadata

ARTIFACT_SUFFIXES = (".onnx", ".tflite")


@dataclass(frozen=True)
class ModelCard:
    """A checkpoint or an artifact, before it is loaded.

    Attributes:
        path: the file.
        classes: names in the order of the outputs.
        preprocessing: how images become inputs.
    """

    path: Path
    classes: tuple[str, ...]
    preprocessing: Preprocessing


def is_artifact(model: Path | str) -> bool:
    """Whether ``model`` names an artifact, not a checkpoint."""
    return Path(model).suffix.lower() in ARTIFACT_SUFFIXES


def read_card(model: Path | str) -> ModelCard:
    """Read the card of an artifact (without torch) or of a checkpoint, given by path or shipped name.

    Raises:
        UsageError: when it is missing, damaged, or an artifact made by something else.
    """
    if is_artifact(model):
        metadata = read_metadata(model)
        if metadata.preprocessing is None or not metadata.classes:
            why = "it does not say what its classes are and how images become its input"
            raise UsageError(
                "the artifact was not made by eamdeploy", where=model, why=why, hint="export it with eamdeploy"
            )
        return ModelCard(Path(model), metadata.classes, Preprocessing.from_dict(metadata.preprocessing))
    from eamdeploy.networks.zoo.shipped import resolve_checkpoint

    path = resolve_checkpoint(model)
    from eamdeploy.networks.checkpoint_header import read_document

    document = read_document(path)
    return ModelCard(path, tuple(document["classes"]), Preprocessing.from_dict(document["preprocessing"]))
