"""Find the first layer of an artifact that does not compute what the network computes.

Names are not relied on, since converters rename tensors: a layer agrees when some tensor of the artifact holds its
values, to within rounding. A layer whose tensor does not exist, because the graph has it fused into the next, is passed
over as long as a later layer agrees. Mixing weights are compared directly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eamdeploy.parity.compare.metrics import relative_errors
from eamdeploy.parity.report.model import Divergence
from eamdeploy.parity.run.reference import Array
from eamdeploy.parity.run.trace import LayerTrace


@dataclass(frozen=True)
class Tolerances:
    """How much of a relative error is allowed.

    Attributes:
        factor: multiple of the rounding seen in the tensor itself.
        unit: half a unit in the last place, the least rounding assumed.
        limit: one limit for all tensors instead, for approximate artifacts.
    """

    factor: float
    unit: float
    limit: float | None = None

    def of(self, rounded: Sequence[Array], exact: Array) -> float:
        """The relative error allowed of a tensor, given several draws of its rounding."""
        if self.limit is not None:
            return self.limit
        return self.factor * max(self.unit, *(float(relative_errors(draw, exact).max()) for draw in rounded))


@dataclass(frozen=True)
class _Finding:
    layer: str
    part: Literal["attention", "output"]
    tensor: str | None
    errors: Array  # per image
    tolerance: float

    @property
    def agrees(self) -> bool:
        return bool((self.errors <= self.tolerance).all())


def first_divergence(
    exact: Mapping[str, LayerTrace],
    rounded: Sequence[Mapping[str, LayerTrace]],
    tensors: Mapping[str, Array],
    *,
    alphas: Mapping[str, str],
    tolerances: Tolerances,
    images: list[str],
) -> Divergence | None:
    """The first layer that differs, or ``None`` when all agree.

    Args:
        exact: traces in float64.
        rounded: traces with rounding, one or several draws of it.
        tensors: inner tensors of the artifact, key to (n, elements).
        alphas: layer to the key of its mixing weights, where known.
        tolerances: what is allowed.
        images: their names.
    """
    findings: list[_Finding] = []
    for layer, reference in exact.items():
        if reference.alpha is not None and layer in alphas:
            values = tensors[alphas[layer]]
            allowed = tolerances.of([_as_array(draw[layer].alpha) for draw in rounded], reference.alpha)
            errors = relative_errors(values, reference.alpha)
            findings.append(_Finding(layer, "attention", alphas[layer], errors, allowed))
        if reference.forms:
            findings.append(_nearest(reference, [draw[layer] for draw in rounded], tensors, tolerances))
    agreeing = [position for position, finding in enumerate(findings) if finding.agrees and finding.part == "output"]
    last = agreeing[-1] if agreeing else -1
    for position, finding in enumerate(findings):
        if finding.agrees or (finding.part == "output" and position < last):
            continue
        worst = int(np.argmax(finding.errors))
        before = len({earlier.layer for earlier in findings[:position] if earlier.agrees} - {finding.layer})
        error = float(finding.errors[worst])
        return Divergence(
            finding.layer,
            finding.part,
            tensor=finding.tensor,
            image=images[worst],
            relative_error=error,
            tolerance_relative=finding.tolerance,
            agreeing=before,
        )
    return None


def _nearest(
    exact: LayerTrace, rounded: Sequence[LayerTrace], tensors: Mapping[str, Array], tolerances: Tolerances
) -> _Finding:
    """The tensor, and the point of the layer, where the two come nearest in units of the tolerance."""
    best = _Finding(exact.layer, "output", None, np.full(len(exact.forms[0]), np.inf), 0.0)
    for point, form in enumerate(exact.forms):
        allowed = tolerances.of([draw.forms[point] for draw in rounded], form)
        layouts = [form] if exact.channels is None else [form, _channels_last(form, exact.channels)]
        for key, values in tensors.items():
            if values.shape != form.shape:
                continue
            for layout in layouts:
                errors = relative_errors(values, layout)
                if best.tensor is None or errors.max() / allowed < best.errors.max() / best.tolerance:
                    best = _Finding(exact.layer, "output", key, errors, allowed)
    if best.tensor is None:
        allowed = tolerances.of([draw.forms[0] for draw in rounded], exact.forms[0])
        return _Finding(exact.layer, "output", None, best.errors, allowed)
    return best


def _channels_last(form: Array, channels: tuple[int, int]) -> Array:
    return np.ascontiguousarray(form.reshape(-1, *channels).transpose(0, 2, 1)).reshape(len(form), -1)


def _as_array(value: Array | None) -> Array:
    if value is None:
        raise ValueError("a layer has mixing weights in one precision and none in another")
    return value
