"""How a budget was spent: the layers, the frontier and the point on it that was taken."""

from __future__ import annotations

from dataclasses import dataclass

from eamdeploy.networks.checkpoint import AnyNetwork
from export.rewrites.accuracy import Change
from export.rewrites.attention_stats import LayerAttention
from export.rewrites.choice import RewriteChoice


@dataclass(frozen=True)
class FrontierPoint:
    """A network on the frontier.

    Attributes:
        steps: how many of the path's were taken.
        cost: estimated, as a part of the exact network's dynamic layers'.
        exact, low_rank, mean_residual, collapsed: layers in each form.
        calibration, validation: its measured change, where it was measured.
    """

    steps: int
    cost: float
    exact: int
    low_rank: int
    mean_residual: int
    collapsed: int
    calibration: Change | None = None
    validation: Change | None = None


@dataclass(frozen=True)
class LayerResult:
    """What became of one layer.

    Attributes:
        divergence: of its form alone, in nats, on the probed images.
        saving: of the layer's estimated cost, as a part of it.
        attention: its statistics over the calibration images.
    """

    layer: str
    kind: str
    choice: RewriteChoice
    divergence: float
    saving: float
    attention: LayerAttention


@dataclass(frozen=True)
class Spending:
    """How a budget was spent.

    Attributes:
        network: rewritten, in evaluation mode.
        frontier: measured points, cheapest last.
        point: the point taken.
        before, after: estimated costs of the dynamic layers; milliseconds, bytes or instructions.
        cheapest: the cheapest end of the path, where that was asked for and is beyond the budget: a start for fine-tuning.
    """

    budget_points: float
    minimize: str
    network: AnyNetwork
    layers: tuple[LayerResult, ...]
    frontier: tuple[FrontierPoint, ...]
    point: FrontierPoint
    before: float
    after: float
    cheapest: Spending | None = None

    @property
    def choices(self) -> dict[str, RewriteChoice]:
        """Layer path to form."""
        return {layer.layer: layer.choice for layer in self.layers}
