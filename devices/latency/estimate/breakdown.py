"""Where an estimated latency goes: the times of operators, summed by layer and by part.

Float operators inside an int8 artifact cost what they cost in float, where the same board and runtime were measured in float too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.latency.graph.records import PARTS, ArtifactFeatures
from devices.latency.model.calibration import Calibration

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LayerTime:
    """One layer's share; `parts_ms` says of what."""

    layer: str
    ms: float
    macs: int
    operators: int
    parts_ms: dict[str, float]

    def scaled(self, factor: float) -> LayerTime:
        """On another board."""
        return replace(self, ms=self.ms * factor, parts_ms={k: v * factor for k, v in self.parts_ms.items()})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, rounded."""
        rounded = {k: round(v, 5) for k, v in self.parts_ms.items()}
        return asdict(self) | {"ms": round(self.ms, 5), "parts_ms": rounded}


def breakdown(features: ArtifactFeatures, times: Array, overheads: Array) -> tuple[list[LayerTime], dict[str, float]]:
    """(layers, parts) in milliseconds, from the time of each operator and the part of it that is overhead."""
    parts = dict.fromkeys(PARTS, 0.0)
    layers: dict[str, LayerTime] = {}
    for record, time, overhead in zip(features.records, times, overheads, strict=True):
        parts[record.part] += float(time - overhead)
        parts["overhead"] += float(overhead)
        name = record.layer or record.op
        at = layers.get(name, LayerTime(name, 0.0, 0, 0, {}))
        inside = dict(at.parts_ms)
        inside[record.part] = inside.get(record.part, 0.0) + float(time - overhead)
        inside["overhead"] = inside.get("overhead", 0.0) + float(overhead)
        layers[name] = LayerTime(name, at.ms + float(time), at.macs + record.macs, at.operators + 1, inside)
    return list(layers.values()), parts


def operator_times(
    features: ArtifactFeatures,
    calibration: Calibration,
    calibrations: Sequence[Calibration],
    terms: Array,
    log_ms: float,
) -> tuple[Array, Array]:
    """Time and overhead of each operator by the fitted costs, scaled together to the predicted total."""
    times, overheads = calibration.model.operator_ms(terms)
    factor = math.exp(log_ms) / float(times.sum())
    times, overheads = times * factor, overheads * factor
    if calibration.conditions.precision == "int8":
        return _float_operators(
            features, calibration, calibrations=calibrations, terms=terms, times=times, overheads=overheads
        )
    return times, overheads


def float_twin(calibration: Calibration, calibrations: Sequence[Calibration]) -> Calibration | None:
    """What was measured in float on the same board, under the same runtime, version and threads."""

    def key(k: Calibration) -> tuple[str, ...]:
        c = k.conditions
        return k.origin, c.board, c.processor, c.runtime, c.version, c.threads

    target_key = key(calibration)
    return next((k for k in calibrations if k.conditions.precision == "fp32" and key(k) == target_key), None)


def _float_operators(
    features: ArtifactFeatures,
    calibration: Calibration,
    *,
    calibrations: Sequence[Calibration],
    terms: Array,
    times: Array,
    overheads: Array,
) -> tuple[Array, Array]:
    """Replace the times of float operators by the float calibration's.

    A file whose every operator is float was exported before quantization and is estimated as if quantized.
    """
    is_float = np.array([r.element_bytes > 1 for r in features.records])
    if is_float.all() or not is_float.any():
        return times, overheads
    twin = float_twin(calibration, calibrations)
    if twin is None:
        return times, overheads
    # levelled as the whole network would be in float
    whole = math.exp(float(twin.model.predict(terms.sum(0, keepdims=True)).log_ms[0]))
    float_times, float_overheads = twin.model.operator_ms(terms)
    level = whole / float(float_times.sum())
    return np.where(is_float, float_times * level, times), np.where(is_float, float_overheads * level, overheads)
