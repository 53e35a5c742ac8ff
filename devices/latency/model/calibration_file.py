"""What a calibration file may hold, as types with bounds: users bring calibrations from each other's boards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from eamdeploy.base.decoding import convert, decode, read_limited
from eamdeploy.base.errors import UsageError
from eamdeploy.base.values import Count, Name, Positive, Reading, Text

LIMIT_BYTES = 64 * 1024 * 1024
_WHAT, _HINT = "cannot read the calibration", "delete it and run 'devices calibrate' again"
_MOST_NETWORKS = 1_000_000
_COORDINATES = 4
_Row = Annotated[list[Reading], Meta(max_length=256)]
_Point = Annotated[list[Reading], Meta(min_length=_COORDINATES, max_length=_COORDINATES)]
_Width = Annotated[float, Meta(ge=0.0, le=1e6)]
_Threads = Annotated[str, Meta(pattern=r"^[0-9]{1,5}\Z")]


@dataclass
class _Conditions:
    board: Name
    processor: Name
    runtime: Name
    version: Name
    precision: Name
    threads: Name


@dataclass
class _Member:
    structure: Name
    log_cost: Annotated[dict[Name, Reading], Meta(min_length=1, max_length=256)]
    covariance: list[_Row]


@dataclass
class _Residual:
    points: Annotated[list[_Point], Meta(max_length=_MOST_NETWORKS)]
    coefficients: Annotated[list[Reading], Meta(max_length=_MOST_NETWORKS)]


@dataclass
class _CalibratedModel:
    members: Annotated[list[_Member], Meta(min_length=1, max_length=64)]
    residual: _Residual


@dataclass
class _Range:
    lowest: _Point
    highest: _Point


@dataclass
class _Intervals:
    in_family: _Width
    out_of_family: _Width
    family_error: _Width | None
    network_error: _Width | None = None


@dataclass
class _OneThread:
    log_ms: Reading
    half_width: _Width


@dataclass
class _Rate:
    runtime: Name
    precision: Name
    log_ms: Reading
    half_width: _Width
    pair_error: _Width
    one_thread: _OneThread | None = None


@dataclass
class _Anchors:
    factor_apart: _Width
    standard_deviations: _Width
    doubted: bool


@dataclass
class _LeaveOut:
    n: Count
    mean_abs_percent: Reading


@dataclass
class _Tests:
    anchors: _Anchors | None = None
    leave_network_out: _LeaveOut | None = None
    when: Name = ""
    dynamic_networks: bool = False


@dataclass
class _CalibrationFile:
    schema_version: Literal[1]
    conditions: _Conditions
    networks: Positive
    rows: Positive
    families: dict[Name, Count]
    range: _Range
    interval90: _Intervals
    tests: _Tests
    model: _CalibratedModel
    sources: Annotated[list[Text], Meta(max_length=10_000_000)]
    origin: Literal["published", "measured"]
    prior: Name = ""
    profile: Name = ""
    speedup: dict[_Threads, Reading] = field(default_factory=dict)
    rate: _Rate | None = None
    pair_error: _Width | None = None


def read_document(path: Path) -> dict[str, Any]:
    """The values in a calibration file, each of its type and within its bounds.

    Raises:
        UsageError: with the field and the value that do not fit.
    """
    content = read_limited(path, LIMIT_BYTES, what=_WHAT)
    document = decode(dict[str, Any], content, where=path, what=_WHAT, hint=_HINT)
    file = convert(_CalibrationFile, document, where=path, what=_WHAT, hint=_HINT)
    for where, why in _problems(file):
        raise UsageError(_WHAT, where=f"{path}, field '{where}'", why=why, hint=_HINT)
    return document


def _problems(file: _CalibrationFile) -> Iterator[tuple[str, str]]:
    for index, member in enumerate(file.model.members):
        costs = len(member.log_cost)
        # the first row and column are those of the board's speed
        if [len(row) for row in member.covariance] != [costs + 1] * (costs + 1):
            yield f"model.members[{index}].covariance", f"it is not {costs + 1} x {costs + 1}"
    points, coefficients = file.model.residual.points, file.model.residual.coefficients
    if len(points) != len(coefficients):
        yield "model.residual.coefficients", f"{len(coefficients)} for {len(points)} points"
    if any(low > high for low, high in zip(file.range.lowest, file.range.highest, strict=True)):
        yield "range", "its bounds are in the wrong order"
