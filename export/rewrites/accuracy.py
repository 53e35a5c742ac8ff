"""How many more answers a rewritten network gets wrong than the exact one, on the same images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from eamdeploy.base.intervals import paired_interval


@dataclass(frozen=True)
class Change:
    """A rewritten network's answers beside the exact network's.

    Attributes:
        images: compared.
        top1_exact, top1: in percent.
        lost, gained: images that only the exact, or only the rewritten network answers rightly.
        flips: images with another answer, right or wrong.
        expected_points: what the changed answers cost by the exact network's own probabilities, in points of top-1: the
            mean of ``p(its answer) - p(the rewritten one's answer)``. It is never negative: luck cannot hide harm.
    """

    images: int
    top1_exact: float
    top1: float
    lost: int
    gained: int
    flips: int
    expected_points: float

    @property
    def drop_points(self) -> float:
        """Points of top-1 lost; negative where the rewritten network does better."""
        return 100 * (self.lost - self.gained) / self.images

    @property
    def error95_points(self) -> float:
        """The farther bound of the drop's 95 % interval, as a distance from it; never zero, whatever the images say."""
        low, high = paired_interval(self.gained, self.lost, self.images)
        observed = (self.gained - self.lost) / self.images
        return 100 * max(high - observed, observed - low)

    def within(self, budget_points: float) -> bool:
        """Whether neither the drop nor its expectation is more than the budget."""
        return max(self.drop_points, self.expected_points) <= budget_points + 1e-9

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "images": self.images,
            "top1_exact": self.top1_exact,
            "top1": self.top1,
            "drop_points": round(self.drop_points, 4),
            "expected_points": round(self.expected_points, 4),
            "error95_points": round(self.error95_points, 4),
            "lost": self.lost,
            "gained": self.gained,
            "flips": self.flips,
        }


def compare_answers(exact: Tensor, rewritten: Tensor, labels: Tensor) -> Change:
    """Compare scores ``(N, classes)`` of the two networks on images with ``labels: (N,)``."""
    before, after = exact.argmax(1), rewritten.argmax(1)
    right_before, right_after = before == labels, after == labels
    count = len(labels)
    return Change(
        images=count,
        top1_exact=100 * int(right_before.sum()) / count,
        top1=100 * int(right_after.sum()) / count,
        lost=int((right_before & ~right_after).sum()),
        gained=int((right_after & ~right_before).sum()),
        flips=int((before != after).sum()),
        expected_points=100 * float((_chance(exact, before) - _chance(exact, after)).mean()),
    )


def _chance(scores: Tensor, answers: Tensor) -> Tensor:
    """The softmax probability of each image's answer, ``(N,)``."""
    return scores.double().softmax(1).gather(1, answers[:, None])[:, 0]
