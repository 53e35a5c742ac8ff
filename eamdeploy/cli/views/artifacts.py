"""What commands that make artifacts print when some of several failed: those that are there, then the error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from eamdeploy.pipeline.failures import ArtifactsFailed

Made = TypeVar("Made")


def made_and_failed(make: Callable[[], Sequence[Made]]) -> tuple[list[Made], ArtifactsFailed | None]:
    """What ``make`` gives, and where only some could be made, those and the error to end with.

    Raises:
        EamdeployError: when nothing was made.
    """
    from eamdeploy.pipeline.failures import ArtifactsFailed

    try:
        return list(make()), None
    except ArtifactsFailed as error:
        if not error.artifacts:
            raise
        return list(error.artifacts), error  # type: ignore[arg-type]


def failures_of(error: ArtifactsFailed | None) -> dict[str, list[dict[str, str]]]:
    """For JSON: nothing where all artifacts were made."""
    if error is None:
        return {}
    return {"failures": [{"artifact": name, "error": str(failure)} for name, failure in error.failures]}
