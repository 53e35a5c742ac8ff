"""The accuracy of heads that top-1 does not fit: mean average precision of labels, balanced accuracy of two classes.

Both come with what each image contributed (jackknife pseudo-values; B. Efron, "Bootstrap methods: another look at the
jackknife", 1979), so that the difference of two runs over the same images has an interval without their scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import DataError
from eamdeploy.base.head_metric import MOST_SHARES, HeadMetric
from eamdeploy.data.dataset import ImageDataset, label_sets
from eamdeploy.inference.head import Head, Scores

Labels = npt.NDArray[np.int64]
Truth = npt.NDArray[np.bool_]
_DIGITS = 4


def average_precision(scores: Scores, truth: Truth) -> float:
    """Of one label: the precision at each image that has it, averaged; images of equal scores count together.

    ``sum_n (R_n - R_{n-1}) P_n`` over the thresholds, as scikit-learn computes it. Both ``(n,)``; at least one image must
    have the label.
    """
    above, right = _standing(scores, truth)
    return float((right[truth] / above[truth]).mean())


def without_each(scores: Scores, truth: Truth) -> npt.NDArray[np.float64]:
    """The average precision without the first image, without the second...: ``(n,)``.

    Where only one image has the label, it is left as it is without that image.
    """
    above, right = _standing(scores, truth)
    positives = int(truth.sum())
    terms = np.where(truth, right / above, 0.0)
    # an image without which fewer are above: the terms of the positives at or below it change
    fewer = np.maximum(above - 1, 1)
    full, reduced = np.where(truth, right / fewer, 0.0), np.where(truth, 1.0 / fewer, 0.0)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    # for each image: how many images have a higher score
    higher = np.searchsorted(-ranked, -scores, side="left")
    sums = [np.concatenate([[0.0], np.cumsum(values[order])]) for values in (terms, full, reduced)]
    before = sums[0][higher]
    below, ones = (values[-1] - values[higher] for values in sums[1:])
    total = before + below - truth * ones
    total -= np.where(truth, (right - 1) / fewer, 0.0)  # the term of its label
    left = positives - truth
    return np.asarray(np.where(left > 0, total / np.maximum(left, 1), terms.sum() / positives))


def mean_average_precision(scores: Scores, truth: Truth) -> HeadMetric | None:
    """Over the labels that some image has; ``None`` where there is none. Both ``(n, labels)``; percent."""
    labels = np.flatnonzero(truth.any(axis=0))
    if not len(labels):
        return None
    each = [average_precision(scores[:, label], truth[:, label]) for label in labels]
    value = float(np.mean(each))
    without = np.mean([without_each(scores[:, label], truth[:, label]) for label in labels], axis=0)
    # scores that say nothing reach the share of images that have the label
    chance = float(truth[:, labels].mean())
    return _metric(
        "map", value, without, chance=chance, rarest=int(truth[:, labels].sum(axis=0).min()), parts=len(labels)
    )


def balanced_accuracy(answers: Labels, labels: Labels) -> HeadMetric | None:
    """The mean over the classes of the share of their images that is answered rightly, ``(n,)`` each; percent.

    ``None`` with images of one class only: what always answers it would be perfect.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        return None
    right = answers == labels
    position = np.searchsorted(classes, labels)
    hits = np.bincount(position, weights=right)
    recalls = hits / counts
    rest = np.maximum(counts[position] - 1, 1)
    alone = np.where(counts[position] > 1, (hits[position] - right) / rest, recalls[position])
    value = float(recalls.mean())
    without = value + (alone - recalls[position]) / len(classes)
    chance = 1 / len(classes)
    return _metric("balanced", value, without, chance=chance, rarest=int(counts.min()), parts=len(classes))


def head_metric(head: Head, scores: Scores, targets: Labels | Truth) -> HeadMetric | None:
    """What fits the head; ``None`` where that is top-1.

    Args:
        scores: of the head, ``(n, width)``.
        targets: of a multi-label head ``(n, labels)``, which image has which; else the class of each image, ``(n,)``.
    """
    if head.multi_label:
        return mean_average_precision(head.probabilities(scores), targets.astype(bool))
    if head.two_classes:
        return balanced_accuracy(head.answers(scores)[:, 0], targets.astype(np.int64))
    return None


def label_matrix(
    data: ImageDataset, indices: Sequence[int], labels: int, *, where: object = None
) -> npt.NDArray[np.int64]:
    """Which image has which of a model's labels, ``(n, labels)`` of 0 and 1.

    Args:
        indices: for each label of the data its number in the model.
        where: the model, for messages.

    Raises:
        DataError: when the data gives each image one class.
    """
    sets = label_sets(data)
    if sets is None:
        why = "its labels do not exclude each other, and the data gives each image one class"
        hint = (
            "give a table as the data: a CSV file with the columns path,labels and rows such as photos/1.jpg,cat;sofa"
        )
        raise DataError("a multi-label classifier has no best class", where=where, why=why, hint=hint)
    matrix = np.zeros((len(sets), labels), np.int64)
    for row, row_labels in enumerate(sets):
        matrix[row, [indices[label] for label in row_labels]] = 1
    return matrix


def exact_matches(head: Head, scores: Scores, truth: Truth) -> Truth:
    """The images of which a multi-label head says exactly their labels, ``(n,)``."""
    return np.asarray((head.answers(scores).astype(bool) == truth).all(axis=1))


def _standing(scores: Scores, truth: Truth) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """For each image: how many have its score or a higher one, and how many of those have the label."""
    ranked = np.sort(scores)
    marked = np.sort(scores[truth])
    above = len(ranked) - np.searchsorted(ranked, scores, side="left")
    right = len(marked) - np.searchsorted(marked, scores, side="left")
    return above.astype(np.float64), right.astype(np.float64)


def _metric(
    name: str, value: float, without: npt.NDArray[np.float64], *, chance: float, rarest: int, parts: int
) -> HeadMetric:
    count = len(without)
    shares = 100 * (count - 1) * (value - without)
    contributions = tuple(np.round(shares, _DIGITS).tolist()) if count <= MOST_SHARES else ()
    bare = HeadMetric(
        name="map" if name == "map" else "balanced",
        value=100 * value,
        low=100 * value,
        high=100 * value,
        chance=100 * chance,
        least=100 / (parts * (rarest + 2)),
        shares=contributions,
    )
    return bare.bounded(float(np.sqrt((shares**2).sum() / max(count * (count - 1), 1))))
