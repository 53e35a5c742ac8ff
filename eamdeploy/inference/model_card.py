"""What a file that classifies images says of itself: its classes, and how a picture becomes its input."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.inference.head import Head
from runtimes.readers.formats import SUFFIXES
from runtimes.readers.metadata import ArtifactMetadata, read_metadata

ARTIFACT_SUFFIXES = SUFFIXES


@dataclass(frozen=True)
class ModelCard:
    """A checkpoint or an artifact, before it is loaded.

    Attributes:
        path: the file.
        classes: names in the order of the outputs.
        preprocessing: how images become inputs.
        head: what the output means; a network of ours gives logits.
    """

    path: Path
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    head: Head = field(default_factory=Head)


def is_artifact(model: Path | str) -> bool:
    """Whether ``model`` names an artifact, not a checkpoint."""
    return Path(model).suffix.lower() in ARTIFACT_SUFFIXES


def head_of(metadata: ArtifactMetadata) -> Head:
    """What an artifact says of its output; without a word it is logits, which every exporter here writes."""
    return Head.from_dict(metadata.raw.get("head") or {})


def read_card(model: Path | str) -> ModelCard:
    """Read the card of an artifact (without torch) or of a checkpoint, given by path or shipped name.

    Raises:
        UsageError: when it is missing, damaged, or an artifact made by something else.
    """
    if is_artifact(model):
        metadata = read_metadata(model)
        if metadata.preprocessing is None or not metadata.classes:
            why = "it does not say what its classes are and how images become its input"
            hint = "give `preprocessing` and `labels`, or write them into the file with `eamdeploy attach`"
            raise UsageError("the artifact was not made by eamdeploy", where=model, why=why, hint=hint)
        preprocessing = Preprocessing.from_dict(metadata.preprocessing)
        return ModelCard(Path(model), metadata.classes, preprocessing, head_of(metadata))
    from eamdeploy.networks.zoo.shipped import resolve_checkpoint

    path = resolve_checkpoint(model)
    from eamdeploy.networks.checkpoint_header import read_document

    document = read_document(path)
    return ModelCard(path, tuple(document["classes"]), Preprocessing.from_dict(document["preprocessing"]))
