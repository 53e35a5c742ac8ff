"""The training loop: plain SGD, one state file per epoch, resumable to the identical result."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.data.dataset import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.checkpoint import save_checkpoint
from eamdeploy.training.allocator import keep_freed_memory
from eamdeploy.training.batches import Batches
from eamdeploy.training.logs import write_logs
from eamdeploy.training.parallel import Parallel, make_parallel
from eamdeploy.training.qat import qat_precision, ranges_of, restore_ranges
from eamdeploy.training.recipes import Recipe
from eamdeploy.training.state import TrainingState, momentum_of, restore_momentum


@dataclass(frozen=True)
class TrainingOptions:
    """What a run is asked for beyond its recipe.

    Attributes:
        anneal_to: softmax temperature reached linearly over the first ``anneal_epochs`` (Chen et al. 2020), from the spec's.
        ema: decay per step of an average of the weights, which is then what is evaluated and stored.
        label_smoothing: of the cross-entropy.
        precision: Lightning's name.
        tensorboard: write TensorBoard logs besides the CSV.
    """

    seed: int = 0
    anneal_to: float | None = None
    anneal_epochs: int = 10
    ema: float | None = None
    label_smoothing: float = 0.0
    precision: str = "32-true"
    tensorboard: bool = False


@dataclass(frozen=True)
class TrainingStep:
    """Where training is, for a progress display."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    top1: float


@dataclass(frozen=True)
class TrainingResult:
    """A finished run; ``top1`` is in percent on the test images."""

    checkpoint: Path
    top1: float
    epochs: int
    history: list[dict[str, float]]
    skipped: list[str] = field(default_factory=list)


