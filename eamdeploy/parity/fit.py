"""Whether an artifact can be compared with a checkpoint at all."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import Checkpoint
from runtimes.batching import image_input, input_layout
from runtimes.protocol import Session
from runtimes.readers.metadata import ArtifactMetadata


def check_fit(path: Path, session: Session, metadata: ArtifactMetadata, checkpoint: Checkpoint) -> None:
    """Compare the shapes of the artifact's input and output with the network's.

    Raises:
        UsageError: in one sentence, when they are other ones.
    """
    tensor = image_input(session.inputs, path)
    spec = checkpoint.spec
    layout = input_layout(tensor, metadata.input_layout, "NHWC" if metadata.format == "tflite" else "NCHW")
    image = spec.input_shape
    wanted = image if layout == "NCHW" else (*image[1:], image[0])
    foreign = "; it was not made by eamdeploy" if metadata.foreign else ""
    if any(size is not None and size != other for size, other in zip(tensor.shape[1:], wanted, strict=True)):
        why = f"it takes images of {_dims(tensor.shape[1:])} and the network {_dims(wanted)}{foreign}"
        raise UsageError("the artifact does not fit the checkpoint", where=path, why=why)
    shapes = [output.shape for output in session.outputs]
    if len(shapes) != 1 or shapes[0][-1:] not in ((spec.classes,), (None,)):
        found = ", ".join(_dims(shape) for shape in shapes)
        why = f"its outputs are {found} and the network has {spec.classes} classes{foreign}"
        raise UsageError("the artifact does not fit the checkpoint", where=path, why=why)


def carries_what_the_checkpoint_has(metadata: ArtifactMetadata, checkpoint: Checkpoint) -> str | None:
    """What classes or preprocessing the artifact carries that are not the checkpoint's; ``None`` if they are."""
    if tuple(metadata.classes) != tuple(checkpoint.classes):
        return "it carries other class names than the checkpoint"
    own = Preprocessing.from_dict(metadata.preprocessing or {"size": checkpoint.spec.input_px})
    theirs = Preprocessing.from_dict(checkpoint.preprocessing)
    if own != theirs:
        names = [name for name, value in own.to_dict().items() if value != theirs.to_dict()[name]]
        return f"it carries another preprocessing than the checkpoint ({', '.join(names)})"
    return None


def _dims(shape: tuple[int | None, ...]) -> str:
    return "x".join("B" if size is None else str(size) for size in shape)
