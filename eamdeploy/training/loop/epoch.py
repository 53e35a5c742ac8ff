"""One epoch of training."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.architectures.network import Network
from eamdeploy.training.batches.batches import Batches
from eamdeploy.training.device.acceleration import Acceleration
from eamdeploy.training.device.parallel import Parallel
from eamdeploy.training.loop.options import OnStep, TrainingOptions, TrainingStep
from eamdeploy.training.loop.scores import RunningScores
from eamdeploy.training.loop.state import TrainingState
from eamdeploy.training.recipes import Recipe

# a GPU runs ahead of the host; reading the loss makes it wait
GPU_STEPS_BETWEEN_READINGS = 50


class EpochTrainer:
    """The parts one epoch works with.

    Attributes:
        network: whose weights are trained.
        wrapped: what is run: the network itself, compiled, or spread over processes.
    """

    def __init__(
        self,
        network: Network,
        wrapped: nn.Module,
        *,
        optimizer: torch.optim.Optimizer,
        recipe: Recipe,
        options: TrainingOptions,
        parallel: Parallel,
        acceleration: Acceleration,
        state: TrainingState,
        on_step: OnStep | None = None,
    ) -> None:
        self.network, self.wrapped, self.optimizer = network, wrapped, optimizer
        self.recipe, self.options, self.parallel, self.state, self.on_step = recipe, options, parallel, state, on_step
        self.acceleration = acceleration
        self.reading_every = 1 if parallel.device.type == "cpu" else GPU_STEPS_BETWEEN_READINGS

    def run(self, epoch: int, batches: Batches) -> dict[str, float]:
        """Train one epoch; its row of the history without the test accuracy.

        Raises:
            UsageError: when the loss stops being a number.
        """
        recipe, parallel = self.recipe, self.parallel
        steps = len(batches) // recipe.batch
        self._anneal(epoch)
        self.network.train()
        running = RunningScores(parallel.device)
        started = batches.epoch(epoch, recipe.batch, rank=parallel.rank, world=parallel.world)
        for step, (images, labels) in enumerate(started):
            lr = recipe.lr_at(epoch + step / steps)
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            loss = self.forward(images, labels, running)
            if (step + 1) % self.reading_every == 0 or step + 1 == steps:
                self._report(epoch, step, steps, lr, running)
            self.update(loss)
        means = parallel.mean(torch.tensor(running.read(), device=parallel.device))
        return {"loss": float(means[0]), "train_top1": float(means[1]), "lr": recipe.lr_at(epoch)}

    def forward(self, images: Tensor, labels: Tensor, running: RunningScores) -> Tensor:
        """The mean loss of a batch, counted in ``running``; nothing is read back from the device."""
        with self.parallel.autocast():
            scores = self.wrapped(self.acceleration.images(images))
            loss = F.cross_entropy(scores, labels, label_smoothing=self.options.label_smoothing)
        running.add(loss, scores, labels)
        return loss

    def update(self, loss: Tensor) -> None:
        """One step of the optimizer down the gradient of ``loss``, and of the average of the weights."""
        self.optimizer.zero_grad()
        self.parallel.backward(loss)
        self.optimizer.step()
        self._average()

    def _report(self, epoch: int, step: int, steps: int, lr: float, running: RunningScores) -> None:
        loss, top1 = running.read()
        if not math.isfinite(loss):
            why = f"epoch {epoch + 1}, by step {step + 1}, learning rate {lr:.3g}"
            last_epoch = "the last finished epoch is kept" if epoch else "no epoch was finished"
            raise UsageError("the loss is not a number", why=why, hint=f"{last_epoch}; try a smaller `lr`")
        if self.on_step is not None:
            self.on_step(TrainingStep(epoch + 1, self.recipe.epochs, step=step + 1, steps=steps, loss=loss, top1=top1))

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
