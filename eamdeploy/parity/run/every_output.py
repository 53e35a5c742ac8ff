"""Run two artifacts on the same images and keep every output of both, paired by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eamdeploy.base.progress import Progress
from eamdeploy.data import ImageDataset
from eamdeploy.data.stream import chunks
from eamdeploy.inference.model_card import ModelCard
from eamdeploy.parity.compare.metrics import Array
from eamdeploy.parity.run.batches import fixed_batch
from eamdeploy.parity.run.reference import Images
from runtimes.protocol import Session, TensorInfo

CHUNK = 64


@dataclass(frozen=True)
class OutputPairs:
    """Which output of the artifact answers to which of the reference.

    Attributes:
        pairs: the reference's name to the artifact's, in the reference's order.
        missing: outputs of the reference that the artifact does not have.
        extra: outputs of the artifact that the reference does not have.
    """

    pairs: dict[str, str]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


@dataclass(frozen=True)
class TwoRuns:
    """What both gave.

    Attributes:
        ours: of the artifact, output name to values (n, elements); ``theirs`` of the reference.
        indices: positions in the data set of the images that decode.
        skipped: names of those that do not.
    """

    ours: dict[str, Array]
    theirs: dict[str, Array]
    indices: list[int]
    skipped: list[str]


def pair_outputs(ours: Sequence[TensorInfo], theirs: Sequence[TensorInfo]) -> OutputPairs:
    """Pair outputs by name; where exactly one is left on either side, those two, since exporters rename outputs."""
    our_names, their_names = [tensor.name for tensor in ours], [tensor.name for tensor in theirs]
    pairs = {name: name for name in their_names if name in our_names}
    unpaired = [name for name in their_names if name not in pairs]
    free = [name for name in our_names if name not in pairs.values()]
    if len(unpaired) == len(free) == 1:
        pairs[unpaired.pop()] = free.pop()
    return OutputPairs({name: pairs[name] for name in their_names if name in pairs}, tuple(unpaired), tuple(free))


def run_every_output(
    ours: Session,
    theirs: Session,
    reference: ModelCard,
    images: ImageDataset,
    progress: Progress,
) -> TwoRuns:
    """Every output of both on every image that decodes, with the reference's preprocessing."""
    skipped: list[str] = []
    indices: list[int] = []
    pieces: tuple[list[dict[str, Array]], list[dict[str, Array]]] = ([], [])
    size = max(CHUNK, *(fixed_batch(session) or 1 for session in (ours, theirs)))
    for chunk_indices, prepared in chunks(images, reference.preprocessing.apply, size, skipped):
        batch = np.stack(prepared)
        for session, session_pieces in zip((ours, theirs), pieces, strict=True):
            session_pieces.append(_run(session, batch))
        indices += chunk_indices
        progress.step(len(indices) + len(skipped), len(images))
    return TwoRuns(_joined(pieces[0]), _joined(pieces[1]), indices, skipped)


def _run(session: Session, images: Images) -> dict[str, Array]:
    """Each output (n, elements), image by image or in the artifact's own batch."""
    step = fixed_batch(session) or 1
    parts = [session.run(images[start : start + step]) for start in range(0, len(images), step)]
    return {
        tensor.name: np.concatenate([part[index] for part in parts]).reshape(len(images), -1).astype(np.float64)
        for index, tensor in enumerate(session.outputs)
    }


def _joined(pieces: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
