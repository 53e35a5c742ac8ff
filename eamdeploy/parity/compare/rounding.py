"""How much of a difference is rounding: measured on this network with these images, not assumed.

The network runs in float64 and in the precision of the artifact (float32; or with weights and maps rounded to float16).
The two differ by what that precision costs. An artifact in the same precision adds up the same terms in another order
and may fuse or fold some, so it differs by about as much again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eamdeploy.parity.compare.metrics import UNIT_ROUNDOFF, relative_errors
from eamdeploy.parity.run.reference import Array, ReferenceRun


@dataclass(frozen=True)
class Rounding:
    """Rounding of one network in one precision.

    Attributes:
        images: it was measured on.
        unit: half a unit in the last place.
        output_abs, output_relative: largest differences of a score, and of an image's scores together.
        alpha_abs: by layer, largest difference of a mixing weight.
        mean_abs: by layer, largest difference of a spatial mean that CGR-max chooses by.
    """

    images: int
    unit: float
    output_abs: float
    output_relative: float
    alpha_abs: dict[str, float]
    mean_abs: dict[str, float]


def unit_of(precision: str) -> float:
    """Half a unit in the last place of what an artifact of ``precision`` computes with."""
    return UNIT_ROUNDOFF["fp16" if precision == "fp16" else "fp32"]


def largest(roundings: Sequence[Rounding]) -> Rounding:
    """Of several draws of the same images' rounding, the largest of each figure."""
    first = roundings[0]
    return Rounding(
        first.images,
        first.unit,
        output_abs=max(other.output_abs for other in roundings),
        output_relative=max(other.output_relative for other in roundings),
        alpha_abs={layer: max(other.alpha_abs[layer] for other in roundings) for layer in first.alpha_abs},
        mean_abs={layer: max(other.mean_abs[layer] for other in roundings) for layer in first.mean_abs},
    )


def measure_rounding(rounded: ReferenceRun, exact: ReferenceRun, precision: str) -> Rounding:
    """Compare the same images in the artifact's precision and in float64."""
    unit = unit_of(precision)
    scale = float(np.abs(exact.output).max())
    mean_abs = {}
    for layer, (means, _) in exact.means.items():
        error = float(np.abs(rounded.means[layer][0] - means).max())
        mean_abs[layer] = max(error, unit * float(np.abs(means).max()))
    return Rounding(
        images=len(exact.output),
        unit=unit,
        output_abs=max(float(np.abs(rounded.output - exact.output).max()), unit * scale),
        output_relative=max(float(relative_errors(rounded.output, exact.output).max()), unit),
        alpha_abs={
            layer: max(float(np.abs(rounded.alphas[layer] - alpha).max()), unit)
            for layer, alpha in exact.alphas.items()
        },
        mean_abs=mean_abs,
    )


def undecided(run: ReferenceRun, allowed: Callable[[str], Array]) -> dict[str, npt.NDArray[np.bool_]]:
    """Of each CGR-max layer, the images on which rounding decides a channel choice: layer to (n,) booleans.

    Two channels that are both exactly equal are no such case: every implementation takes the first.

    Args:
        run: of the network.
        allowed: layer to the error allowed of a spatial mean, (n,).
    """
    undecided_masks = {}
    for layer, (means, bounds) in run.means.items():
        tolerance = 2 * allowed(layer)
        gaps = [_gap(means[:, low:high]) for low, high in itertools.pairwise(bounds) if high - low > 1]
        near = [(gap > 0) & (gap <= tolerance) for gap in gaps]
        undecided_masks[layer] = np.any(near, axis=0) if near else np.zeros(len(means), dtype=bool)
    return undecided_masks


def _gap(block: Array) -> Array:
    ordered = np.sort(block, axis=1)
    gap: Array = ordered[:, -1] - ordered[:, -2]
    return gap
