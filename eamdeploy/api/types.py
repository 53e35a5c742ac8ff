"""The types that the public functions take, so that users can pass names, paths and objects alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from eamdeploy.base.errors import UsageError

if TYPE_CHECKING:
    from eamdeploy.networks.checkpoint import Checkpoint
    from eamdeploy.runs.store import Store


class HasPath(Protocol):
    """Anything that was written to a file: an exported or a quantized artifact."""

    @property
    def path(self) -> Path:
        """Where it is."""


AnyPath: TypeAlias = "str | PathLike[str]"
ArtifactLike: TypeAlias = "AnyPath | HasPath"
NetworkLike: TypeAlias = "AnyPath | Checkpoint"


def artifact_path(artifact: ArtifactLike) -> Path:
    """The file of an artifact, given as a path or as what ``export`` returned."""
    return Path(artifact) if isinstance(artifact, (str, PathLike)) else artifact.path


def artifact_paths(artifacts: ArtifactLike | Sequence[ArtifactLike]) -> list[Path]:
    """The files of one artifact or of several."""
    if isinstance(artifacts, Sequence) and not isinstance(artifacts, str):
        return [artifact_path(artifact) for artifact in artifacts]
    return [artifact_path(artifacts)]


def names(value: str | Iterable[str]) -> tuple[str, ...]:
    """One name or several; a single string is one name, not its letters."""
    return (value,) if isinstance(value, str) else tuple(value)


def folder_of(path: AnyPath | None) -> Path | None:
    """A path where one was given."""
    return None if path is None else Path(path)


def model_file(model: NetworkLike | ArtifactLike) -> Path | str:
    """What a model is read from: a path, or the name of a shipped checkpoint.

    Raises:
        UsageError: a checkpoint in memory that was never written to a file.
    """
    if isinstance(model, (str, PathLike)):
        return str(model)
    if model.path is None:
        raise UsageError("the network was not read from a file", hint="save it, and pass the file's path")
    return model.path


def store_of(store: AnyPath | Store | None) -> Store:
    """The store at a path, one that is open already, or the user's own."""
    from eamdeploy.runs.store import Store, open_store

    return store if isinstance(store, Store) else open_store(folder_of(store))
