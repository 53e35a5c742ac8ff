"""Which of the stored runs a command is about, the same in every command that takes several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from eamdeploy.cli.options.choices import PrecisionName
from eamdeploy.cli.options.completion import complete_artifact, complete_stored

if TYPE_CHECKING:
    from eamdeploy.runs.store import RunFilter


def _devices() -> list[str]:
    return complete_stored("device")


def _runtimes() -> list[str]:
    return complete_stored("runtime")


ArtifactFilter = Annotated[
    str | None,
    typer.Option(
        "--artifact",
        help="Only runs of this artifact: its path, its file name, or the beginning of its SHA-256.",
        autocompletion=complete_artifact,
    ),
]
DeviceFilter = Annotated[
    str | None, typer.Option("--device", help="Only runs on this device profile or board.", autocompletion=_devices)
]
BoardFilter = Annotated[str | None, typer.Option("--board", help="Only runs on this board of yours.")]
RuntimeFilter = Annotated[
    str | None, typer.Option("--runtime", autocompletion=_runtimes, help="Only runs with this runtime.")
]
PrecisionFilter = Annotated[
    PrecisionName | None,
    typer.Option("--precision", help="Only runs with this number format, such as fp32, fp16 or int8."),
]
CommitFilter = Annotated[
    str | None, typer.Option("--commit", help="Only runs of this git commit, or of commits that begin with this.")
]
SinceFilter = Annotated[
    str | None,
    typer.Option(
        "--since", help="Only runs from this date or time (UTC) on, such as 2026-11-01, 27.11.2026 or yesterday."
    ),
]
UntilFilter = Annotated[str | None, typer.Option("--until", help="Only runs before this date or time (UTC).")]


@dataclass(frozen=True)
class RunSelection:
    """Runs by what was measured, where, how and when."""

    artifact: ArtifactFilter = None
    device: DeviceFilter = None
    board: BoardFilter = None
    runtime: RuntimeFilter = None
    precision: PrecisionFilter = None
    commit: CommitFilter = None
    since: SinceFilter = None
    until: UntilFilter = None

    def where(self, *, provenance: str | None = None, verdict: str | None = None) -> RunFilter:
        """As the store takes it.

        Raises:
            UsageError: for dates that are none.
        """
        from eamdeploy.runs.store import RunFilter, content_or_name

        return RunFilter(
            content_or_name(self.artifact),
            self.device,
            board=self.board,
            runtime=self.runtime,
            precision=self.precision,
            provenance=provenance,
            verdict=verdict,
            commit=self.commit,
            since=self.since,
            until=self.until,
        )
