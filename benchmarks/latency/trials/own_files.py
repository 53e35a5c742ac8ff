"""The whole way that a user's file takes, tested: a published network exported by this project, read, estimated, compared.

A network is left out with every network of its design that has its width or its input size; the artifact's operators are those
of this project's own int8 file, with float ends, and not the publisher's. Reading such files otherwise than the fit did once made
every int8 estimate 12 % too slow, which no test on the fit's own features could see.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.latency.fit_all import Evaluated
from benchmarks.latency.gather.grouping import fit_priors
from benchmarks.latency.gather.measured_networks import exported_operators
from benchmarks.latency.trials.validation import beyond_factor, held_together, width_in_spreads
from devices.latency.estimate.predictors import by_operators
from devices.latency.graph.records import ArtifactFeatures
from devices.latency.model.calibration import from_group
from devices.latency.model.fit.conformal import quantile
from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.measurements import Network, family


@dataclass(frozen=True)
class FromFile:
    """One published row beside the estimate for this project's own file."""

    network: Network
    predicted_ms: float
    measured_ms: float
    half_width: float

    @property
    def error(self) -> float:
        """Relative: 0.1 is predicted 10 % too slow."""
        return self.predicted_ms / self.measured_ms - 1

    @property
    def covered(self) -> bool:
        """Whether the measurement lies in the interval."""
        return abs(math.log(self.predicted_ms / self.measured_ms)) <= self.half_width


def estimate_own_files(t: Evaluated, group: CalibrationGroup, form: str) -> list[FromFile]:
    """Estimate every exported network of one calibration without it.

    Args:
        t: the population, with its left-out errors.
        group: one calibration's measurements.
        form: which exported file of each network is read.
    """
    files, file_errors = exported_operators(form), []
    hold_outs = {n: h for h in held_together(t.groups, "network") for n in h.tested}
    errors = [r for r in t.by_network if r.conditions == group.conditions]
    for i, network in enumerate(group.networks):
        records = files.get(network)
        if records is None:
            continue
        without = hold_outs[network].without
        masks = {id(g): np.array([n not in without for n in g.networks]) for g in t.groups}
        priors = fit_priors(t.groups, t.population, lambda g, masks=masks: masks[id(g)])
        fitted_group = group.keep(masks[id(group)])
        other_errors = [r for r in errors if r.network != network]
        calibration = from_group(
            fitted_group,
            fitted_group.model(priors),
            width_in_spreads(other_errors),
            quantile(r.score for r in other_errors),
            network_error=quantile(r.log_error for r in other_errors),
            family_error=quantile(r.log_error for r in other_errors),
            beyond=beyond_factor([r for r in t.by_network if r.network != network]),
        )
        name = "-".join(part for part in network if part)
        features = ArtifactFeatures(name, "tflite", group.conditions.precision, records, 0, family=family(network[0]))
        prediction = by_operators(features, calibration, ())
        if prediction is not None:
            file_errors += [
                FromFile(network, prediction.milliseconds, math.exp(run), prediction.half_width)
                for run in group.runs[i]
            ]
    return file_errors


def summary(results: Sequence[FromFile]) -> dict[str, float | int]:
    """In percent."""
    errors = 100 * np.array([r.error for r in results])
    return {
        "n": len(errors),
        "mean_abs_percent": round(float(np.abs(errors).mean()), 2),
        "bias_percent": round(float(errors.mean()), 2),
        "coverage90_percent": round(100 * float(np.mean([r.covered for r in results])), 1),
    }


def main() -> None:
    from benchmarks.latency.fit_all import evaluate_population
    from benchmarks.latency.gather.rows import read_rows
    from devices.latency.model.populations import POPULATIONS

    for name, form in (("tflite-fp32", "tflite"), ("tflite-int8", "tflite-int8")):
        t = evaluate_population(read_rows(), next(p for p in POPULATIONS if p.name == name), {})
        for group in t.groups if t else ():
            if group.conditions.board == "Raspberry Pi 4B" and group.conditions.version == "2.7.1" and t:
                print(group.conditions.name, json.dumps(summary(estimate_own_files(t, group, form))))


if __name__ == "__main__":
    main()