def train(
    network: Network,
    train_data: ImageDataset,
    test_data: ImageDataset,
    preprocessing: Preprocessing,
    recipe: Recipe,
    out: Path,
    *,
    options: TrainingOptions | None = None,
    resume: bool = True,
    meta: dict[str, Any] | None = None,
    on_step: Callable[[TrainingStep], None] | None = None,
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
    test = Batches(test_data, preprocessing, None)
    batches = Batches(train_data, preprocessing, recipe.augment, seed=options.seed)
    if recipe.batch % parallel.world or len(batches) < recipe.batch:
        why = f"batch {recipe.batch}, {len(batches)} images, {parallel.world} processes"
        raise UsageError("the batch must be a multiple of the processes and no larger than the data", why=why)
    settings: dict[str, Any] = {"spec": network.spec.to_dict(), "recipe": asdict(recipe), "options": asdict(options)}
    settings["world"] = parallel.world
    if (quantized := qat_precision(network)) is not None:
        settings["qat"] = quantized
    state = _resume(out, settings) if resume else TrainingState(settings=settings)
    if state.weights:
        network.load_state_dict(state.weights)
    optimizer = _optimizer(network, recipe)
    restore_momentum(network, optimizer, state.momentum)
    restore_ranges(network, state.ranges)
    if options.ema is not None and not state.average:
        state.average = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    wrapped, wrapped_optimizer = parallel.setup(network, optimizer)
    session = _Session(network, wrapped, wrapped_optimizer, recipe, options, parallel, state, on_step)
    for epoch in range(state.epoch, recipe.epochs):
        row = session.run_epoch(epoch, batches)
        row["top1"] = _evaluate(network, state.average if options.ema else None, test)
        state.history.append({"epoch": epoch + 1, **row})
        state.epoch = epoch + 1
        state.weights = dict(network.state_dict())
        state.momentum = momentum_of(network, optimizer)
        state.ranges = ranges_of(network)
        if parallel.rank == 0:
            _store(out, network, state, preprocessing, train_data, options, recipe, meta or {})
        parallel.barrier()
    return TrainingResult(
        out / "model.safetensors", state.history[-1]["top1"], state.epoch, state.history, batches.skipped
    )


class _Session:
    """The parts one epoch works with."""

    def __init__(
        self,
        network: Network,
        wrapped: nn.Module,
        optimizer: torch.optim.Optimizer,
        recipe: Recipe,
        options: TrainingOptions,
        parallel: Parallel,
        state: TrainingState,
        on_step: Callable[[TrainingStep], None] | None,
    ) -> None:
        self.network, self.wrapped, self.optimizer = network, wrapped, optimizer
        self.recipe, self.options, self.parallel, self.state, self.on_step = recipe, options, parallel, state, on_step

    def run_epoch(self, epoch: int, batches: Batches) -> dict[str, float]:
        recipe, parallel = self.recipe, self.parallel
        steps = len(batches) // recipe.batch
        self._anneal(epoch)
        self.network.train()
        seen, total_loss, correct = 0, 0.0, 0
        started = batches.epoch(epoch, recipe.batch, rank=parallel.rank, world=parallel.world)
        for step, (images, labels) in enumerate(started):
            for group in self.optimizer.param_groups:
                group["lr"] = recipe.lr_at(epoch + step / steps)
            scores = self.wrapped(images.to(parallel.device))
            labels = labels.to(parallel.device)
            loss = F.cross_entropy(scores, labels, label_smoothing=self.options.label_smoothing)
            if not math.isfinite(loss.item()):
                why = f"epoch {epoch + 1}, step {step + 1}, learning rate {recipe.lr_at(epoch + step / steps):.3g}"
                kept = "the last finished epoch is kept" if epoch else "no epoch was finished"
                raise UsageError("the loss is not a number", why=why, hint=f"{kept}; try a smaller --lr")
            self.optimizer.zero_grad()
            parallel.backward(loss)
            self.optimizer.step()
            self._average()
            seen += len(labels)
            total_loss += loss.item() * len(labels)
            correct += int((scores.argmax(1) == labels).sum())
            if self.on_step is not None:
                self.on_step(
                    TrainingStep(epoch + 1, recipe.epochs, step + 1, steps, total_loss / seen, 100 * correct / seen)
                )
        means = parallel.mean(torch.tensor([total_loss / seen, 100 * correct / seen], device=parallel.device))
        return {"loss": float(means[0]), "train_top1": float(means[1]), "lr": recipe.lr_at(epoch)}

    def _anneal(self, epoch: int) -> None:
        if self.options.anneal_to is None:
            return
        start = float(self.state.settings["spec"]["temperature"])
        done = min(1.0, epoch / max(1, self.options.anneal_epochs))
        self.network.set_temperature(start + (self.options.anneal_to - start) * done)

    @torch.no_grad()
    def _average(self) -> None:
        if self.options.ema is None:
            return
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point():
                self.state.average[name].lerp_(tensor, 1 - self.options.ema)
            else:
                self.state.average[name].copy_(tensor)


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    plain = [p for p in network.parameters() if p.ndim > 1 or recipe.decay_norms]
    spared = [p for p in network.parameters() if p.ndim <= 1 and not recipe.decay_norms]
    groups = [{"params": plain, "weight_decay": recipe.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
    )


def _check_classes(network: Network, *datasets: ImageDataset) -> None:
    for data in datasets:
        if len(data.classes) != network.spec.classes:
            why = f"the data has {len(data.classes)} classes, the network {network.spec.classes}"
            raise DataError("data and network do not fit", where=data.name, why=why)


@torch.no_grad()
def _evaluate(network: Network, average: dict[str, Tensor] | None, test: Batches) -> float:
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()} if average else None
    if average:
        network.load_state_dict(average)
    network.eval()
    device = next(network.parameters()).device
    hits = [int((network(x.to(device)).argmax(1).cpu() == y).sum()) for x, y in test.sequential(250)]
    if kept:
        network.load_state_dict(kept)
    return 100 * sum(hits) / len(test)


def _resume(out: Path, settings: dict[str, Any]) -> TrainingState:
    path = out / "last.safetensors"
    if not path.exists():
        return TrainingState(settings=settings)
    state = TrainingState.load(path)
    if state.settings != json.loads(json.dumps(settings)):  # as they come back from the file
        hint = "give another --out, or --no-resume to start anew"
        raise UsageError("the folder holds a run with other settings", where=out, hint=hint)
    return state


def _store(
    out: Path,
    network: Network,
    state: TrainingState,
    preprocessing: Preprocessing,
    data: ImageDataset,
    options: TrainingOptions,
    recipe: Recipe,
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
    write_logs(out, state.history, tensorboard=options.tensorboard)
    state.save(out / "last.safetensors")
