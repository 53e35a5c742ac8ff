"""A calibration file: one board, runtime, version, precision and thread count; its model, sources and test errors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.latency.model.calibration_file import read_document
from devices.latency.model.fit.conformal import stranger_width
from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.measurements import STATED, MeasurementConditions
from devices.latency.model.model import Model
from devices.latency.model.rate import InstructionRate
from devices.latency.model.speedup import Speedup
from eamdeploy.base.errors import UsageError
from eamdeploy.base.files import atomic_write_text

SCHEMA_VERSION = 1
BEYOND = 2**0.5  # see `Calibration.beyond`, where too few such networks were left out to know it
SLACK = 0.2  # logarithm: a network as large as the smallest measured one, or nearly
OWN_INTERVALS_FROM = 9  # left-out networks from which a conformal 90 % quantile exists


@dataclass(frozen=True)
class Calibration:
    """What one file holds.

    Attributes:
        conditions: what was measured.
        model: fitted to all its measurements.
        networks: how many; `rows` counts repeated measurements too.
        families: of the networks, with how many of each.
        lowest, highest: of the networks' coordinates (see `terms.coordinates`).
        in_family, out_of_family: half width of a 90 % interval, in predicted spreads.
        network_error, family_error: 90 % of left-out networks, of the networks of left-out families, were within this
            (logarithm); None where none was left out.
        tests: errors on what was left out, by test.
        sources: of every measurement.
        origin: "published", or "measured" for the user's own.
        prior: the population whose costs it started from.
        profile: of the user's own board, whose name stands in the conditions.
        speedup: what more threads bring; the model is of one thread where the publisher states them.
        rate: of instructions; None where no table of them serves.
        beyond: how much wider an interval is for a network smaller or larger than every measured one.
        pair_error: nine in ten pairs of left-out networks erred apart by this, for each unit of work they do not share.
    """

    conditions: MeasurementConditions
    model: Model
    networks: int
    rows: int
    families: Mapping[str, int]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    in_family: float
    out_of_family: float
    network_error: float | None = None
    family_error: float | None = None
    tests: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    origin: str = "published"
    prior: str = ""
    profile: str = ""
    speedup: Speedup = field(default_factory=Speedup)
    rate: InstructionRate | None = None
    pair_error: float | None = None
    beyond: float = BEYOND

    @property
    def name(self) -> str:
        """A file's name, without suffix."""
        return self.conditions.name + ("" if self.origin == "published" else "_measured")

    def half_width(self, spread: float, *, fitted: bool) -> float:
        """Of a 90 % interval, in the logarithm; `fitted`: the network is of a measured family.

        A board on which a few networks were measured knows no family well: its widths come from other boards.
        """
        if self.origin == "measured" and self.networks < OWN_INTERVALS_FROM:
            return self.far_width(spread)
        inside = self.in_family * spread
        return inside if fitted else max(inside, self.far_width(spread))

    def far_width(self, spread: float) -> float:
        """As `half_width`, where the spread is beyond any that was tested: held down by the plain errors."""
        inside, outside = self.in_family * spread, self.out_of_family * spread
        if self.network_error is not None:
            inside = stranger_width(inside, self.network_error)
        return max(inside, outside if self.family_error is None else stranger_width(outside, self.family_error))

    @property
    def doubt(self) -> str | None:
        """Why the two measurements it is made of may be no good, in words."""
        anchors = self.tests.get("anchors", {})
        if not anchors.get("doubted"):
            return None
        factor = f"{anchors['factor_apart']:.1f}"
        return f"its two networks contradict each other by a factor of {factor}, more than published boards do: bench both again"

    @property
    def title(self) -> str:
        """In words."""
        c = self.conditions
        threads = ""
        if c.threads == STATED:
            threads = f", {', '.join(str(n) for n in sorted(self.speedup.measured))} threads"
        elif c.threads:
            threads = f", {c.threads} threads"
        mine = " (your measurements)" if self.origin == "measured" else ""
        return f"{c.board}, {c.runtime} {c.version or '(version not stated)'}, {c.precision}{threads}{mine}"

    def to_dict(self) -> dict[str, Any]:
        """For the file."""
        c = self.conditions
        return {
            "schema_version": SCHEMA_VERSION,
            "conditions": {
                "board": c.board,
                "processor": c.processor,
                "runtime": c.runtime,
                "version": c.version,
                "precision": c.precision,
                "threads": c.threads,
            },
            "origin": self.origin,
            "prior": self.prior,
            "profile": self.profile,
            "networks": self.networks,
            "rows": self.rows,
            "families": dict(self.families),
            "range": {"lowest": [round(v, 4) for v in self.lowest], "highest": [round(v, 4) for v in self.highest]},
            "interval90": {
                "in_family": round(self.in_family, 4),
                "out_of_family": round(self.out_of_family, 4),
                "network_error": None if self.network_error is None else round(self.network_error, 4),
                "family_error": None if self.family_error is None else round(self.family_error, 4),
                "beyond": round(self.beyond, 4),
            },
            "speedup": {str(n): v for n, v in sorted(self.speedup.measured.items())},
            "rate": self.rate and self.rate.to_dict(),
            "pair_error": self.pair_error,
            "tests": dict(self.tests),
            "model": self.model.to_dict(),
            "sources": list(self.sources),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """What `to_dict` wrote."""
        interval, span = data["interval90"], data["range"]
        return cls(
            conditions=MeasurementConditions(**data["conditions"]),
            model=Model.from_dict(data["model"]),
            networks=data["networks"],
            rows=data["rows"],
            families=data["families"],
            lowest=tuple(span["lowest"]),
            highest=tuple(span["highest"]),
            in_family=interval["in_family"],
            out_of_family=interval["out_of_family"],
            network_error=interval.get("network_error"),
            family_error=interval["family_error"],
            tests=data["tests"],
            sources=tuple(data["sources"]),
            origin=data["origin"],
            prior=data.get("prior", ""),
            profile=data.get("profile", ""),
            speedup=Speedup({int(n): float(v) for n, v in data.get("speedup", {}).items()}),
            rate=InstructionRate.from_dict(data["rate"]) if data.get("rate") else None,
            pair_error=data.get("pair_error"),
            beyond=interval.get("beyond", BEYOND),
        )


def from_group(
    group: CalibrationGroup, model: Model, in_family: float, out_of_family: float, **more: Any
) -> Calibration:
    """A calibration of everything that was measured under one set of conditions."""
    from devices.latency.model.terms import coordinates

    where = coordinates(group.totals)
    counts: dict[str, int] = {}
    for name in group.families:
        counts[name] = counts.get(name, 0) + 1
    return Calibration(
        group.conditions,
        model,
        networks=len(group.networks),
        rows=group.rows,
        families=dict(sorted(counts.items())),
        lowest=tuple(where.min(0)),
        highest=tuple(where.max(0)),
        in_family=in_family,
        out_of_family=out_of_family,
        speedup=group.speedup,
        sources=more.pop("sources", None) or summarised(group.sources),
        **more,
    )


def summarised(sources: Sequence[str]) -> tuple[str, ...]:
    """Sources without what differs from model to model: the folder that all of a publisher's rows share."""
    by_repository: dict[str, list[list[str]]] = {}
    for source in sources:
        repository, _, rest = source.partition(" ")
        by_repository.setdefault(repository, []).append(rest.split("/"))
    out = []
    for repository, paths in sorted(by_repository.items()):
        shared = []
        for parts in zip(*paths, strict=False):
            if len(set(parts)) > 1:
                break
            shared.append(parts[0])
        out.append(f"{repository} {'/'.join(shared)}".strip())
    return tuple(out)


def write_calibration(calibration: Calibration, folder: Path) -> Path:
    """Write one file; returns its path."""
    path = folder / f"{calibration.name}.json"
    atomic_write_text(path, json.dumps(calibration.to_dict(), separators=(",", ":"), allow_nan=False) + "\n")
    return path


def read_calibration(path: Path) -> Calibration:
    """Read one file.

    Raises:
        UsageError: when it is none.
    """
    try:
        return Calibration.from_dict(read_document(path))
    except ValueError as error:
        raise UsageError(
            "cannot read the calibration", where=path, why=error, hint="delete it and run 'devices calibrate' again"
        ) from error


@cache
def shipped() -> tuple[Calibration, ...]:
    """All calibrations in the package."""
    folder = resources.files("devices.latency").joinpath("data/calibrations")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".json")), key=lambda f: f.name)
    return tuple(Calibration.from_dict(json.loads(f.read_text(encoding="utf-8"))) for f in files)


def within(calibration: Calibration, where: npt.NDArray[np.float64]) -> bool:
    """Whether a network is as large as those that were measured."""
    return bool(as_large(where, np.array(calibration.lowest), np.array(calibration.highest)))


def as_large(
    where: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Whether networks at (..., coordinates) lie between two corners, within a factor e^SLACK."""
    return np.asarray(np.all((where >= low - SLACK) & (where <= high + SLACK), axis=-1))
