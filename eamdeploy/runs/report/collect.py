"""Which runs a report is about, and what their artifacts' manifests say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Run
from eamdeploy.runs.report.content.attention import AttentionFile, read_attention
from eamdeploy.runs.report.content.training import TrainingRun, read_training
from eamdeploy.runs.store import RunFilter, Store

DEFAULT_LIMIT = 60


@dataclass(frozen=True)
class Material:
    """What a report is made from.

    Attributes:
        runs: latest first, with their samples.
        manifests: by the artifact's SHA-256.
        attention: of checkpoints over images, as the user gave it.
        training: histories of training runs, as the user gave them.
    """

    runs: tuple[Run, ...]
    manifests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    attention: tuple[AttentionFile, ...] = ()
    training: tuple[TrainingRun, ...] = ()

    def newest(self) -> tuple[Run, ...]:
        """The latest run of each artifact, device and setting: what the figures show."""
        newest: dict[tuple[object, ...], Run] = {}
        for run in self.runs:
            key = (
                run.artifact_sha256,
                Path(run.artifact).name,
                run.device,
                run.board,
                run.runtime,
                run.threads,
                run.batch,
            )
            newest.setdefault(key, run)
        return tuple(newest.values())

    def groups(self) -> Iterable[Sequence[Run]]:
        """Runs that were interleaved with each other, by group, at least two; each artifact and setting once."""
        groups: dict[str, list[Run]] = {}
        for run in self.runs:
            if run.group is not None and run.latency_ms is not None and run.latency_ms.samples:
                groups.setdefault(run.group, []).append(run)
        return [group for group in groups.values() if len(group) > 1]

    def entries(self) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Name and manifest entry of each artifact that has one: what is said of the file, over what is said of all."""
        keys = set()
        for run in self.runs:
            manifest = self.manifests.get(run.artifact_sha256)
            if manifest is None or run.artifact_sha256 in keys:
                continue
            keys.add(run.artifact_sha256)
            name = Path(run.artifact).name
            yield name, {**manifest, **_entry(manifest, name, run.artifact_sha256)}


def collect(
    store: Store,
    where: RunFilter | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    attention: Iterable[Path] = (),
    training: Iterable[Path] = (),
) -> Material:
    """The latest ``limit`` runs that meet ``where``, their manifests, the files of attention statistics and of training.

    Raises:
        UsageError: when there is nothing to report: no run meets ``where``, and neither attention nor training was given.
        StoreError: when there is no store or it cannot be read.
        DataError: when a file of ``attention`` or a folder of ``training`` is something else.
    """
    attention_files = tuple(read_attention(path) for path in attention)
    trained = tuple(read_training(path) for path in training)
    # a store that nothing was put into yet is no error where there is something else to show
    needs_store = store.path.exists() or not (attention_files or trained)
    selected = store.select(where or RunFilter(), limit=limit, samples=True) if needs_store else []
    if not selected and not attention_files and not trained:
        raise UsageError(
            "there is nothing to report", where=store.path, hint="measure something with 'eamdeploy bench'"
        )
    return Material(tuple(selected), store.manifests() if needs_store else {}, attention_files, trained)


def _entry(manifest: Mapping[str, Any], name: str, sha256: str) -> Mapping[str, Any]:
    entries = manifest.get("artifacts")
    if isinstance(entries, list):
        for key_and_value in (("sha256", sha256), ("file", name)):
            for entry in entries:
                # an entry of the same name and another content describes an older file
                if not isinstance(entry, dict) or entry.get("sha256") not in (None, sha256):
                    continue
                if entry.get(key_and_value[0]) == key_and_value[1]:
                    return entry
    return {}
