"""Images on which an artifact differs by more than the others' rounding: what is rounding there is measured again, there.

How much rounding is amplified depends on the image, and by orders of magnitude where a softmax is sharp. Few images are
suspect; each is run in float64, exactly and with every layer's result off by one rounding. A wrong artifact is beyond
that too, and the first images that show it end the search.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eamdeploy.data import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.parity.compare.metrics import relative_errors
from eamdeploy.parity.compare.outputs import Mask, beyond
from eamdeploy.parity.compare.rounding import Rounding, largest, measure_rounding, undecided, unit_of
from eamdeploy.parity.report.judge import ParityJudge
from eamdeploy.parity.run.images import BothRuns
from eamdeploy.parity.run.reference import ReferenceRun, run_reference
from eamdeploy.parity.run.widen import perturb, round_to_half, widen

AT_ONCE = 4
DRAWS = 2


def near_ties(judge: ParityJudge, run: ReferenceRun) -> dict[str, Mask]:
    """Of each CGR-max layer, the images on which rounding decides a channel choice."""
    if not judge.exact:
        return {}
    return undecided(run, lambda layer: judge.mean_abs(layer, len(run.output)))


def with_own_rounding(
    judge: ParityJudge, runs: BothRuns, checkpoint: Checkpoint, dataset: ImageDataset, precision: str
) -> ParityJudge:
    """``judge`` with the own rounding of every suspect image, until none is left or some are beyond theirs."""
    while True:
        suspect = np.flatnonzero(_suspect(judge, runs))
        if not len(suspect) or any(int(position) in judge.image_rounding for position in suspect):
            return judge
        errors = np.nan_to_num(relative_errors(runs.scores, runs.reference.output), nan=np.inf)
        worst = suspect[np.argsort(-errors[suspect], kind="stable")][:AT_ONCE]
        measured = _measure(worst.tolist(), runs, checkpoint, dataset, precision)
        judge = replace(judge, image_rounding={**judge.image_rounding, **measured})


def _suspect(judge: ParityJudge, runs: BothRuns) -> Mask:
    """Images beyond the tolerance with no tie to excuse them."""
    near = near_ties(judge, runs.reference)
    tied: Mask = np.zeros(len(runs.scores), dtype=bool)
    suspect: Mask = tied.copy()
    count = runs.attention_images
    for layer, expected in runs.reference.alphas.items():
        # a tie excuses its layer and those after it
        tied = tied | near.get(layer, tied)
        if layer in runs.alphas:
            error = np.abs(np.nan_to_num(runs.alphas[layer][1], nan=2.0) - expected[:count]).max(axis=1)
            suspect[:count] |= (error > judge.alpha_abs(layer, count)) & ~tied[:count]
    return suspect | (beyond(runs.scores, runs.reference.output, judge) & ~tied)


def _measure(
    positions: list[int], runs: BothRuns, checkpoint: Checkpoint, dataset: ImageDataset, precision: str
) -> dict[int, Rounding]:
    apply = Preprocessing.from_dict(checkpoint.preprocessing).apply
    images = np.stack([apply(dataset.image(runs.indices[position])) for position in positions])
    network, unit = checkpoint.network, unit_of(precision)
    exact = run_reference(widen(network), images)
    draws = [run_reference(perturb(network, 2 * unit, seed), images) for seed in range(DRAWS)]
    if precision == "fp16":
        draws.append(run_reference(round_to_half(network), images))
    else:
        draws.append(runs.reference.take(np.asarray(positions)))
    rounding = {}
    for row, position in enumerate(positions):
        row_array = np.asarray([row])
        single = [measure_rounding(draw.take(row_array), exact.take(row_array), precision) for draw in draws]
        rounding[position] = largest(single)
    return rounding
