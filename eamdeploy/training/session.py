"""From what a user asks for to a training run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError
from eamdeploy.data.remarks import remarks_on
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training.device.acceleration import DEFAULT
from eamdeploy.training.loop import OnEvent, TrainingOptions, TrainingResult, TrainingStep, train
from eamdeploy.training.qat import prepare_qat
from eamdeploy.training.recipes import check_augmentation, get_recipe
from eamdeploy.training.sources import get_source, input_side, open_splits


@dataclass(frozen=True)
class TrainingRequest:
    """The flags of ``eamdeploy train``; ``None`` means the recipe's or the data's own value.

    The spec's ``classes``, ``input_px`` and ``in_channels`` are taken from the data.
    """

    data: str
    root: Path
    out: Path
    recipe: str
    spec: ArchSpec
    start: str | None = None
    input_px: int | None = None
    epochs: int | None = None
    lr: float | None = None
    batch: int | None = None
    augment: str | None = None
    ema: float | None = None
    anneal_to: float | None = None
    anneal_epochs: int = 10
    seed: int = 0
    label_smoothing: float = 0.0
    precision: str = "32-true"
    threads: int | None = None
    tensorboard: bool = False
    resume: bool = True
    note: str | None = None
    qat: str | None = None
    acceleration: str = DEFAULT
    class_map: Mapping[str, int | str] | None = None
    exif: bool = False


def run_training(
    request: TrainingRequest, on_step: Callable[[TrainingStep], None] | None = None, on_event: OnEvent | None = None
) -> TrainingResult:
    """Train as asked.

    Raises:
        DataError: for data or a checkpoint that cannot be used.
        UsageError: for settings that cannot be used, or when training diverges.
    """
    import torch

    from eamdeploy.networks.architectures.build import build
    from eamdeploy.networks.checkpoint import load_checkpoint

    source = get_source(request.data)
    recipe = get_recipe(request.recipe)
    if request.epochs is not None:
        recipe = recipe.scaled_to(request.epochs)
    overrides: dict[str, Any] = {
        "lr": request.lr,
        "batch": request.batch,
        "augment": request.augment,
    }
    recipe = replace(recipe, **{name: value for name, value in overrides.items() if value is not None})
    check_augmentation(recipe.augment)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    checkpoint = None if request.start is None else load_checkpoint(request.start)
    own_classes = None if checkpoint is None else checkpoint.classes
    training, test = open_splits(request.data, request.root, own_classes, request.class_map)
    side = request.input_px
    if side is None and checkpoint is None and request.data == "imagefolder":
        side = input_side(training, request.root)
    preprocessing = replace(source.preprocessing(side), exif=request.exif)
    if checkpoint is not None:
        network = checkpoint.built("training")
        from eamdeploy.data.preprocessing import Preprocessing

        preprocessing = Preprocessing.from_dict(checkpoint.preprocessing)
        preprocessing = replace(preprocessing, exif=preprocessing.exif or request.exif)
    else:
        spec = replace(
            request.spec,
            classes=len(training.classes),
            input_px=preprocessing.side,
            in_channels=preprocessing.channels,
        )
        network = build(spec)
    meta: dict[str, Any] = {"data": request.data if request.data != "imagefolder" else request.root.name}
    meta["recipe"] = request.recipe
    if request.note is not None:
        meta["note"] = request.note
    if request.qat is not None:
        if request.start is None:
            why = "it adapts a trained network to rounding, and random weights have nothing to adapt"
            raise UsageError(
                "quantization-aware training starts from a float checkpoint", why=why, hint="give it as `start`"
            )
        network = prepare_qat(network, request.qat)
        meta["qat"] = request.qat
    options = TrainingOptions(
        seed=request.seed,
        anneal_to=request.anneal_to,
        anneal_epochs=request.anneal_epochs,
        ema=request.ema,
        label_smoothing=request.label_smoothing,
        precision=request.precision,
        tensorboard=request.tensorboard,
        acceleration=request.acceleration,
    )
    result = train(
        network, training, test, preprocessing=preprocessing, recipe=recipe, out=request.out,
        options=options, resume=request.resume, meta=meta, on_step=on_step, on_event=on_event,
    )  # fmt: skip
    remarks = [*remarks_on(training, exif=preprocessing.exif), *remarks_on(test, exif=preprocessing.exif)]
    return replace(result, notes=tuple(dict.fromkeys(remarks)))
