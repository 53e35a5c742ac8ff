"""What is to be measured: artifacts, runtimes and settings, checked and multiplied out before a board is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import SILENT, Progress
from runtimes.protocol import FLOAT32, RuntimeOptions
from runtimes.readers.artifact_files import artifact_sha256
from runtimes.readers.formats import ARTIFACT_KINDS, format_of
from runtimes.readers.metadata import ArtifactMetadata, read_metadata
from runtimes.registry import arithmetics_of, get_runtime, runtime_for


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        runs: samples of each artifact; None: as many as it takes.
        precision: half-width of the median's interval, as a share of it, at which sampling may stop.
        blocks: least number of blocks of each artifact, each in a process of its own.
        max_seconds: of sampling for each artifact.
        block_seconds: of sampling in one block.
        cooldown_c: no block starts above this temperature; None: no waiting.
        cooldown_seconds: longest wait for that before a block.
    """

    runs: int | None = None
    precision: float = 0.02
    blocks: int = 4
    max_seconds: float = 20.0
    block_seconds: float = 0.75
    cooldown_c: float | None = None
    cooldown_seconds: float = 300.0


@dataclass(frozen=True)
class BenchCase:
    """One artifact in one runtime under one setting.

    Attributes:
        label: distinguishes two cases of the same artifact, as in a self-check.
    """

    artifact: Path
    runtime: str
    options: RuntimeOptions
    batch: int = 1
    label: str = ""

    @cached_property
    def sha256(self) -> str:
        """Of the artifact."""
        return artifact_sha256(self.artifact)

    @cached_property
    def metadata(self) -> ArtifactMetadata:
        """What the exporter wrote into it; a checkpoint has none of that."""
        if format_of(self.artifact) is not None:
            return read_metadata(self.artifact)
        return ArtifactMetadata(format="pytorch")

    @property
    def title(self) -> str:
        """For messages and tables."""
        threads = f"{self.options.threads} thread{'s' if self.options.threads > 1 else ''}"
        return f"{self.artifact.name} in {self.runtime}, {threads}{' ' + self.label if self.label else ''}"


@dataclass(frozen=True)
class Request:
    """Everything a bench needs to know, apart from where.

    Attributes:
        cases: what to measure, interleaved with each other.
        effort: how long.
        latency: whether to time at all.
        data: labelled images, or None for the embedded sample.
        accuracy: whether to measure accuracy: True, False, or None for "if ``data`` is given or the sample fits".
        limit: at most this many images.
        profile: inferences to profile for operator times; 0: none.
        progress: receives what is being done.
    """

    cases: tuple[BenchCase, ...]
    effort: Effort = field(default_factory=Effort)
    latency: bool = True
    data: Path | None = None
    accuracy: bool | None = None
    limit: int | None = None
    profile: int = 0
    progress: Progress = SILENT

    @property
    def tries_accuracy(self) -> bool:
        """Whether accuracy is measured where there are images for it, and left out without a word otherwise."""
        return self.accuracy is None and self.data is None


def expand(
    artifacts: Sequence[Path],
    *,
    runtimes: Sequence[str] = (),
    threads: Sequence[int] = (1,),
    options: RuntimeOptions | None = None,
    batch: int = 1,
) -> tuple[BenchCase, ...]:
    """Every artifact in every runtime that loads it, with every number of threads.

    Args:
        artifacts: files; each must be there and be taken by one of the runtimes.
        runtimes: names; empty: for each artifact the first that takes its kind of file.
        threads: numbers of threads.
        options: everything else about the runtimes; one without that arithmetic computes in float32.
        batch: images in one inference, where the artifact leaves that open.

    Raises:
        UsageError: no such file, an unknown runtime, none that takes an artifact, or none with that arithmetic.
    """
    if not artifacts:
        raise UsageError("nothing to measure", hint=f"give at least one artifact: {ARTIFACT_KINDS}")
    base = options or RuntimeOptions()
    cases = []
    for artifact in artifacts:
        if not artifact.is_file():
            raise UsageError("no such artifact", where=artifact, hint=f"give the path of {ARTIFACT_KINDS}")
        runtime_list = [get_runtime(name) for name in runtimes] or [runtime_for(artifact)]
        fitting = [runtime for runtime in runtime_list if artifact.suffix.lower() in runtime.suffixes]
        if not fitting:
            names = ", ".join(runtime.name for runtime in runtime_list)
            hint = f"leave `runtime` out, or add {runtime_for(artifact).name}"
            raise UsageError(f"none of the runtimes takes this file: {names}", where=artifact, hint=hint)
        for runtime in fitting:
            for count in threads:
                arithmetic = base.arithmetic if base.arithmetic in arithmetics_of(runtime) else FLOAT32
                settings = replace(base, threads=count, arithmetic=arithmetic)
                cases.append(BenchCase(artifact, runtime.name, settings, batch))
    if all(case.options.arithmetic != base.arithmetic for case in cases):
        names = ", ".join(dict.fromkeys(case.runtime for case in cases))
        what = f"none of the runtimes can be told to compute in {base.arithmetic}: {names}"
        raise UsageError(what, hint="leave `arithmetic` out")
    return tuple(cases)
