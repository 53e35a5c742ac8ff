"""A checkpoint rewritten within an accuracy budget: searched, confirmed, optionally trained a little further, saved.

    result = spend_budget(checkpoint, Path("net.rewritten.safetensors"), BudgetRequest(0.1, Path("images")), targets)
    result.checkpoint            # an ordinary checkpoint: export, evaluate, verify it like any other

The search itself is :mod:`export.rewrites.search`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eamdeploy.base.chance import reference_warning
from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import AnyNetwork, Checkpoint, load_checkpoint, save_checkpoint
from eamdeploy.pipeline.finetune import Finetuning, finetune_within
from export.planning.target import Target
from export.rewrites.accuracy import Change
from export.rewrites.images import BudgetImages, budget_images
from export.rewrites.search import spend
from export.rewrites.spending import FrontierPoint, LayerResult, Spending

# images in each of the two sets, by what an image costs: some tens of seconds for a set on one core
LIMIT_MACS = 1e11
LIMIT_RANGE = (500, 5000)


@dataclass(frozen=True)
class BudgetRequest:
    """What may be spent, and on which images it is measured.

    Attributes:
        points: of top-1 that may be lost; in (0, 100].
        calibration: labelled images to search on; their training split where they have one.
        validation: labelled images to confirm on, their test split; ``None`` parts the calibration images in two.
        minimize: ``latency``, ``size`` or ``instructions``.
        finetune_epochs: to train the rewritten network on the calibration images' whole training split.
        limit: images in each set at most; ``None`` decides by the network's cost.
        class_map: from the data's classes to the network's, where the names differ.
    """

    points: float
    calibration: Path
    validation: Path | None = None
    minimize: str = "latency"
    finetune_epochs: int = 0
    limit: int | None = None
    class_map: Mapping[str, int | str] | None = None


def budget_request(
    points: float,
    calibration: Path | None,
    data: Path | None = None,
    *,
    minimize: str = "latency",
    finetune_epochs: int = 0,
    class_map: Mapping[str, int | str] | None = None,
) -> BudgetRequest:
    """A budget over these folders; with one folder alone its training split is parted and its test split stays unseen.

    Raises:
        UsageError: without labelled images.
    """
    folder = calibration or data
    if folder is None:
        raise UsageError(
            "a budget is spent on labelled images", where="budget", hint="give a folder of them as calibration"
        )
    validation = data if calibration is not None else None
    return BudgetRequest(points, folder, validation, minimize, finetune_epochs, class_map=class_map)


@dataclass(frozen=True)
class BudgetResult:
    """A rewritten checkpoint and the proof that it is within its budget.

    Attributes:
        checkpoint: the rewritten one, saved; the original itself where nothing could be spent.
        report: JSON-ready, as manifests and artifacts carry it.
        spending: the search.
        finetuned: the changes after fine-tuning, on the calibration and the validation images.
    """

    checkpoint: Checkpoint
    report: dict[str, Any]
    spending: Spending
    finetuned: tuple[Change, Change] | None = None


def spend_budget(
    checkpoint: Checkpoint, path: Path, request: BudgetRequest, targets: tuple[Target, ...], progress: Progress = SILENT
) -> BudgetResult:
    """Rewrite ``checkpoint`` for ``targets`` within the budget and save it as ``path``.

    Raises:
        UsageError: for a budget that cannot be, or a network without dynamic layers.
        DataError: for images that cannot be used.
    """
    spec, network = checkpoint.spec, checkpoint.network
    if request.finetune_epochs:
        network = checkpoint.built("fine-tuning")
    preprocessing = Preprocessing.from_dict(checkpoint.preprocessing)
    shape = spec.input_shape
    limit = request.limit or _limit(network)
    validation = request.validation
    if validation is None and request.finetune_epochs:
        validation = request.calibration  # whose test split was not trained on
    images = budget_images(
        request.calibration, validation, preprocessing, checkpoint.classes, limit=limit, class_map=request.class_map
    )
    if images.parted and request.finetune_epochs:
        hint = "give others as `data`, or a `calibration` folder with a test split"
        raise UsageError("fine-tuning would train on the images that confirm it", where="`finetune_epochs`", hint=hint)
    spending = spend(
        network,
        images,
        targets,
        shape,
        budget_points=request.points,
        minimize=request.minimize,
        beyond=request.finetune_epochs > 0,
        progress=progress,
    )
    if not (spending.point.steps or spending.cheapest):
        return BudgetResult(checkpoint, budget_report(checkpoint, spending, images, None), spending)
    network, finetuned = spending.network, None
    if request.finetune_epochs:
        how = Finetuning(
            request.finetune_epochs, request.calibration, validation or request.calibration, request.class_map
        )
        tuned = finetune_within(checkpoint, spending, images, how, progress)
        if tuned is not None:
            spending, network, finetuned = tuned.spending, tuned.network, (tuned.calibration, tuned.validation)
        elif not spending.point.steps:
            return BudgetResult(checkpoint, budget_report(checkpoint, spending, images, None), spending)
    report = budget_report(checkpoint, spending, images, finetuned)
    # the accuracy that training noted was the exact network's
    other_meta = {name: value for name, value in checkpoint.meta.items() if name != "top1"}
    meta = {**other_meta, "budget": report}
    save_checkpoint(path, network, preprocessing=checkpoint.preprocessing, classes=checkpoint.classes, meta=meta)
    return BudgetResult(load_checkpoint(path), report, spending, finetuned)


def _limit(network: AnyNetwork) -> int:
    from eamdeploy.networks.complexity import measure_complexity

    low, high = LIMIT_RANGE
    return int(min(high, max(low, LIMIT_MACS / max(1, measure_complexity(network).macs.total))))


def budget_report(
    checkpoint: Checkpoint, spending: Spending, images: BudgetImages, finetuned: tuple[Change, Change] | None
) -> dict[str, Any]:
    """What the manifest, the artifacts and ``--json`` say about a spent budget."""
    confirmed = spending.point.validation or spending.point.calibration
    warning = None
    if confirmed is not None:
        warning = reference_warning(confirmed.top1_exact, confirmed.images, len(checkpoint.classes))
    return {
        "points": spending.budget_points,
        "minimize": spending.minimize,
        "original_sha256": checkpoint.sha256,
        "original": checkpoint.name,
        "calibration": {"data": images.calibration.name, **_change(spending.point.calibration)},
        "validation": {"data": images.validation.name, **_change(spending.point.validation)},
        "finetuned": None
        if finetuned is None
        else {"calibration": finetuned[0].to_dict(), "validation": finetuned[1].to_dict()},
        "estimated_cost": {
            "before": spending.before,
            "after": spending.after,
            "unit": {"latency": "ms", "size": "bytes", "instructions": "instructions"}[spending.minimize],
        },
        "layers": [_layer(layer) for layer in spending.layers],
        "frontier": [_point(point) for point in spending.frontier],
        "sentence": sentence(spending, None if finetuned is None else finetuned[1]),
        "warning": warning,
    }


def _change(change: Change | None) -> dict[str, Any]:
    return {} if change is None else change.to_dict()


def _layer(layer: LayerResult) -> dict[str, Any]:
    moved = layer.attention
    return {
        "layer": layer.layer,
        "kind": layer.kind,
        "choice": layer.choice.to_dict(),
        "divergence_nats": layer.divergence,
        "saving": round(layer.saving, 4),
        "movement": moved.movement,
        "effective_rank": moved.effective_rank,
        "distance_max": moved.distance_max,
        "bound_max": moved.bound_max,
        "worst_case": moved.worst_case,
    }


def _point(point: FrontierPoint) -> dict[str, Any]:
    return {
        "steps": point.steps,
        "cost": round(point.cost, 4),
        "exact": point.exact,
        "low_rank": point.low_rank,
        "mean_residual": point.mean_residual,
        "collapsed": point.collapsed,
        "calibration": _change(point.calibration),
        "validation": None if point.validation is None else _change(point.validation),
    }


def sentence(spending: Spending, finetuned: Change | None = None) -> str:
    """The result in words, and plainly so where there was little to save; ``finetuned``: validation images after training."""
    point, layers = spending.point, len(spending.layers)
    saved = 100 * (1 - point.cost)
    validation = finetuned or point.validation
    drop = 0.0 if validation is None else validation.drop_points
    forms = [
        f"{count} {name}"
        for count, name in (
            (point.collapsed, "collapsed"),
            (point.low_rank, "low-rank"),
            (point.mean_residual, "mean-residual"),
            (point.exact, "exact"),
        )
        if count
    ]
    what = f"of {layers} dynamic layers {', '.join(forms)}"
    if point.exact == layers:
        return (
            f"nothing could be saved within {spending.budget_points:g} points: this network's attention varies with the "
            "image, and every layer stays exact"
        )
    if saved < 25:
        return (
            f"little could be saved within {spending.budget_points:g} points ({saved:.0f} % of the dynamic layers' "
            f"estimated {spending.minimize}): this network's attention varies with the image; {what}"
        )
    return (
        f"{what}; {saved:.0f} % of the dynamic layers' estimated {spending.minimize} saved for {drop:.2f} points on "
        f"{0 if validation is None else validation.images} validation images"
        f"{'' if finetuned is None else ', after fine-tuning'}"
    )
