"""Run an artifact image by image and in batches."""

from __future__ import annotations

import numpy as np

from eamdeploy.parity.compare.metrics import Array
from eamdeploy.parity.run.reference import Images
from runtimes.protocol import Session

DYNAMIC_BATCHES = (1, 3, 8)


def fixed_batch(session: Session) -> int | None:
    """The batch an artifact is made for; ``None`` where it takes any."""
    return session.inputs[0].shape[0]


def run_scores(session: Session, images: Images, batch: int) -> Array:
    """The first output (n, classes), ``batch`` images at a time."""
    pieces = [session.run(images[start : start + batch])[0] for start in range(0, len(images), batch)]
    return np.concatenate(pieces).reshape(len(images), -1).astype(np.float64)


def rearranged(session: Session, images: Images) -> list[tuple[int, Array, Array]]:
    """Other ways to batch the same images: (batch, scores so, scores to compare with), where the artifact allows any.

    An artifact with an open batch takes the images in batches of 1, 3 and 8. One with a fixed batch above 1 takes them
    in another order, so that every image has other neighbours and another place.
    """
    size = fixed_batch(session)
    if size == 1:
        return []
    alone = run_scores(session, images, size or 1)
    if size is None:
        return [(batch, run_scores(session, images, batch), alone) for batch in DYNAMIC_BATCHES[1:]]
    order = np.roll(np.arange(len(images)), 1)[::-1]
    turned = np.empty_like(alone)
    turned[order] = run_scores(session, images[order], size)
    return [(size, turned, alone)]
