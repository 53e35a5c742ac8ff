"""Artifacts that end in a softmax, which the network they are compared with does not have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from eamdeploy.data import ImageDataset
from eamdeploy.data.dataset import take
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.data.stream import chunks
from eamdeploy.inference.head_finding import look_of, shown_head
from eamdeploy.inference.model_card import head_of
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.parity.run.batches import fixed_batch, run_scores
from runtimes.protocol import Session
from runtimes.readers.metadata import ArtifactMetadata

LOOKED_AT = 8


def gives_probabilities(
    path: Path, session: Session, metadata: ArtifactMetadata, checkpoint: Checkpoint, images: ImageDataset
) -> bool:
    """Whether the artifact answers with probabilities: by what it says, or a foreign one by what they look like."""
    if not metadata.foreign:
        return head_of(metadata).kind == "probabilities"
    prepare = Preprocessing.from_dict(checkpoint.preprocessing).apply
    if shown_head(path, session.outputs[0].name) is not None:
        return True
    _, values = next(chunks(take(images, LOOKED_AT), prepare, LOOKED_AT, []))
    scores = run_scores(session, np.stack(values), fixed_batch(session) or 1)
    return scores.shape[1] > 1 and look_of(scores) == "probabilities"


@contextlib.contextmanager
def softmax_behind(network: nn.Module) -> Iterator[None]:
    """Inside, the network and copies of it answer with probabilities."""

    def soften(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        del module, inputs
        return output.softmax(dim=1)

    handle = network.register_forward_hook(soften)
    try:
        yield
    finally:
        handle.remove()
