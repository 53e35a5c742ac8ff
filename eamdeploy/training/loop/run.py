"""One training run, from a network to its checkpoint."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.data.dataset import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.checkpoint import save_checkpoint
from eamdeploy.training.batches.batches import Batches
from eamdeploy.training.device.acceleration import Acceleration, make_acceleration
from eamdeploy.training.device.allocator import keep_freed_memory
from eamdeploy.training.device.parallel import make_parallel
from eamdeploy.training.loop.epoch import EpochTrainer
from eamdeploy.training.loop.events import EpochReport, OnEvent, TrainingPlan
from eamdeploy.training.loop.logs import RunLogs
from eamdeploy.training.loop.options import OnStep, TrainingOptions, TrainingResult
from eamdeploy.training.loop.state import TrainingState, momentum_of, restore_momentum
from eamdeploy.training.qat import qat_precision, ranges_of, restore_ranges
from eamdeploy.training.recipes import Recipe


def train(
    network: Network,
    train_data: ImageDataset,
    test_data: ImageDataset,
    *,
    preprocessing: Preprocessing,
    recipe: Recipe,
    out: Path,
    options: TrainingOptions | None = None,
    resume: bool = True,
    meta: dict[str, Any] | None = None,
    on_step: OnStep | None = None,
    on_event: OnEvent | None = None,
) -> TrainingResult:
    """Train ``network`` and leave ``model.safetensors``, ``metrics.csv``, ``curves.svg`` and ``last.safetensors`` in ``out``.

    A run that was stopped continues after its last finished epoch and ends with the same weights, bit for bit, as one that
    was not, given the same number of threads and processes.

    Raises:
        DataError: when data and network do not fit each other.
        UsageError: when the loss stops being a number, or ``out`` holds another run.
    """
    options = options or TrainingOptions()
    _check_classes(network, train_data, test_data)
    keep_freed_memory()
    parallel = make_parallel(options.precision)
    acceleration = make_acceleration(options.acceleration, network, parallel.device)
    test = Batches(test_data, preprocessing, None, device=parallel.device)
    batches = Batches(train_data, preprocessing, recipe.augment, seed=options.seed, device=parallel.device)
    if recipe.batch % parallel.world or len(batches) < recipe.batch:
        why = f"batch {recipe.batch}, {len(batches)} images, {parallel.world} processes"
        raise UsageError("the batch must be a multiple of the processes and no larger than the data", why=why)
    settings: dict[str, Any] = {"spec": network.spec.to_dict(), "recipe": asdict(recipe), "options": options.settings()}
    settings["world"] = parallel.world
    if (quantized := qat_precision(network)) is not None:
        settings["qat"] = quantized
    state = _resume(out, settings) if resume else TrainingState(settings=settings)
    if state.weights:
        network.load_state_dict(state.weights)
    network.to(parallel.device)
    trained = acceleration.prepare(network)
    optimizer = make_optimizer(network, recipe, fused=acceleration.fused)
    restore_momentum(network, optimizer, state.momentum)
    restore_ranges(network, state.ranges)
    if options.ema is not None:
        average = state.average or network.state_dict()
        state.average = {name: tensor.clone().to(parallel.device) for name, tensor in average.items()}
    wrapped, wrapped_optimizer = parallel.setup(trained, optimizer)
    trainer = EpochTrainer(
        network,
        wrapped,
        optimizer=wrapped_optimizer,
        recipe=recipe,
        options=options,
        parallel=parallel,
        acceleration=acceleration,
        state=state,
        on_step=on_step,
    )
    logs = RunLogs(out, tensorboard=options.tensorboard)
    tell: OnEvent = on_event if on_event is not None and parallel.rank == 0 else lambda _: None
    tell(
        TrainingPlan(
            network=network.spec.name,
            train_images=len(train_data),
            test_images=len(test_data),
            classes=network.spec.classes,
            input=(network.spec.in_channels, network.spec.input_px, network.spec.input_px),
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            recipe=f"SGD, learning rate {recipe.lr:g}, weight decay {recipe.weight_decay:g}",
            device=str(parallel.device),
            batch=recipe.batch,
            epochs=recipe.epochs,
            resumed=state.epoch,
        )
    )
    begun, first = time.monotonic(), state.epoch
    for epoch in range(state.epoch, recipe.epochs):
        row = trainer.run(epoch, batches)
        row["top1"] = _evaluate(network, state.average if options.ema else None, test, acceleration)
        state.history.append({"epoch": epoch + 1, **row})
        state.epoch = epoch + 1
        state.weights = dict(network.state_dict())
        state.momentum = momentum_of(network, optimizer)
        state.ranges = ranges_of(network)
        if parallel.rank == 0:
            _store(
                out,
                network,
                state=state,
                preprocessing=preprocessing,
                data=train_data,
                options=options,
                recipe=recipe,
                logs=logs,
                meta=meta or {},
            )
        parallel.barrier()
        epoch_s = (time.monotonic() - begun) / (state.epoch - first)
        seconds_left = epoch_s * (recipe.epochs - state.epoch)
        tell(
            EpochReport(
                state.epoch, recipe.epochs, row["loss"], row["train_top1"], row["top1"],
                learning_rate=row["lr"], seconds=epoch_s, seconds_left=seconds_left,
            )
        )  # fmt: skip
    return TrainingResult(
        out / "model.safetensors", state.history[-1]["top1"], state.epoch, state.history, batches.skipped
    )


def make_optimizer(network: nn.Module, recipe: Recipe, *, fused: bool = False) -> torch.optim.SGD:
    """SGD as ``recipe`` asks; ``fused``: one pass over all parameters."""
    plain = [p for p in network.parameters() if p.ndim > 1 or recipe.decay_norms]
    spared = [p for p in network.parameters() if p.ndim <= 1 and not recipe.decay_norms]
    groups = [{"params": plain, "weight_decay": recipe.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        fused=fused or None,
    )


def _check_classes(network: Network, *datasets: ImageDataset) -> None:
    for data in datasets:
        if len(data.classes) != network.spec.classes:
            why = f"the data has {len(data.classes)} classes, the network {network.spec.classes}"
            raise DataError("data and network do not fit", where=data.name, why=why)


@torch.no_grad()
def _evaluate(network: Network, average: dict[str, Tensor] | None, test: Batches, acceleration: Acceleration) -> float:
    plain_state = {name: tensor.clone() for name, tensor in network.state_dict().items()} if average else None
    if average:
        network.load_state_dict(average)
    network.eval()
    hits = torch.zeros((), dtype=torch.int64, device=test.device)
    for images, labels in test.sequential(250):
        hits += (network(acceleration.images(images)).argmax(1) == labels).sum()
    if plain_state:
        network.load_state_dict(plain_state)
    return 100 * int(hits) / len(test)


def _resume(out: Path, settings: dict[str, Any]) -> TrainingState:
    path = out / "last.safetensors"
    if not path.exists():
        return TrainingState(settings=settings)
    state = TrainingState.load(path)
    if state.settings != json.loads(json.dumps(settings)):  # as they come back from the file
        hint = "give another `out`, or turn `resume` off to start anew"
        raise UsageError("the folder holds a run with other settings", where=out, hint=hint)
    return state


def _store(
    out: Path,
    network: Network,
    *,
    state: TrainingState,
    preprocessing: Preprocessing,
    data: ImageDataset,
    options: TrainingOptions,
    recipe: Recipe,
    logs: RunLogs,
    meta: dict[str, Any],
) -> None:
    """The model first, then the state that makes it part of the run: a stop between the two repeats one epoch."""
    details = {
        "data": data.name,
        "top1": round(state.history[-1]["top1"], 2),
        "epochs": state.epoch,
        "of_epochs": recipe.epochs,
        "seed": options.seed,
        **meta,
    }
    save_checkpoint(
        out / "model.safetensors",
        network,
        preprocessing=preprocessing.to_dict(),
        classes=data.classes,
        meta=details,
        state=state.average or None,
    )
    logs.write(state.history, last=state.epoch == recipe.epochs)
    state.save(out / "last.safetensors")
