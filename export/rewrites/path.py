"""From exact to cheapest, one layer's step at a time, the step that saves most per harm done first.

Each layer has forms with a cost and a divergence; the useful ones are the lower convex hull between the exact form
(dear, no harm) and its cheapest. Taken over all layers in order of saving per divergence, these steps are the optimal
spending of any total divergence (up to one step): the frontier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from export.rewrites.choice import RewriteChoice

# a form must save this part of what its layer costs to be worth any harm
WORTHWHILE = 0.02


@dataclass(frozen=True)
class PathStep:
    """One layer going from one form to a cheaper one.

    Attributes:
        saving: of cost, positive.
        harm: the divergence added.
    """

    layer: str
    choice: RewriteChoice
    saving: float
    harm: float


def layer_steps(
    layer: str, costs: Mapping[RewriteChoice, float], harms: Mapping[RewriteChoice, float]
) -> list[PathStep]:
    """The hull of one layer from its exact form (``Choice()``) on: each step harms more per saving than the last."""
    cost, harm = costs[RewriteChoice()], 0.0
    least = WORTHWHILE * abs(cost)
    steps: list[PathStep] = []
    while True:
        cheaper = [choice for choice in harms if costs[choice] < cost - least]
        if not cheaper:
            return steps
        # equal slopes (no harm at all, say): the one that saves more
        best = min(cheaper, key=lambda choice: ((harms[choice] - harm) / (cost - costs[choice]), costs[choice]))
        steps.append(PathStep(layer, best, cost - costs[best], max(0.0, harms[best] - harm)))
        cost, harm = costs[best], max(harm, harms[best])


def frontier_path(steps: Mapping[str, list[PathStep]]) -> list[PathStep]:
    """All layers' steps, least harm per saving first; a layer's own stay in order."""
    merged = [
        (step.harm / step.saving, index, step)
        for layer_steps in steps.values()
        for index, step in enumerate(layer_steps)
    ]
    return [step for _, _, step in sorted(merged, key=lambda entry: (entry[0], entry[1], entry[2].layer))]


def choices_after(path: list[PathStep], count: int) -> dict[str, RewriteChoice]:
    """What each layer is after the first ``count`` steps; layers not named are exact."""
    return {step.layer: step.choice for step in path[:count]}
