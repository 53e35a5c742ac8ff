"""Run the network and the artifact on the same images, piece by piece, and keep scores and mixing weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eamdeploy.base.errors import MissingDependency
from eamdeploy.base.progress import Progress
from eamdeploy.data import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.data.stream import chunks
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.parity.compare.metrics import Array
from eamdeploy.parity.run.alphas import assign_alphas, wanted_keys
from eamdeploy.parity.run.batches import fixed_batch, run_scores
from eamdeploy.parity.run.probe import Probe, ProbedGraph, open_graph, open_probe
from eamdeploy.parity.run.reference import Images, ReferenceRun, join_runs, run_reference
from runtimes.protocol import Runtime, Session
from runtimes.readers.metadata import ArtifactMetadata

# mixing weights need a second run of the artifact, with its inner tensors visible
ATTENTION_IMAGES = 32
CHUNK, SMALL_PX = 16, 64


@dataclass(frozen=True)
class BothRuns:
    """What the two gave.

    Attributes:
        indices: positions in the data set of the images that decoded.
        skipped: names of those that did not.
        first: the first images, preprocessed.
        reference: the network on all of them.
        scores: the artifact's, (n, classes).
        alphas: layer to tensor and mixing weights of the first images.
        unseen: why there are none, or ``None``.
    """

    indices: tuple[int, ...]
    skipped: tuple[str, ...]
    first: Images
    reference: ReferenceRun
    scores: Array
    alphas: dict[str, tuple[str, Array]]
    unseen: str | None

    @property
    def attention_images(self) -> int:
        """How many images the mixing weights are known of."""
        return len(next(iter(self.alphas.values()))[1]) if self.alphas else 0


def run_both(
    path: Path,
    session: Session,
    *,
    runtime: Runtime,
    metadata: ArtifactMetadata,
    checkpoint: Checkpoint,
    dataset: ImageDataset,
    threads: int,
    progress: Progress,
) -> BothRuns:
    """Run both on every image that decodes.

    Raises:
        DataError: when none does.
    """
    batch = fixed_batch(session) or 1
    chunk = CHUNK if checkpoint.spec.input_px > SMALL_PX else 4 * CHUNK
    skipped: list[str] = []
    indices: list[int] = []
    pieces: list[tuple[Images, ReferenceRun, Array]] = []
    inner: dict[str, list[Array]] = {}
    images_done = 0
    preprocessing = Preprocessing.from_dict(checkpoint.preprocessing)
    with _probe(path, runtime, metadata, checkpoint, threads) as (graph, probe, unseen):
        for chunk_indices, prepared in chunks(
            dataset, preprocessing.apply, max(batch, chunk // batch * batch), skipped
        ):
            images = np.stack(prepared)
            # the pictures themselves are kept for the first piece alone
            random_part = images if not pieces else images[:0]
            pieces.append((random_part, run_reference(checkpoint.network, images), run_scores(session, images, batch)))
            if probe is not None and images_done < ATTENTION_IMAGES:
                part = images[: ATTENTION_IMAGES - images_done]
                images_done += len(part)
                for key, values in probe.run(part).items():
                    inner.setdefault(key, []).append(values)
            indices += chunk_indices
            progress.step(len(indices) + len(skipped), len(dataset))
    reference = join_runs([run for _, run, _ in pieces])
    alphas: dict[str, tuple[str, Array]] = {}
    if graph is not None:
        values_of = {key: np.concatenate(parts) for key, parts in inner.items()}
        keys = assign_alphas(graph, metadata, {layer: a.shape[1] for layer, a in reference.alphas.items()}, values_of)
        alphas = {layer: (key, values_of[key]) for layer, key in keys.items()}
        if not alphas:
            unseen = "the artifact does not show which of its tensors are the mixing weights"
    return BothRuns(
        tuple(indices),
        tuple(skipped),
        first=pieces[0][0],
        reference=reference,
        scores=np.concatenate([scores for _, _, scores in pieces]),
        alphas=alphas,
        unseen=unseen,
    )


@contextlib.contextmanager
def _probe(
    path: Path, runtime: Runtime, metadata: ArtifactMetadata, checkpoint: Checkpoint, threads: int
) -> Iterator[tuple[ProbedGraph | None, Probe | None, str | None]]:
    """The artifact's graph and a running copy that shows the mixing weights; or why there is none."""
    if checkpoint.spec.conv == "static":
        yield None, None, None
        return
    try:
        graph = open_graph(path)
    except MissingDependency as error:
        yield None, None, str(error)
        return
    keys = wanted_keys(graph, metadata)
    if not keys:
        yield None, None, "the artifact has no softmax inside: every kernel is fixed"
        return
    with open_probe(path, graph, keys, runtime, threads) as probe:
        yield graph, probe, None
