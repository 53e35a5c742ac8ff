"""Logs of a run: always a CSV; curves and TensorBoard events where their packages are installed."""

from __future__ import annotations

import csv
import importlib.util
import io
import math
import time
from pathlib import Path

from eamdeploy.base.errors import MissingDependency
from eamdeploy.base.files import atomic_path, atomic_write_text

History = list[dict[str, float]]
SECONDS_BETWEEN_CURVES = 10.0


class RunLogs:
    """Writes ``metrics.csv``, ``curves.svg`` (with matplotlib) and, if asked, TensorBoard events, each time from the whole history.

    Curves are drawn at most every ten seconds, and after the last epoch: drawing takes as long as a short epoch on a GPU.
    """

    def __init__(self, out: Path, *, tensorboard: bool) -> None:
        self.out, self.tensorboard = out, tensorboard
        self._drawn = -math.inf

    def write(self, history: History, *, last: bool) -> None:
        """Bring the logs up to date.

        Raises:
            MissingDependency: when TensorBoard logs are asked for and it is not installed.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(history[-1]))
        writer.writeheader()
        writer.writerows(history)
        atomic_write_text(self.out / "metrics.csv", text.getvalue())
        due = last or time.monotonic() - self._drawn > SECONDS_BETWEEN_CURVES
        if due and importlib.util.find_spec("matplotlib") is not None:
            _curves(self.out / "curves.svg", history)
            self._drawn = time.monotonic()
        if self.tensorboard:
            _tensorboard(self.out / "tensorboard", history)


def _curves(path: Path, history: History) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(11, 3), layout="constrained")
    accuracy, loss, rate = figure.subplots(1, 3)
    epochs = [row["epoch"] for row in history]
    accuracy.plot(epochs, [row["train_top1"] for row in history], marker=".", ls="--", label="training (augmented)")
    accuracy.plot(epochs, [row["top1"] for row in history], marker=".", label="test")
    accuracy.set(xlabel="epoch", ylabel="top-1 (%)")
    accuracy.legend()
    loss.plot(epochs, [row["loss"] for row in history], marker=".")
    loss.set(xlabel="epoch", ylabel="training loss")
    rate.plot(epochs, [row["lr"] for row in history], marker=".")
    rate.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
    for axes in (accuracy, loss, rate):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="svg")


def _tensorboard(folder: Path, history: History) -> None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise MissingDependency.extra("tensorboard", "scale") from error
    row = history[-1]
    with SummaryWriter(str(folder)) as writer:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name, value, int(row["epoch"]))
