"""What a run was a run of: its artifact's content, and the place where that lay."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path, PurePath

from eamdeploy.base.errors import UsageError
from eamdeploy.base.files import ordinary
from eamdeploy.base.results import Run


def place_of(path: str | PurePath) -> str:
    """The place of an artifact, so that two spellings of it are equal: ``./out/../net.onnx`` is ``net.onnx``.

    A path below the working folder is relative to it, as it is in runs that were measured on another machine.
    """
    text = os.path.normpath(str(path))
    if Path(text).is_absolute():
        below = os.path.relpath(text)
        return text if below.startswith(os.pardir) else below
    return text


def content_of(path: Path | str) -> str:
    """The SHA-256 of a file.

    Raises:
        UsageError: when it cannot be read.
    """
    try:
        with ordinary(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError("cannot read the artifact", where=path, why=error.strerror) from error


def content_or_name(artifact: str | None) -> str | None:
    """What a selection by artifact looks for: the content of a file that is here, else the name or digest as given."""
    return content_of(artifact) if artifact is not None and Path(artifact).is_file() else artifact


def moment_of(run: Run) -> datetime | None:
    """When a run was measured, or ``None`` where it does not say; without an offset it is UTC."""
    try:
        when = datetime.fromisoformat(run.provenance.when)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
