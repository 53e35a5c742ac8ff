"""The simple model the shipped one has to beat: four terms, non-negative least squares on relative error, no borrowing."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.terms import INDEX

MACS = [INDEX[t] for t in ("macs", "winograd_macs", "grouped_macs")]


def four_terms(group: CalibrationGroup) -> np.ndarray:
    """(networks, 4): MACs but depthwise, depthwise MACs, elements moved, operators."""
    t = group.totals
    moved = t[:, INDEX["activations"]] + t[:, INDEX["weights"]]
    return np.stack([t[:, MACS].sum(1), t[:, INDEX["depthwise_macs"]], moved, t[:, INDEX["operators"]]], axis=1)


def leave_out_error(group: CalibrationGroup, by: str) -> float | None:
    """Mean absolute error in percent over left-out measurements; None where fewer than five networks would be left."""
    labels = group.networks if by == "network" else group.families
    x, errors = four_terms(group), []
    for label_out in sorted(set(labels)):
        mask = np.array([label != label_out for label in labels])
        if mask.sum() < 5:
            return None
        rows, times = [], []
        for i in np.flatnonzero(mask):
            rows += [x[i]] * len(group.runs[i])
            times += [np.exp(run) for run in group.runs[i]]
        costs, _ = nnls(np.array(rows) / np.array(times)[:, None], np.ones(len(times)))
        for i in np.flatnonzero(~mask):
            errors += [abs(float(x[i] @ costs) / np.exp(run) - 1) for run in group.runs[i]]
    return 100 * float(np.mean(errors))
