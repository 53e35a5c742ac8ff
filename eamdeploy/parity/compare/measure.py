"""From the two runs to figures: rounding, outputs, flips, mixing weights, batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eamdeploy.data import ImageDataset
from eamdeploy.data.dataset import label_sets
from eamdeploy.inference.head import Head
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.parity.compare.metrics import Array, relative_errors
from eamdeploy.parity.compare.outputs import Mask, beyond, compare_attention, compare_batch, compare_output, find_flips
from eamdeploy.parity.compare.rounding import measure_rounding
from eamdeploy.parity.compare.suspects import near_ties, with_own_rounding
from eamdeploy.parity.report.judge import ParityJudge, factor_for, is_exact
from eamdeploy.parity.report.limits import ParityTolerance
from eamdeploy.parity.report.model import AttentionParity, BatchParity, Flip, OutputParity
from eamdeploy.parity.run.batches import fixed_batch, rearranged, run_scores
from eamdeploy.parity.run.images import BothRuns
from eamdeploy.parity.run.reference import Images, ReferenceRun, run_reference
from eamdeploy.parity.run.widen import round_to_half, widen
from runtimes.protocol import Session
from runtimes.readers.metadata import ArtifactMetadata

ROUNDING_IMAGES = 8


@dataclass(frozen=True)
class ParityMeasurements:
    """What the comparison of one artifact gave.

    Attributes:
        excused: images not held to a limit because rounding decides a channel choice.
        attention_unseen: why the mixing weights could not be seen, or ``None``.
        dynamic: whether the network has dynamic layers at all.
        random: the same for noise, where it was asked for.
        worst: positions in the data set of the images that differ most, the worst first.
    """

    judge: ParityJudge
    images: int
    outputs: tuple[OutputParity, ...]
    flips: tuple[Flip, ...]
    attention: tuple[AttentionParity, ...]
    attention_unseen: str | None
    dynamic: bool
    batches: tuple[BatchParity, ...]
    random: OutputParity | None
    excused: int
    reference_top1: float | None
    artifact_top1: float | None
    skipped: tuple[str, ...]
    worst: tuple[int, ...]


def measure(
    runs: BothRuns,
    session: Session,
    *,
    metadata: ArtifactMetadata,
    checkpoint: Checkpoint,
    dataset: ImageDataset,
    limits: ParityTolerance,
    random_images: int,
) -> ParityMeasurements:
    """Judge what the two runs gave, and try the artifact in other batches (and on noise)."""
    precision = metadata.precision or "fp32"
    rounded, exact = _rounding_runs(checkpoint, runs, precision)
    rounding = measure_rounding(rounded, exact, precision)
    judge = ParityJudge(is_exact(metadata), factor_for(precision, limits), limits, rounding)
    if judge.exact:
        judge = with_own_rounding(judge, runs, checkpoint, dataset, precision)
    name = session.outputs[0].name
    reference, scores = runs.reference.output, runs.scores
    near = near_ties(judge, runs.reference)
    any_near: Mask = np.any(list(near.values()), axis=0) if near else np.zeros(len(scores), dtype=bool)
    excused = any_near & beyond(scores, reference, judge)
    count = runs.attention_images
    return ParityMeasurements(
        judge=judge,
        images=len(scores),
        outputs=(compare_output(name, scores, reference, judge, excused),),
        flips=find_flips(
            scores,
            reference,
            judge=judge,
            excused=excused,
            names=[dataset.key(index) for index in runs.indices],
            classes=checkpoint.classes,
        ),
        attention=compare_attention(
            runs.alphas,
            runs.reference.take(np.arange(count)),
            judge,
            {layer: mask[:count] for layer, mask in near.items()},
        ),
        attention_unseen=runs.unseen,
        dynamic=bool(runs.reference.alphas),
        batches=_batches(session, runs.first, judge),
        random=_random(session, checkpoint, judge, random_images),
        excused=int(excused.sum()),
        reference_top1=top1_percent(reference, dataset, runs.indices, checkpoint.classes),
        artifact_top1=top1_percent(scores, dataset, runs.indices, checkpoint.classes),
        skipped=runs.skipped,
        worst=tuple(runs.indices[position] for position in _worst(scores, reference, any_near)),
    )


def _rounding_runs(checkpoint: Checkpoint, runs: BothRuns, precision: str) -> tuple[ReferenceRun, ReferenceRun]:
    images = runs.first[:ROUNDING_IMAGES]
    exact = run_reference(widen(checkpoint.network), images, batch=2)
    if precision == "fp16":
        return run_reference(round_to_half(checkpoint.network), images), exact
    return runs.reference.take(np.arange(len(images))), exact


def _worst(scores: Array, reference: Array, undecided_images: Mask, count: int = 2) -> list[int]:
    """The images to look inside at: the largest errors; those with an undecided choice last."""
    errors = np.nan_to_num(relative_errors(scores, reference), nan=np.inf, posinf=np.inf)
    order = np.lexsort((-errors, undecided_images))
    return [int(position) for position in order[:count]]


def _batches(session: Session, images: Images, judge: ParityJudge) -> tuple[BatchParity, ...]:
    size = fixed_batch(session)
    batch_images = images[: max(8, size or 1)]
    if size is not None and len(batch_images) < 2:
        return ()
    return tuple(compare_batch(*row, judge) for row in rearranged(session, batch_images))


def _random(session: Session, checkpoint: Checkpoint, judge: ParityJudge, count: int) -> OutputParity | None:
    if not count:
        return None
    spec = checkpoint.spec
    shape = (count, *spec.input_shape)
    noise = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    reference = run_reference(checkpoint.network, noise)
    # noise is judged by the rounding of the pictures as a whole: none of them is this image
    judge = replace(judge, image_rounding={})
    near = near_ties(judge, reference)
    excused: Mask = np.any(list(near.values()), axis=0) if near else np.zeros(count, dtype=bool)
    scores = run_scores(session, noise, fixed_batch(session) or 1)
    return compare_output(session.outputs[0].name, scores, reference.output, judge, excused)


def top1_percent(
    scores: Array, dataset: ImageDataset, indices: Sequence[int], classes: Sequence[str], head: Head | None = None
) -> float | None:
    """Percent, where the labels are the network's and exclude each other."""
    head = head or Head()
    if tuple(dataset.classes) != tuple(classes) or head.multi_label or label_sets(dataset) is not None:
        return None
    labels = np.asarray([dataset.label(index) for index in indices])
    return float((head.answers(scores)[:, 0] == labels).mean() * 100)
