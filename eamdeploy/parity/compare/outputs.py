"""Compare what the artifact gave with what the network gave: outputs, flips, mixing weights, batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from eamdeploy.inference.head import Head
from eamdeploy.parity.compare.metrics import Array, not_finite, relative_errors, snr_db
from eamdeploy.parity.report.judge import ParityJudge
from eamdeploy.parity.report.model import AttentionParity, BatchParity, Flip, OutputParity
from eamdeploy.parity.run.reference import ReferenceRun

Mask = npt.NDArray[np.bool_]
# a spread of the mixing weights below this many times their rounding says nothing
_VARIES = 4.0
# fewer images do not tell how much a column varies; shares of the mean variance, and of a column's own
_FEW_IMAGES, _TELLING, _LOST = 10, 0.25, 0.8


def compare_output(name: str, value: Array, reference: Array, judge: ParityJudge, excused: Mask) -> OutputParity:
    """One output (n, classes) against the network's. Where a limit is broken, ``excused`` images are not held to it."""
    broken = not_finite(value)
    finite = np.nan_to_num(value, nan=0.0, posinf=0.0, neginf=0.0)
    relative = relative_errors(finite, reference)
    absolute = np.abs(finite - reference).max(axis=1)
    decided = ~excused
    ratio = snr_db(finite, reference)
    columns_lost = () if judge.exact else lost_columns(finite, reference)
    if judge.exact:
        passed = not bool(beyond(value, reference, judge)[decided].any()) and not broken
    else:
        passed = not broken and not columns_lost and (ratio is None or ratio >= judge.limits.min_snr_db)
    return OutputParity(
        name=name,
        images=len(reference),
        snr_db=ratio,
        max_abs_error=float(absolute.max()),
        mean_abs_error=float(np.abs(finite - reference).mean()),
        relative_error=float(relative.max()),
        rounding_relative=judge.rounding.output_relative,
        tolerance_relative=judge.output_relative if judge.exact else None,
        rounding_abs=judge.rounding.output_abs,
        tolerance_abs=judge.output_abs if judge.exact else None,
        not_finite=broken,
        passed=passed,
        lost=columns_lost,
    )


def lost_columns(value: Array, reference: Array) -> tuple[int, ...]:
    """The columns of an output that no longer follow the reference: a class that always gets the same score, for one.

    One class of ten is a tenth of the energy, so the signal-to-noise ratio of the whole does not show it. Columns that
    hardly vary are left out: what they lose is within the noise that the others are allowed.
    """
    if len(reference) < _FEW_IMAGES or reference.ndim != 2:
        return ()
    spread = reference.var(axis=0)
    noise = ((value - reference) ** 2).mean(axis=0)
    telling = spread > _TELLING * spread.mean()
    return tuple(np.flatnonzero(telling & (noise > _LOST * spread)).tolist())


def beyond(value: Array, reference: Array, judge: ParityJudge) -> Mask:
    """The images whose scores differ by more than an exact artifact's may, (n,)."""
    finite = np.nan_to_num(value, nan=0.0, posinf=0.0, neginf=0.0)
    relative = judge.each(len(value), lambda rounding: rounding.output_relative)
    absolute = judge.each(len(value), lambda rounding: rounding.output_abs)
    difference = np.abs(finite - reference).max(axis=1)
    exceeding: Mask = (relative_errors(finite, reference) > relative) | (difference > absolute)
    return exceeding


def find_flips(
    value: Array,
    reference: Array,
    *,
    judge: ParityJudge,
    excused: Mask,
    names: Sequence[str],
    classes: Sequence[str],
    head: Head | None = None,
) -> tuple[Flip, ...]:
    """The images whose answer changed; of a network of ours, whose largest score is another class's."""
    head = head or Head()
    if head.multi_label:
        return _label_flips(value, reference, names, classes, head)
    ours, theirs = head.answers(reference)[:, 0], head.answers(value)[:, 0]
    reference = head.ranking(reference, len(classes))
    # each of the two scores may be off by the tolerance
    bounds = 2 * judge.each(len(value), lambda rounding: rounding.output_abs)
    flips = []
    for image in np.flatnonzero(ours != theirs).tolist():
        margin = float(reference[image, ours[image]] - reference[image, theirs[image]])
        bound = float(bounds[image])
        counts = margin > bound and not excused[image]
        flips.append(
            Flip(
                names[image],
                classes[ours[image]],
                artifact=classes[theirs[image]],
                margin=margin,
                rounding=bound,
                counts=counts,
            )
        )
    return tuple(flips)


def _label_flips(
    value: Array, reference: Array, names: Sequence[str], classes: Sequence[str], head: Head
) -> tuple[Flip, ...]:
    """The images of which another set of labels is said; the margin is that of the label farthest from the threshold."""
    ours, theirs = head.answers(reference), head.answers(value)
    distance = np.abs(head.probabilities(reference) - head.threshold)
    flips = []
    for image in np.flatnonzero((ours != theirs).any(axis=1)).tolist():
        before, after = (_labels(row[image], classes) for row in (ours, theirs))
        margin = float(distance[image][ours[image] != theirs[image]].max())
        flips.append(Flip(names[image], before, artifact=after, margin=margin, rounding=0.0, counts=True))
    return tuple(flips)


def _labels(yes: npt.NDArray[np.int64], classes: Sequence[str]) -> str:
    return ", ".join(classes[index] for index in np.flatnonzero(yes).tolist()) or "none"


def compare_attention(
    alphas: Mapping[str, tuple[str, Array]], reference: ReferenceRun, judge: ParityJudge, undecided: Mapping[str, Mask]
) -> tuple[AttentionParity, ...]:
    """Mixing weights by layer.

    Args:
        alphas: layer to tensor name and weights (n, k).
        reference: the network on the same images.
        judge: the tolerances.
        undecided: of CGR-max layers, the images on which rounding decides a choice.
    """
    rows = []
    excused = np.zeros(len(reference.output), dtype=bool)
    for layer, expected in reference.alphas.items():
        excused = excused | undecided.get(layer, np.zeros_like(excused))
        if layer not in alphas:
            continue
        tensor, value = alphas[layer]
        error = np.abs(np.nan_to_num(value, nan=2.0) - expected)
        allowed = judge.alpha_abs(layer, len(error))
        wrong = error.max(axis=1) > allowed
        decided = ~(excused & wrong)
        winner = expected.argmax(axis=1)
        choice = value.argmax(axis=1)
        rows_index = np.arange(len(expected))
        margin = expected[rows_index, winner] - expected[rows_index, choice]
        spread, rounding = float(expected.std(axis=0).max()), judge.rounding.alpha_abs[layer]
        rows.append(
            AttentionParity(
                layer=layer,
                tensor=tensor,
                images=len(expected),
                max_abs_error=float(error[decided].max(initial=0.0)),
                mean_abs_error=float(error[decided].mean()) if decided.any() else 0.0,
                rounding_abs=rounding,
                tolerance_abs=float(allowed.max()) if judge.exact else None,
                winner_changes=int(((margin > 2 * allowed) & decided).sum()),
                excused=int((~decided).sum()),
                variation=float(value.std(axis=0).max()) / spread if spread > _VARIES * rounding else None,
                passed=not judge.exact or not bool((wrong & decided).any()),
            )
        )
    return tuple(rows)


def compare_batch(batch: int, value: Array, alone: Array, judge: ParityJudge) -> BatchParity:
    """Images out of a batch against the same images alone."""
    difference = float(np.abs(value - alone).max())
    allowed = judge.output_abs
    return BatchParity(batch, len(alone), difference, allowed, bool(difference <= allowed))
