"""Networks: load, describe, train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eamdeploy.api.types import AnyPath, NetworkLike
from eamdeploy.base.progress import SILENT, Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

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


def import_network(
    module: nn.Module,
    example: Tensor | tuple[int, ...],
    *,
    path: AnyPath | None = None,
    classes: Sequence[str] | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    head: str | None = None,
    progress: Progress = SILENT,
) -> Checkpoint:
    """Bring in anybody's classifier: its dynamic convolutions are found in its graph, and the result is proven equal.

    Example:
        >>> from torch import nn
        >>> module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
        >>> network = eamdeploy.import_network(module, (3, 32, 32), path="mine.safetensors")
        >>> network.spec.classes
        10

    Args:
        module: takes one tensor of images ``(B, C, H, W)`` or rows ``(B, C, L)``, gives ``(B, classes)``.
        example: images as it takes them, or the shape of one.
        path: where to write the checkpoint, which needs none of the module's code; left out, it stays in memory.
        classes: names in the order of the scores; numbered by default.
        preprocessing: how pictures become its input; ImageNet's statistics at its input size by default.
        head: what its outputs mean, such as ``multi-label`` or ``single-logit``; logits of classes by default.
        progress: receives one sentence as each step begins.

    Returns:
        A checkpoint that every other function takes; ``meta["imported"]`` has the layers, the proof, and the numbers that no state
        dict holds.

    Raises:
        DataError: the module cannot be traced, or depends on more than the image; the message names the line.
        ParityError: the rewritten network is not the same function.
    """
    from pathlib import Path

    from eamdeploy.training.importing.network.session import import_network as bring_in

    imported = bring_in(module, example, classes=classes, preprocessing=preprocessing, head=head, progress=progress)
    return (imported if path is None else imported.save(Path(path))).checkpoint


def train(
    request: TrainingRequest,
    *,
    on_step: Callable[[TrainingStep], None] | None = None,
    on_event: OnEvent | None = None,
) -> TrainingResult:
    """Train a network, or continue a run that was stopped.

    Example:
        >>> request = TrainingRequest(data="imagefolder", root=images, out=out, recipe="cpu-small", spec=spec, epochs=1, batch=32)
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
