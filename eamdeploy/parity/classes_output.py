"""The output of an artifact that holds the classes, where it has several: found by its width, or named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.inference.head import parse_head
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.parity.run.batches import fixed_batch
from runtimes.protocol import OperatorTime, Session, TensorInfo

if TYPE_CHECKING:
    from runtimes.protocol import Array, Float32

TRIED = 2  # images: of one, a row of scores could not be told from a single score


@dataclass(frozen=True)
class OneOutput:
    """A session that shows one of its outputs, so that whatever runs it gets the scores.

    Attributes:
        session: the artifact.
        position: of the output, in the artifact's order.
        others: names of the outputs that are left out.
    """

    session: Session
    position: int

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The artifact's."""
        return self.session.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The one."""
        return (self.session.outputs[self.position],)

    @property
    def other_outputs(self) -> tuple[str, ...]:
        """Names of the outputs that it leaves out."""
        return tuple(tensor.name for index, tensor in enumerate(self.session.outputs) if index != self.position)

    def run(self, batch: Float32) -> list[Array]:
        """As the session, of the one output."""
        return [self.session.run(batch)[self.position]]

    def raw_run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """As the session, of the one output."""
        return [self.session.raw_run(feeds)[self.position]]

    def timed_call(self, feeds: Mapping[str, Array]) -> Callable[[], Any]:
        """The session's."""
        return self.session.timed_call(feeds)

    def operator_times(self) -> Sequence[OperatorTime]:
        """The session's."""
        return self.session.operator_times()

    def close(self) -> None:
        """Free the session."""
        self.session.close()


def classes_output(path: Path, session: Session, checkpoint: Checkpoint, head: str | None, origin: str) -> OneOutput:
    """The output that answers to the network's scores.

    Args:
        path: the artifact, for messages.
        head: ``output=NAME``, where it is given: by the user or in the artifact itself.
        origin: words on where the artifact comes from, for messages.

    Raises:
        UsageError: when no output has one score a class, several have and none is named, or the named one is not there.
    """
    kind, fields = (None, {}) if head is None else parse_head(head)
    if kind is not None or "threshold" in fields:
        why = "its scores are logits of classes that exclude each other"
        raise UsageError("the checkpoint knows its head", where=head, why=why, hint="of a head only output=NAME helps")
    spec = checkpoint.spec
    count = fixed_batch(session) or TRIED
    values = session.run(np.zeros((count, *spec.input_shape), np.float32))
    names = [tensor.name for tensor in session.outputs]
    output_list = ", ".join(f"{name} {_dims(value.shape, count)}" for name, value in zip(names, values, strict=True))
    named = fields.get("output")
    if named is not None and named not in names:
        hint = did_you_mean(named, names) or f"it has {output_list}"
        raise UsageError(f"the artifact has no output '{named}'", where=path, hint=hint)
    candidates = range(len(names)) if named is None else [names.index(named)]
    fitting = [index for index in candidates if _width(values[index].shape, count) == spec.classes]
    if not fitting:
        which = "its outputs are" if named is None else f"'{named}' is one of"
        why = f"{which} {output_list} and the network has {spec.classes} classes{origin}"
        raise UsageError("the artifact does not fit the checkpoint", where=path, why=why)
    if len(fitting) > 1:
        why = f"several of its outputs could hold the classes: {output_list}"
        raise UsageError("which output?", where=path, why=why, hint="say it as the head: output=NAME")
    return OneOutput(session, fitting[0])


def _width(shape: tuple[int, ...], images: int) -> int | None:
    """Values an image, where it is one row an image: (B, C), (B, C, 1, 1), (B, 1, 1, C)."""
    long = [size for size in shape[1:] if size != 1]
    if not shape or shape[0] != images or len(shape) < 2 or len(long) > 1:
        return None
    return (long or [1])[0]


def _dims(shape: tuple[int, ...], images: int) -> str:
    first = "B" if shape and shape[0] == images else None
    return "x".join(str(size) for size in ((first, *shape[1:]) if first else shape)) or "a single number"
