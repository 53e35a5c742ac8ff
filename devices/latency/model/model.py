"""A calibrated model: three structures, the residual, and what an interval is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.latency.model.fit.fitting import Fit, Prior, Sample, fit_one
from devices.latency.model.fit.residual import residual_at, residual_weights
from devices.latency.model.terms import TERMS, coordinates, select

Array = npt.NDArray[np.float64]
SPREAD_FLOOR = 0.03


@dataclass(frozen=True)
class Member:
    """One structure's fit."""

    structure: str
    terms: tuple[str, ...]
    fit: Fit


@dataclass(frozen=True)
class LatencyPrediction:
    """Logarithms of milliseconds; `spread` is the unit that intervals are counted in."""

    log_ms: Array
    spread: Array


@dataclass(frozen=True)
class Model:
    """What predicts, for one calibration."""

    members: tuple[Member, ...]
    points: Array
    coefficients: Array

    def predict(self, totals: Array) -> LatencyPrediction:
        """Predict from (networks, all terms)."""
        logs, variances = [], []
        for member in self.members:
            x = select(totals, member.terms)
            theta = np.exp(member.fit.log_cost)
            t = x @ theta
            jacobian = np.c_[np.ones(len(x)), x * theta / t[:, None]]
            logs.append(np.log(t))
            variances.append(np.einsum("ij,jk,ik->i", jacobian, member.fit.covariance, jacobian))
        stacked = np.stack(logs)
        residual = residual_at(self.points, self.coefficients, coordinates(totals))
        spread = np.sqrt(SPREAD_FLOOR**2 + stacked.std(0) ** 2 + np.mean(variances, axis=0))
        return LatencyPrediction(stacked.mean(0) + residual, spread)

    def operator_ms(self, per_operator: Array) -> tuple[Array, Array]:
        """Time of each operator and its overhead, before scaling to the prediction: (operators, all terms) -> 2 x (n,)."""
        times, overheads = np.zeros(len(per_operator)), np.zeros(len(per_operator))
        for member in self.members:
            cost = select(per_operator, member.terms) * np.exp(member.fit.log_cost)
            times += cost.sum(1) / len(self.members)
            overheads += cost[:, list(member.terms).index("operators")] / len(self.members)
        return times, overheads

    def to_dict(self) -> dict[str, Any]:
        """Compact, for a calibration file."""
        return {
            "members": [
                {
                    "structure": m.structure,
                    "log_cost": {t: round(float(b), 5) for t, b in zip(m.terms, m.fit.log_cost, strict=True)},
                    "covariance": [[float(f"{v:.4g}") for v in row] for row in m.fit.covariance],
                }
                for m in self.members
            ],
            "residual": {
                "points": [[round(float(v), 4) for v in row] for row in self.points],
                "coefficients": [float(f"{v:.5g}") for v in self.coefficients],
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Model:
        """What `to_dict` wrote."""
        members = []
        for m in data["members"]:
            terms = tuple(m["log_cost"])
            unknown = [t for t in terms if t not in TERMS]
            if unknown:
                raise ValueError(f"unknown term {unknown[0]}")
            cost = np.array(list(m["log_cost"].values()), dtype=float)
            members.append(
                Member(m["structure"], terms, Fit(cost, np.zeros(len(cost)), np.array(m["covariance"], dtype=float)))
            )
        residual = data["residual"]
        points = np.array(residual["points"], dtype=float).reshape(-1, 4)
        return cls(tuple(members), points, np.array(residual["coefficients"], dtype=float))


def fit_model(
    totals: Array, log_ms: Array, weight: Array, priors: Mapping[str, tuple[tuple[str, ...], Prior]]
) -> Model:
    """Fit all structures and the residual to one calibration.

    Args:
        totals: (networks, all terms).
        log_ms: log milliseconds of each.
        weight: see `fitting.run_weights`.
        priors: by structure: its terms, and the population's prior.
    """
    members: Sequence[Member] = [
        Member(name, terms, fit_one(Sample(select(totals, terms), log_ms, weight), prior))
        for name, (terms, prior) in priors.items()
    ]
    without = Model(tuple(members), np.zeros((0, 4)), np.zeros(0))
    points = coordinates(totals)
    residual = log_ms - without.predict(totals).log_ms
    return Model(tuple(members), points, residual_weights(points, residual, weight))
