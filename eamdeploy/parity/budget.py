"""An artifact that was rewritten within an accuracy budget, verified against the checkpoint it comes from.

It is no longer the same function, so two questions are asked: is it exactly the rewritten checkpoint, which is kept beside it,
and does it answer as well as the original, to within the budget?
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eamdeploy.base.chance import reference_warning
from eamdeploy.base.errors import UsageError
from eamdeploy.data import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import Checkpoint, load_checkpoint
from eamdeploy.parity.report import rules
from eamdeploy.runs.findings import Check, Location
from export.rewrites.accuracy import compare_answers
from export.rewrites.images import decode
from export.rewrites.sensitivity import scores_of
from runtimes.readers.metadata import ArtifactMetadata


def spent_on(metadata: ArtifactMetadata, checkpoint: Checkpoint) -> Mapping[str, Any] | None:
    """What the artifact says of its budget, if it was spent on ``checkpoint`` and changed it."""
    budget: Mapping[str, Any] | None = metadata.raw.get("budget")
    if budget is None or not checkpoint.sha256 or metadata.checkpoint_sha256 == checkpoint.sha256:
        return None
    return budget if budget.get("original_sha256") == checkpoint.sha256 else None


def find_rewritten(artifact: Path, sha256: str) -> Checkpoint:
    """The rewritten checkpoint beside ``artifact``.

    Raises:
        UsageError: when it is not there.
    """
    for path in sorted(artifact.parent.glob("*.safetensors")):
        if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return load_checkpoint(path)
    raise UsageError(
        "the artifact was rewritten within a budget, and the rewritten checkpoint is not beside it",
        where=artifact,
        hint="keep NAME.rewritten.safetensors in the artifact's folder, or export again",
    )


def budget_check(
    artifact: str,
    budget: Mapping[str, Any],
    *,
    original: Checkpoint,
    rewritten: Checkpoint,
    images: ImageDataset,
    artifact_top1: float | None,
) -> Check:
    """Whether the artifact's top-1 is the original's to within the budget, as far as ``images`` can tell."""
    points = float(budget["points"])
    place = Location(artifact)
    if artifact_top1 is None:
        message = "the images' classes are not the checkpoint's, so no accuracy could be compared"
        return Check("budget", False, message, artifact, rules.BUDGET.id, skipped=True, required=True, location=place)
    labelled = decode(images, Preprocessing.from_dict(original.preprocessing))
    before = scores_of(original.network, labelled.batches())
    change = compare_answers(before, scores_of(rewritten.network, labelled.batches()), labelled.labels)
    if why := reference_warning(change.top1_exact, len(labelled), len(original.classes)):
        message = f"the budget could not be judged: {why}"
        return Check("budget", False, message, artifact, rules.BUDGET.id, skipped=True, required=True, location=place)
    drop = change.top1_exact - artifact_top1
    # one image more or less is chance, whatever the interval says
    chance = max(change.error95_points, 100 / len(labelled))
    message = (
        f"{change.top1_exact:.2f} % of {len(labelled)} images before, {artifact_top1:.2f} % after: {drop:.2f} points lost, "
        f"±{chance:.2f} by chance, of {points:g} allowed; {_stated(budget)}"
    )
    details = {"points": points, "drop_points": drop, "chance_points": chance, **change.to_dict()}
    passed = drop - chance <= points
    return Check("budget", passed, message, artifact, rules.BUDGET.id, location=place, details=details)


def _stated(budget: Mapping[str, Any]) -> str:
    stated = (budget.get("finetuned") or budget)["validation"]
    return f"{stated['drop_points']:.2f} were lost on the {stated['images']} images that confirmed it"
