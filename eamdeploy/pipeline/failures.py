"""Artifacts are made one after the other, and one that fails loses none of the others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from eamdeploy.base.errors import EamdeployError, InternalError

Made = TypeVar("Made")


class ArtifactsFailed(EamdeployError):
    """Some of several artifacts could not be made; the others are there.

    Attributes:
        artifacts: what was written.
        failures: name of each artifact that failed, with its error.
    """

    def __init__(self, artifacts: Sequence[object], failures: Sequence[tuple[str, EamdeployError]]) -> None:
        self.artifacts, self.failures = tuple(artifacts), tuple(failures)
        self.exit_code = failures[0][1].exit_code
        why = "; ".join(f"{name}: {error}" for name, error in failures)
        written = f"{len(artifacts)} others were written" if artifacts else None
        super().__init__(f"{len(failures)} of {len(artifacts) + len(failures)} artifacts failed", why=why, hint=written)


class Attempts(Generic[Made]):
    """Collects what was made and what failed.

    Attributes:
        artifacts: in order.
    """

    def __init__(self) -> None:
        self.artifacts: list[Made] = []
        self._failures: list[tuple[str, EamdeployError]] = []

    @contextlib.contextmanager
    def at(self, name: str) -> Iterator[None]:
        """What fails inside is kept as the failure of ``name``."""
        try:
            yield
        except EamdeployError as error:
            self._failures.append((name, error))
        except Exception as error:  # a converter's own: the next artifact may well work
            wrapped = InternalError(f"{type(error).__name__}: {error}")
            wrapped.__cause__ = error
            self._failures.append((name, wrapped))

    def finish(self) -> list[Made]:
        """What was made, where all was.

        Raises:
            EamdeployError: the only one's own error, or :class:`ArtifactsFailed`.
        """
        if not self._failures:
            return self.artifacts
        if len(self._failures) == 1 and not self.artifacts:
            raise self._failures[0][1]
        raise ArtifactsFailed(self.artifacts, self._failures) from self._failures[0][1]
