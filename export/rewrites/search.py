"""The budget: the cheapest network within so many points of top-1 of the exact one.

1. The divergence that each form of each layer causes alone, on a part of the calibration images (``sensitivity``).
2. The frontier path: steps from exact to cheapest, the best bargains first (``path``).
3. The furthest point of the path whose top-1, measured on all calibration images, has not dropped by more than that.
4. Confirmation on the validation images, which had no part in the search; where it fails the search steps back.

A drop is never extrapolated: what is chosen has been measured on both sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.networks.checkpoint import AnyNetwork
from eamdeploy.networks.layers.rewritten import COLLAPSE
from export.lowerings.base import LayerSite
from export.planning.plan import plan_network
from export.planning.sites import find_sites
from export.planning.target import Target
from export.rewrites.accuracy import Change, compare_answers
from export.rewrites.attention_stats import attention_statistics
from export.rewrites.choice import RewriteChoice, rewrite_network
from export.rewrites.images import BudgetImages, LabelledImages
from export.rewrites.path import WORTHWHILE, PathStep, choices_after, frontier_path, layer_steps
from export.rewrites.sensitivity import layer_divergences, scores_of
from export.rewrites.spending import FrontierPoint, LayerResult, Spending
from export.rewrites.work import OBJECTIVES, cost

# multiplications to spend on trying each form of each layer
PROBE_MACS = 4e9


def spend(
    network: AnyNetwork,
    images: BudgetImages,
    targets: tuple[Target, ...],
    input_shape: tuple[int, int, int],
    *,
    budget_points: float,
    minimize: str = "latency",
    beyond: bool = False,
    progress: Progress = SILENT,
) -> Spending:
    """Search the cheapest rewrite of ``network`` within ``budget_points``.

    Args:
        beyond: give the cheapest rewrite of all as well, whatever it costs in accuracy.
        targets: what the artifacts are for; where there are several their costs are added up.

    Raises:
        UsageError: for a budget or an objective that cannot be, or a network without dynamic layers.
    """
    if not 0 < budget_points <= 100:
        raise UsageError(f"a budget is a number of points between 0 and 100, got {budget_points:g}", where="`budget`")
    if minimize not in OBJECTIVES:
        raise UsageError(
            f"nothing is known of '{minimize}'", where="`minimize`", hint=did_you_mean(minimize, OBJECTIVES)
        )
    # a gate on the taps has no mean kernel to stand in for it
    sites = [site for site in find_sites(network, input_shape) if not site.layer.gated]
    if not sites:
        raise UsageError("the network has no dynamic layer: there is nothing to spend a budget on")
    search = _Search(
        network.eval(),
        sites,
        images,
        targets=targets,
        input_shape=input_shape,
        budget_points=budget_points,
        minimize=minimize,
        progress=progress,
    )
    return search.run(beyond)


class _Search:
    """The state of one search."""

    def __init__(
        self,
        network: AnyNetwork,
        sites: list[LayerSite],
        images: BudgetImages,
        *,
        targets: tuple[Target, ...],
        input_shape: tuple[int, int, int],
        budget_points: float,
        minimize: str,
        progress: Progress,
    ) -> None:
        self.network, self.sites, self.images, self.targets = network, sites, images, targets
        self.budget, self.minimize, self.progress = budget_points, minimize, progress
        self.lowerings = [plan_network(network, target, input_shape).lowerings() for target in targets]
        self.measured: dict[int, tuple[Change, Change | None]] = {}
        self.reference: dict[LabelledImages, Tensor] = {}

    def run(self, beyond: bool) -> Spending:
        calibration = self.images.calibration
        self.progress.stage(f"measuring the attention on {len(calibration)} images")
        self.statistics = attention_statistics(self.network, calibration.batches())
        everything = dict.fromkeys((site.path for site in self.sites), RewriteChoice(COLLAPSE))
        self.all_collapsed = self._changed(everything, calibration).within(self.budget)
        probe = calibration.first(self._probe_images())
        self.progress.stage(f"trying every form of {len(self.sites)} layers on {len(probe)} images")
        self.harms = layer_divergences(
            self.network,
            self.sites,
            self.statistics,
            probe,
            storage="int8" if self.minimize == "size" else "fp32",
            worthwhile=self._worthwhile,
        )
        self.costs = {
            site.path: {choice: self._cost(site, choice) for choice in (RewriteChoice(), *self.harms[site.path])}
            for site in self.sites
        }
        steps = {path: layer_steps(path, self.costs[path], harms) for path, harms in self.harms.items()}
        self.path: list[PathStep] = frontier_path(steps)
        self.progress.stage(f"searching {len(self.path)} steps on {len(calibration)} images")
        confirmed_steps = self._confirm(self._furthest())
        cheapest = self._result(len(self.path)) if beyond and confirmed_steps < len(self.path) else None
        return replace(self._result(confirmed_steps), cheapest=cheapest)

    def _probe_images(self) -> int:
        macs = sum(site.layer.bank[0].numel() * site.output_hw[0] * site.output_hw[1] for site in self.sites)
        return int(min(200, max(48, PROBE_MACS / max(1, macs))))

    def _cost(self, site: LayerSite, choice: RewriteChoice) -> float:
        return sum(
            cost(site, choice, lowerings[site.path], target, self.minimize)
            for target, lowerings in zip(self.targets, self.lowerings, strict=True)
        )

    def _worthwhile(self, site: LayerSite, choice: RewriteChoice) -> bool:
        # where even all layers may collapse nothing finer is asked for
        return not self.all_collapsed and self._cost(site, choice) < (1 - WORTHWHILE) * self._cost(
            site, RewriteChoice()
        )

    def _furthest(self) -> int:
        """The last point within the budget on the calibration images; drops are taken to grow along the path."""
        low, high = 0, len(self.path) + 1
        trial = len(self.path)
        while trial > low:
            if self._change(trial).within(self.budget):
                low = trial
            else:
                high = trial
            trial = (low + high) // 2
        return low

    def _confirm(self, steps: int) -> int:
        """Step back, by 1, 2, 4..., until the validation images agree."""
        back = 1
        while steps > 0:
            change = self._change(steps)
            if change.within(self.budget) and self._validate(steps).within(self.budget):
                return steps
            self.progress.stage(f"{steps} steps are not confirmed, stepping back")
            steps, back = max(0, steps - back), 2 * back
        return 0

    def _change(self, steps: int) -> Change:
        if steps not in self.measured:
            self.measured[steps] = (self._compare(steps, self.images.calibration), None)
        return self.measured[steps][0]

    def _validate(self, steps: int) -> Change:
        calibration, validation = self.measured[steps]
        if validation is None:
            validation = self._compare(steps, self.images.validation)
            self.measured[steps] = (calibration, validation)
        return validation

    def _compare(self, steps: int, images: LabelledImages) -> Change:
        return self._changed(choices_after(self.path, steps), images)

    def _changed(self, choices: Mapping[str, RewriteChoice], images: LabelledImages) -> Change:
        if images not in self.reference:
            self.reference[images] = scores_of(self.network, images.batches())
        exact = self.reference[images]
        if not choices:
            return compare_answers(exact, exact, images.labels)
        rewritten = rewrite_network(self.network, choices, self.statistics)
        return compare_answers(exact, scores_of(rewritten, images.batches()), images.labels)

    def _point(self, steps: int) -> FrontierPoint:
        choices = choices_after(self.path, steps)
        kinds = [choices.get(site.path, RewriteChoice()).kind for site in self.sites]
        calibration, validation = self.measured[steps]
        return FrontierPoint(
            steps=steps,
            cost=self._total(choices) / self._total({}),
            exact=kinds.count("exact"),
            low_rank=kinds.count("low-rank"),
            mean_residual=kinds.count("mean-residual"),
            collapsed=kinds.count("collapse"),
            calibration=calibration,
            validation=validation,
        )

    def _total(self, choices: Mapping[str, RewriteChoice]) -> float:
        return sum(self.costs[site.path][choices.get(site.path, RewriteChoice())] for site in self.sites)

    def _result(self, steps: int) -> Spending:
        for step_count in {0, steps}:
            self._change(step_count)
            self._validate(step_count)
        choices = choices_after(self.path, steps)
        layers = tuple(self._layer(site, choices.get(site.path, RewriteChoice())) for site in self.sites)
        frontier = tuple(self._point(step_count) for step_count in sorted(self.measured))
        return Spending(
            budget_points=self.budget,
            minimize=self.minimize,
            network=rewrite_network(self.network, choices, self.statistics).eval(),
            layers=layers,
            frontier=frontier,
            point=self._point(steps),
            before=self._total({}),
            after=self._total(choices),
        )

    def _layer(self, site: LayerSite, choice: RewriteChoice) -> LayerResult:
        costs = self.costs[site.path]
        return LayerResult(
            layer=site.path,
            kind=site.kind,
            choice=choice,
            divergence=self.harms[site.path].get(choice, 0.0),
            saving=1 - costs[choice] / costs[RewriteChoice()],
            attention=self.statistics[site.path],
        )
