"""Whether an artifact can be compared with a checkpoint at all."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.inference.model_card import head_of
from eamdeploy.networks.checkpoint import Checkpoint
from runtimes.batching import image_input, input_layout
from runtimes.protocol import Session
from runtimes.readers.metadata import ArtifactMetadata


def check_fit(path: Path, session: Session, metadata: ArtifactMetadata, checkpoint: Checkpoint) -> None:
    """Compare the shape of the artifact's input with the network's.

    Raises:
        UsageError: in one sentence, when it is another one.
    """
    tensor = image_input(session.inputs, path)
    spec = checkpoint.spec
    layout = input_layout(tensor, metadata.input_layout, "NHWC" if metadata.format == "tflite" else "NCHW")
    image = spec.input_shape
    expected_shape = image if layout == "NCHW" else (*image[1:], image[0])
    if any(size is not None and size != other for size, other in zip(tensor.shape[1:], expected_shape, strict=True)):
        why = f"it takes images of {_dims(tensor.shape[1:])} and the network {_dims(expected_shape)}{origin(metadata)}"
        raise UsageError("the artifact does not fit the checkpoint", where=path, why=why)


def origin(metadata: ArtifactMetadata) -> str:
    """Words for a message: that the artifact is from elsewhere, where it is."""
    return "; it was not made by eamdeploy" if metadata.foreign else ""


def said_output(metadata: ArtifactMetadata) -> str | None:
    """``output=NAME`` where the artifact itself says which of its outputs holds the classes."""
    name = head_of(metadata).output
    return None if name is None else f"output={name}"


def carries_what_the_checkpoint_has(metadata: ArtifactMetadata, checkpoint: Checkpoint) -> str | None:
    """What classes or preprocessing the artifact carries that are not the checkpoint's; ``None`` if they are."""
    if tuple(metadata.classes) != tuple(checkpoint.classes):
        return "it carries other class names than the checkpoint"
    preprocessing = Preprocessing.from_dict(metadata.preprocessing or {"size": checkpoint.spec.input_px})
    theirs = Preprocessing.from_dict(checkpoint.preprocessing)
    if preprocessing != theirs:
        names = [name for name, value in preprocessing.to_dict().items() if value != theirs.to_dict()[name]]
        return f"it carries another preprocessing than the checkpoint ({', '.join(names)})"
    return None


def _dims(shape: tuple[int | None, ...]) -> str:
    return "x".join("B" if size is None else str(size) for size in shape)
