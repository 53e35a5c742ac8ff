"""Operator times summed up by layer and by what they do: convolve, mix kernels, decide how to mix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PARTS = ("convolution", "aggregation", "attention", "classifier", "other")
_CONVOLUTIONS = ("conv", "depthwise")
_PRODUCTS = ("matmul", "gemm", "fully", "batch_matmul", "batchmatmul")


@dataclass(frozen=True)
class LayerCost:
    """Milliseconds of one layer by part, in order of execution."""

    layer: str
    parts: Mapping[str, float]

    @property
    def total_ms(self) -> float:
        """All parts together."""
        return sum(self.parts.values())


def layer_costs(rows: Sequence[Mapping[str, Any]], dynamic: Iterable[str] = ()) -> list[LayerCost]:
    """Sum up an operator profile.

    Args:
        rows: ``name`` (``LAYER/Operator``), ``kind`` and ``mean_ms`` of each operator, from ``bench --operators``.
        dynamic: paths of the dynamic convolutions, from the manifest's plan; only they mix kernels.
    """
    layers = sorted(dynamic, key=len, reverse=True)
    owned: dict[str, list[tuple[str, float]]] = {}
    owner = "(input)"
    for row, part in zip(rows, _parts(rows, layers), strict=True):
        path = _path(row)
        if path:
            owner = next((layer for layer in layers if path == layer or path.startswith(f"{layer}.")), _unit(path))
        # a runtime's own operators (changes of layout) have no path: they belong to what they stand beside
        owned.setdefault(owner, []).append((part, float(row.get("mean_ms") or 0.0)))
    return [
        LayerCost(name, {part: sum(ms for kind, ms in items if kind == part) for part in PARTS})
        for name, items in owned.items()
    ]


def by_block(costs: Sequence[LayerCost]) -> list[LayerCost]:
    """Layers summed up by block: the first two parts of their paths."""
    blocks: dict[str, dict[str, float]] = {}
    for cost in costs:
        parts = blocks.setdefault(".".join(cost.layer.split(".")[:2]), dict.fromkeys(PARTS, 0.0))
        for part, milliseconds in cost.parts.items():
            parts[part] += milliseconds
    return [LayerCost(name, parts) for name, parts in blocks.items()]


def _parts(rows: Sequence[Mapping[str, Any]], layers: Sequence[str]) -> list[str]:
    # a dynamic layer without a convolution operator was lowered to products: its last one is the convolution
    last_product = {_path(row): index for index, row in enumerate(rows) if _is(row, _PRODUCTS)}
    convolving = {_path(row) for row in rows if _is(row, _CONVOLUTIONS)}
    parts = []
    for index, row in enumerate(rows):
        path = _path(row)
        if "attention" in path.split("."):
            parts.append("attention")
        elif path.endswith(".bank"):
            parts.append("aggregation")
        elif _is(row, _CONVOLUTIONS):
            parts.append("convolution")
        elif path in layers:
            lowered = path not in convolving and last_product.get(path) == index
            parts.append("convolution" if lowered else "aggregation")
        elif path.split(".")[0] == "classifier":
            parts.append("classifier")
        else:
            parts.append("other")
    return parts


def _path(row: Mapping[str, Any]) -> str:
    """The module path in an operator's name; empty for operators that the runtime added."""
    name = str(row.get("name", "")).removeprefix("fused ")
    return name.split("/", 1)[0] if "/" in name else ""


def _unit(path: str) -> str:
    """The convolution that its batch normalisation and activation belong to."""
    head, _, tail = path.rpartition(".")
    return head if tail in ("conv", "bn", "act") else path


def _is(row: Mapping[str, Any], kinds: Sequence[str]) -> bool:
    kind = str(row.get("kind", "")).lower()
    return any(kind.startswith(name) or f"fused{name}" in kind.replace("_", "") for name in kinds)
