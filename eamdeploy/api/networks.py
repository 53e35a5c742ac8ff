"""Networks: load, describe, train."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from eamdeploy.api.types import NetworkLike

if TYPE_CHECKING:
    from eamdeploy.networks.checkpoint import Checkpoint
    from eamdeploy.networks.complexity import Complexity
    from eamdeploy.networks.spec import ArchSpec
    from eamdeploy.training.loop import OnEvent, TrainingResult, TrainingStep
    from eamdeploy.training.session import TrainingRequest


def load(checkpoint: NetworkLike) -> Checkpoint:
    """Load a checkpoint by path, or by the name of a shipped one.

    Example:
        >>> network = eamdeploy.load("fashion-mnist-v1x0.25-eam-rcr")
        >>> len(network.classes)
        10

    Returns:
        The network in evaluation mode, with its architecture, classes and preprocessing.

    Raises:
        DataError: the file is missing, damaged, or no checkpoint of eamdeploy.
    """
    from eamdeploy.networks.checkpoint import Checkpoint, load_checkpoint

    return checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(str(checkpoint))


def describe(network: NetworkLike | ArchSpec) -> Complexity:
    """Count the parameters and multiply-accumulates of a network, by part and by layer.

    Example:
        >>> eamdeploy.describe("fashion-mnist-v1x0.25-eam-rcr").macs.total > 1_000_000
        True

    Args:
        network: a checkpoint, its path or shipped name, or an architecture's specification.

    Raises:
        DataError: the checkpoint cannot be read.
    """
    from eamdeploy.networks.architectures.build import build
    from eamdeploy.networks.complexity import measure_complexity
    from eamdeploy.networks.spec import ArchSpec

    return measure_complexity(build(network) if isinstance(network, ArchSpec) else load(network).network)


def train(
    request: TrainingRequest,
    *,
    on_step: Callable[[TrainingStep], None] | None = None,
    on_event: OnEvent | None = None,
) -> TrainingResult:
    """Train a network, or continue a run that was stopped.

    Example:
        >>> request = TrainingRequest(data="imagefolder", root=images, out=out, recipe="cpu-small", spec=spec, epochs=1)
        >>> eamdeploy.train(request).epochs
        1

    Args:
        request: data, output folder, recipe and everything that replaces a value of the recipe.
        on_step: called after every step with loss and accuracy.
        on_event: called with the plan before the first step, and with a report after each stored epoch.

    Raises:
        UsageError: the data cannot be read, or the recipe or an option does not exist.
    """
    from eamdeploy.training.session import run_training

    return run_training(request, on_step, on_event)
