"""Training a rewritten network a little further, so that cheaper forms than the budget alone allows end within it."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from eamdeploy.base.progress import Progress
from eamdeploy.data import open_labelled
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.checkpoint import Checkpoint, load_checkpoint
from export.rewrites.accuracy import Change, compare_answers
from export.rewrites.images import BudgetImages, LabelledImages
from export.rewrites.sensitivity import scores_of
from export.rewrites.spending import Spending

RECIPE = "finetune"


@dataclass(frozen=True)
class Finetuning:
    """How long to train, on which training split; the test split of ``held_out`` is never trained on."""

    epochs: int
    training: Path
    held_out: Path
    class_map: Mapping[str, int | str] | None = None


@dataclass(frozen=True)
class Finetuned:
    """A rewritten network after training, and its changes against the exact one."""

    spending: Spending
    network: Network
    calibration: Change
    validation: Change


def finetune_within(
    checkpoint: Checkpoint, spending: Spending, images: BudgetImages, how: Finetuning, progress: Progress
) -> Finetuned | None:
    """Train the cheapest rewrite first, then the one the search chose; the first that ends within the budget is taken.

    What counts is the drop on the validation images: trained weights answer differently in both directions, so that the
    drop to be expected from changed answers says nothing here. ``None`` where training leaves the budget each time: the
    rewrite that the search chose is then the answer as it is.
    """
    for candidate in (spending.cheapest, spending):
        if candidate is None or not candidate.point.steps:
            continue
        tuned = _finetune(checkpoint, candidate, images, how, progress)
        if tuned.validation.drop_points <= spending.budget_points:
            return tuned
        progress.stage(
            f"after fine-tuning {tuned.validation.drop_points:.2f} points are lost, more than the budget: not taken"
        )
    return None


def _finetune(
    checkpoint: Checkpoint, spending: Spending, images: BudgetImages, how: Finetuning, progress: Progress
) -> Finetuned:
    from eamdeploy.training.loop import train
    from eamdeploy.training.recipes import get_recipe

    data = open_labelled(how.training, "train", checkpoint.classes, how.class_map)
    held_out = open_labelled(how.held_out, "test", checkpoint.classes, how.class_map)
    recipe = replace(get_recipe(RECIPE), epochs=how.epochs)
    recipe = replace(recipe, batch=min(recipe.batch, len(data)))
    preprocessing = Preprocessing.from_dict(checkpoint.preprocessing)
    point = spending.point
    progress.stage(f"fine-tuning with {point.collapsed} layers collapsed for {how.epochs} epochs on {len(data)} images")
    start = copy.deepcopy(spending.network)
    if not isinstance(start, Network):
        raise TypeError("an imported network is not fine-tuned")
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            start, data, held_out, preprocessing=preprocessing, recipe=recipe, out=Path(folder), resume=False
        )
        network = load_checkpoint(trained.checkpoint).built("fine-tuning")
    calibration, validation = (
        _compare(checkpoint.built("fine-tuning"), network, part) for part in (images.calibration, images.validation)
    )
    return Finetuned(spending, network, calibration, validation)


def _compare(exact: Network, rewritten: Network, images: LabelledImages) -> Change:
    return compare_answers(scores_of(exact, images.batches()), scores_of(rewritten, images.batches()), images.labels)
