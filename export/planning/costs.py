"""Measured costs for the planner: each lowering of a layer exported alone and timed, interleaved, and remembered.

    plan_network(network, target, shape, costs=MeasuredCosts())             # on this host
    plan_network(network, target, shape, costs=MeasuredCosts(board_timer))  # on a board

A measurement is keyed by runtime and version, CPU, threads, precision, batch and the layer's shape; layers of one shape share
it, and so do later exports, through a file in the user's cache folder.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError
from eamdeploy.base.files import atomic_write_text
from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from export.exporter.registry import get_exporter
from export.exporter.request import ExportRequest
from export.lowerings.base import LayerSite
from export.planning.target import RUNTIME_FORMATS, Target
from export.planning.timing import HostTimer, Timer
from export.registry import get_lowering

SCHEMA_VERSION = 2
ROUNDS = 40


def default_cache() -> Path:
    """Where measurements are kept: the user's cache folder."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("eamdeploy")) / "lowering-costs.json"


class MeasuredCosts:
    """A cost model for :func:`~export.planning.plan.plan_network` that measures what it has not measured before.

    Args:
        timer: where to measure; this host by default.
        cache: file to remember in; by default in the user's cache folder.
        rounds: timed inferences of each lowering.
        progress: receives one sentence before each measurement.
    """

    def __init__(
        self,
        timer: Timer | None = None,
        *,
        cache: Path | None = None,
        rounds: int = ROUNDS,
        progress: Progress = SILENT,
    ) -> None:
        self.timer = timer or HostTimer()
        self.cache = cache or default_cache()
        self.rounds, self.progress = rounds, progress
        self.times = self._load()

    def __call__(self, site: LayerSite, target: Target, serving: tuple[str, ...]) -> Mapping[str, float]:
        """Milliseconds of each lowering in ``serving``: the 10th percentile of the layer alone.

        Raises:
            UsageError: when the target is another kind of machine than the timer's.
        """
        if target.machine != self.timer.machine:
            raise UsageError(
                f"{self.timer.where} is {self.timer.machine}, and the plan is for {target.machine}",
                where="`measure`",
                hint="leave it out, and the shipped rules decide; or name a board of that kind with `device` or `board`",
            )
        key = layer_key(site, target, self.timer.identity(target.runtime))
        times = self.times.get(key, {})
        missing = tuple(name for name in serving if name not in times)
        if missing:
            self.progress.stage(f"measuring {', '.join(missing)} for {site.path} on {self.timer.where}")
            # all of them again: only times taken side by side compare
            times = measure_layer(site, target, serving, self.rounds, self.timer)
            self.times[key] = times
            self._save()
        return {name: times[name] for name in serving}

    def _load(self) -> dict[str, dict[str, float]]:
        try:
            document = json.loads(self.cache.read_text(encoding="utf-8"))
            return dict(document["costs"]) if document["schema_version"] == SCHEMA_VERSION else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # a cache that cannot be read is an empty one

    def _save(self) -> None:
        from filelock import FileLock

        self.cache.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.cache}.lock"):
            merged = {**self._load(), **self.times}
            atomic_write_text(
                self.cache, json.dumps({"schema_version": SCHEMA_VERSION, "costs": merged}, indent=1) + "\n"
            )


def layer_key(site: LayerSite, target: Target, identity: Mapping[str, str]) -> str:
    """What a measurement is valid for, as one line; ``identity`` is the timer's."""
    layer = site.layer
    parts: dict[str, Any] = {
        **identity,
        "threads": target.threads,
        "precision": target.precision,
        "batch": target.batch,
        "bank": list(layer.bank.shape),
        "input": list(site.input_hw),
        "geometry": [*layer.stride, *layer.padding, *layer.dilation, layer.groups],
        **_attention_key(layer),
    }
    return json.dumps(parts, sort_keys=True)


def _attention_key(layer: MixedConv2d) -> dict[str, int]:
    """What is measured with the layer: its own attention, or none where the weights are given to it."""
    if not isinstance(layer, AttentionConv2d):
        return {"given": layer.kernels}
    return {"selected": layer.attention.selected, "pooled": layer.attention.pool_size}


def measure_layer(
    site: LayerSite, target: Target, serving: tuple[str, ...], rounds: int = ROUNDS, timer: Timer | None = None
) -> dict[str, float]:
    """Time every lowering of one layer of a folded network, interleaved: milliseconds by name."""
    exporter = get_exporter(RUNTIME_FORMATS[target.runtime])
    shape = (site.layer.in_channels, *site.input_hw)
    with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
        paths = {name: Path(folder) / f"{name}.{exporter.format}" for name in serving}
        for name, path in paths.items():
            module = _Alone(get_lowering(name)(site, target), site.layer).eval().requires_grad_(False)
            exporter(module, path, ExportRequest(shape, batch=target.batch, simplify=False, machine=target.machine))
        return (timer or HostTimer()).time(paths, target, rounds)


class _Alone(nn.Module):
    """One lowered layer and the activation that usually follows; weights that it is given come from the map's mean."""

    def __init__(self, conv: nn.Module, layer: MixedConv2d) -> None:
        super().__init__()
        self.conv, self.act = conv, nn.ReLU()
        mixing_is_input = not isinstance(layer, AttentionConv2d)
        self.route = nn.Linear(layer.in_channels, layer.kernels) if mixing_is_input else None
        self.gate = nn.Linear(layer.in_channels, math.prod(layer.kernel_size)) if layer.gated else None

    def forward(self, x: Tensor) -> Tensor:
        mixing_inputs = []
        if self.route is not None:
            z = x.mean(dim=(2, 3))
            mixing_inputs = [torch.softmax(self.route(z), dim=1)]
            mixing_inputs += [] if self.gate is None else [torch.sigmoid(self.gate(z))]
        y: Tensor = self.act(self.conv(x, *mixing_inputs))
        return y
