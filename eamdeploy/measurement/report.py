"""What a bench returns: the runs, what failed, and the exit code they amount to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from eamdeploy.base.errors import EamdeployError, MeasurementError
from eamdeploy.base.results import Run, to_dict


@dataclass(frozen=True)
class Failure:
    """Something that gave no result.

    Attributes:
        board: where.
        case: which artifact and setting; None when the whole board failed.
        error: why.
    """

    board: str
    case: str | None
    error: EamdeployError

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        kind = type(self.error).__name__
        return {
            "board": self.board,
            "case": self.case,
            "error": kind,
            "message": str(self.error),
            "exit_code": self.error.exit_code,
        }


@dataclass(frozen=True)
class SelfCheck:
    """A against A on one board: what differences mean nothing here.

    Attributes:
        board: where.
        artifact: what was measured against itself.
        difference: of the two medians, as a share of the first.
        ci95: its interval; contains 0 unless the interval is too narrow for this board.
        floor: the false-alarm floor, as a share: 95 % of the splits of the same blocks into two halves differ less.
        agree: whether the two intervals of the median overlap.
    """

    board: str
    artifact: str
    difference: float
    ci95: tuple[float, float]
    floor: float
    agree: bool


@dataclass(frozen=True)
class BenchReport(Sequence[Run]):
    """All results of a bench; as a sequence it is the runs."""

    runs: tuple[Run, ...]
    failures: tuple[Failure, ...] = ()
    self_checks: tuple[SelfCheck, ...] = ()
    notes: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Run, ...]: ...
    def __getitem__(self, index: int | slice) -> Run | tuple[Run, ...]:
        """A run by its place."""
        return self.runs[index]

    def __len__(self) -> int:
        """How many runs there are."""
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        """The runs."""
        return iter(self.runs)

    @property
    def exit_code(self) -> int:
        """0; else the first failure's; else 5 where a run is invalid."""
        for failure in self.failures:
            return failure.error.exit_code
        if any(run.verdict.state == "invalid" for run in self.runs):
            return MeasurementError.exit_code
        return 0

    def to_dict(self) -> Mapping[str, Any]:
        """The JSON document's content."""
        return {
            "runs": [to_dict(run) for run in self.runs],
            "failures": [failure.to_dict() for failure in self.failures],
            "self_checks": [to_dict(check) for check in self.self_checks],
            "notes": list(self.notes),
        }
