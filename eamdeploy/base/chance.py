"""Chance-level accuracy: an accuracy that guessing reaches proves nothing about a model, whatever is compared with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from eamdeploy.base.head_metric import HeadMetric
from eamdeploy.base.intervals import share_interval
from eamdeploy.base.results import AccuracyResult


def chance_share(confused: Iterable[tuple[int, int, int]]) -> float:
    """The share of right answers if the answers did not depend on the images: each class by how often it is given.

    J. Cohen, "A coefficient of agreement for nominal scales", 1960. A model that always gives one class is at chance by
    this measure, however many images are of that class.

    Args:
        confused: (true class, class given, images).
    """
    true, predicted = Counter[int](), Counter[int]()
    for right, answer, images in confused:
        true[right] += images
        predicted[answer] += images
    total = true.total()
    return sum(count * predicted[right] for right, count in true.items()) / total**2 if total else 1.0


def at_chance(share: float, count: int, classes: int | None = None, *, chance: float | None = None) -> bool:
    """Whether a share of right answers cannot be told from guessing.

    Args:
        share: right answers, 0 to 1, of ``count`` images.
        classes: how many the images have; guessing reaches one in so many.
        chance: what guessing reaches, where that is known better (:func:`chance_share`).
    """
    guessed = max(1.0 / classes if classes else 0.0, chance or 0.0)
    return share_interval(share, count)[0] <= guessed


def reference_warning(top1: float | None, images: int, classes: int) -> str | None:
    """As :func:`chance_warning`, of a reference that something is compared with, where its accuracy is known."""
    if top1 is None or images < 1:
        return None
    warning = chance_warning(AccuracyResult(top1, images), classes)
    return f"the reference is at chance level: {warning}" if warning else None


def _metric_warning(metric: HeadMetric, images: int) -> str | None:
    if metric.low > metric.chance:
        return None
    return (
        f"{metric.title} of {metric.value:.2f} % over {images} images is no better than guessing ({metric.chance:.3g} %): "
        "check the preprocessing (mean, std, size), the order of the classes, or give more images"
    )


def chance_warning(result: AccuracyResult, classes: int | None = None) -> str | None:
    """One sentence where ``result`` cannot be told from guessing, else ``None``."""
    if result.metric is not None:
        return _metric_warning(result.metric, result.n)
    chance = None if result.confused is None else chance_share(result.confused)
    if classes is None and result.confused is not None:
        classes = len({right for right, _, _ in result.confused}) or None
    if not at_chance(result.top1 / 100, result.n, classes, chance=chance):
        return None
    guessed = max(1.0 / classes if classes else 0.0, chance or 0.0)
    reach = f" ({100 * guessed:.3g} %)" if guessed else ""
    return (
        f"{result.top1:.2f} % of {result.n} images is no better than guessing{reach}: check the preprocessing (mean, std, "
        "size), the order of the classes, or give more images"
    )
