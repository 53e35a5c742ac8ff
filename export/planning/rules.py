"""The shipped rules: which lowering to prefer per runtime, CPU family and kind of layer, and what it costs, as data.

``data/rules.json`` beside this file holds the preferences, first match first; ``data/costs.json`` the measurements behind
them (``benchmarks/export/lowerings.py`` writes it). A predicted cost is that of the nearest measured layer, scaled by the
work.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from importlib import resources
from typing import Any

from export.lowerings.base import LayerSite
from export.planning.target import Target

_NOT_RULES = ("prefer", "because")


@dataclass(frozen=True)
class Preference:
    """The lowering that the rules choose, and why."""

    lowering: str
    because: str


@functools.cache
def _load(name: str) -> Any:
    return json.loads(resources.files("export.planning.data").joinpath(name).read_text(encoding="utf-8"))


def facts(site: LayerSite, target: Target) -> dict[str, Any]:
    """What a rule can ask about."""
    return {
        "runtime": target.runtime,
        "machine": target.machine,
        "portable": target.portable,
        "precision": target.precision,
        "batch": target.batch,
        "single": target.batch == 1,
        "kind": site.kind,
        "stride": max(site.layer.stride),
        "kernel": max(site.layer.kernel_size),
        "positions": math.prod(site.output_hw),
        "columns": math.prod(site.layer.bank.shape[2:]),
    }


def _matches(rule: dict[str, Any], known_facts: dict[str, Any]) -> bool:
    for key, condition in rule.items():
        if key in _NOT_RULES:
            continue
        if key.startswith("max_"):
            if known_facts[key.removeprefix("max_")] > condition:
                return False
        elif key.startswith("min_"):
            if known_facts[key.removeprefix("min_")] < condition:
                return False
        elif known_facts[key] != condition and not (isinstance(condition, list) and known_facts[key] in condition):
            return False
    return True


def preferred(site: LayerSite, target: Target, serving: tuple[str, ...]) -> Preference:
    """The first lowering among ``serving`` that the first matching rule with one of them names.

    Raises:
        LookupError: when no rule has a lowering that serves; the last shipped rule names ones that serve always.
    """
    known_facts = facts(site, target)
    for rule in _load("rules.json")["rules"]:
        if not _matches(rule, known_facts):
            continue
        for name in rule["prefer"]:
            if name in serving:
                return Preference(name, rule["because"])
    raise LookupError(f"no rule serves {site.path} on {target}")


def work(kind: str, shape: tuple[int, ...], positions: int, lowering: str) -> float:
    """A rough count of what a lowered layer does, in multiplications: its convolution, and the reading of its bank."""
    kernels, bank = shape[0], math.prod(shape)
    macs = bank / kernels * positions
    del kind
    return macs * kernels if lowering in {"experts", "inputs"} else macs + 4 * bank


def predict_cost_ms(site: LayerSite, target: Target, lowering: str) -> float | None:
    """Milliseconds from the shipped table, or ``None`` where it has nothing alike."""
    shape, positions = tuple(site.layer.bank.shape), math.prod(site.output_hw)
    stride, kernel = max(site.layer.stride), max(site.layer.kernel_size)
    layer_work = work(site.kind, shape, positions, lowering)
    best: tuple[float, float] | None = None
    for row in _load("costs.json")["rows"]:
        same = (row["runtime"], row["machine"], row["precision"], row["kind"]) == (
            target.runtime,
            target.machine,
            target.precision,
            site.kind,
        )
        if not same or lowering not in row["ms"] or target.batch != 1 or target.threads != row["threads"]:
            continue
        other = work(row["kind"], tuple(row["shape"]), row["positions"], lowering)
        distance = (
            abs(math.log(layer_work / other))
            + abs(math.log(positions / row["positions"]))
            + 2 * (stride != row["stride"])
            + 2 * (kernel != row["kernel"])
        )
        if best is None or distance < best[0]:
            best = (distance, row["ms"][lowering] * layer_work / other)
    return None if best is None else round(best[1], 4)
