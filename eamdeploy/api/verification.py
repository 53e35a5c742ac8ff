"""Verify: is an artifact the same function as its network?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eamdeploy.api.networks import load
from eamdeploy.api.types import AnyPath, ArtifactLike, NetworkLike, artifact_path, artifact_paths, folder_of
from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import SILENT, Progress

if TYPE_CHECKING:
    from eamdeploy.parity import ParityTolerance, ParityVerdict
    from eamdeploy.parity.audit.run import AuditReport

_ALONE = "a checkpoint knows its preprocessing and classes"


def verify(
    artifacts: ArtifactLike | Sequence[ArtifactLike],
    against: NetworkLike | ArtifactLike,
    *,
    data: AnyPath | None = None,
    limit: int | None = 100,
    runtime: str | None = None,
    threads: int = 1,
    random_images: int = 0,
    limits: ParityTolerance | None = None,
    preprocessing: str | None = None,
    labels: AnyPath | None = None,
    head: str | None = None,
    progress: Progress = SILENT,
) -> ParityVerdict:
    """Compare artifacts with their network, or with a float artifact, on real images.

    Example:
        >>> verdict = eamdeploy.verify("build/fashion-mnist-v1x0.25-eam-rcr.onnx", "fashion-mnist-v1x0.25-eam-rcr")
        >>> verdict.passed
        True

    Args:
        artifacts: .onnx and .tflite files, or what ``export`` returned.
        against: the checkpoint, its path or shipped name; or a float artifact, where there is no checkpoint.
        data: real images; the embedded sample by default. Labels do not matter.
        limit: images, balanced over the classes.
        runtime: the one for each file by default.
        threads: of the runtime and of PyTorch.
        random_images: images of noise to try in addition.
        limits: what is allowed.
        preprocessing: against an artifact from elsewhere: JSON, or a file that holds it.
        labels: against an artifact from elsewhere: a file with its class names, one a line.
        head: against an artifact from elsewhere: what it answers with. Against a checkpoint: ``output=NAME``, where several
            outputs of the artifacts could hold the classes.
        progress: receives how many images of how many are done, under the artifact's name.

    Returns:
        The verdict over all artifacts; ``reports`` has one report for each.

    Raises:
        UsageError: a file is missing, damaged or cannot be compared.
        MissingDependency: a runtime is not installed.
    """
    from eamdeploy.data import open_images
    from eamdeploy.inference.foreign import artifact_card
    from eamdeploy.inference.model_card import is_artifact
    from eamdeploy.networks.checkpoint import Checkpoint
    from eamdeploy.parity import ParityVerdict, verify_against_artifact
    from eamdeploy.parity import verify as against_checkpoint

    paths = artifact_paths(artifacts)
    if not isinstance(against, Checkpoint):
        reference = artifact_path(against)
        if is_artifact(reference):
            if runtime is not None or random_images:
                name = "runtime" if runtime is not None else "random_images"
                raise UsageError(f"{name} needs a checkpoint to compare with", where="against")
            card = artifact_card(reference, preprocessing, folder_of(labels), head, made_from_it=paths)
            dataset = None if data is None else open_images(Path(data), card.classes)
            comparisons = verify_against_artifact(
                paths, card, dataset, limit=limit, threads=threads, limits=limits, progress=progress
            )
            return ParityVerdict(tuple(comparisons))
        against = str(reference)
    if preprocessing is not None or labels is not None:
        raise UsageError(_ALONE, hint="leave preprocessing and labels out")
    checkpoint = load(against)
    dataset = None if data is None else open_images(Path(data), checkpoint.classes)
    reports = against_checkpoint(
        paths, checkpoint, dataset, limit=limit, runtime=runtime, threads=threads, random_images=random_images,
        limits=limits, head=head, progress=progress,
    )  # fmt: skip
    return ParityVerdict(tuple(reports))


def audit(
    artifact: ArtifactLike,
    against: NetworkLike,
    *,
    data: AnyPath | None = None,
    out: AnyPath = ".",
    limit: int | None = 100,
    threads: int = 1,
    head: str | None = None,
    progress: Progress = SILENT,
) -> AuditReport:
    """Hold a file that another converter made against its network; of a wrong one, write the part that shows the error.

    Example:
        >>> found = eamdeploy.audit("build/fashion-mnist-v1x0.25-eam-rcr.onnx", "fashion-mnist-v1x0.25-eam-rcr")
        >>> found.passed
        True

    Args:
        artifact: a file of any format.
        against: the network, its checkpoint's path or a shipped name.
        data: real images; the embedded sample by default. Labels do not matter.
        out: folder for the part of a wrong file.
        limit: images, balanced over the classes.
        threads: of the runtime and of PyTorch.
        head: ``output=NAME``, where several outputs of the file could hold the classes.
        progress: receives how many images of how many are done.

    Returns:
        The verdict, the first layer and the first operator that go wrong, and where the part was written.

    Raises:
        UsageError: the file is missing, damaged, or does not load.
        MissingDependency: a runtime is not installed.
    """
    from eamdeploy.data import embedded_sample, open_images
    from eamdeploy.parity.audit.run import audit as hold_against

    checkpoint = load(against)
    images = embedded_sample() if data is None else open_images(Path(data), checkpoint.classes)
    return hold_against(
        artifact_path(artifact),
        checkpoint,
        images,
        Path(out),
        limit=limit,
        threads=threads,
        head=head,
        progress=progress,
    )
