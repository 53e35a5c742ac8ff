"""The accuracy of a head that top-1 does not fit, as it stands in a run."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from eamdeploy.base.values import Percent, Reading

MOST_SHARES = 20_000  # images; larger runs are compared by their intervals
METRIC_TITLES = {"map": "mAP", "balanced": "balanced accuracy"}


@dataclass(frozen=True)
class HeadMetric:
    """The accuracy of a head that top-1 does not fit, in percent.

    Attributes:
        name: ``map``, the mean average precision of labels, or ``balanced``, the accuracy averaged over two classes.
        low, high: 95 % interval.
        chance: what answers reach that do not depend on the images.
        least: what one more image of the rarest class could change: no interval is narrower.
        shares: what each image contributed, in their fixed order (jackknife pseudo-values less the value); empty for large data.
    """

    name: Literal["map", "balanced"]
    value: Percent
    low: Percent
    high: Percent
    chance: Percent
    least: Percent
    shares: Annotated[tuple[Reading, ...], Meta(max_length=MOST_SHARES)] = ()

    @property
    def title(self) -> str:
        """For messages and tables."""
        return METRIC_TITLES[self.name]

    def summary(self) -> dict[str, Any]:
        """The figures without the images' shares, as JSON types."""
        return {"name": self.name, "value": self.value, "interval95": [self.low, self.high], "chance": self.chance}

    def bounded(self, error: float) -> HeadMetric:
        """The same with the interval of a standard error, in points."""
        half = 1.96 * math.hypot(error, self.least)
        low, high = max(0.0, self.value - half), min(100.0, self.value + half)
        return dataclasses.replace(self, low=low, high=high)
