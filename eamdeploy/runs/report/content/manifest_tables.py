"""Tables from the artifacts' manifests: parity, quantization, lowerings; what one lacks is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eamdeploy.runs.report.content.layer_parts import PARTS, LayerCost
from eamdeploy.runs.report.content.words import figure
from eamdeploy.runs.report.model import Cell, Names, ReportTable, table

Entries = Sequence[tuple[str, Mapping[str, Any]]]
_BADGES = {"passed": "better", "failed": "worse"}


def parity_table(names: Names, entries: Entries) -> ReportTable | None:
    """Whether each artifact is the same function as its checkpoint, and on what that was tried."""
    rows = [
        row
        for name, entry in entries
        if isinstance(entry.get("parity"), dict)
        for row in _parity(name, entry["parity"])
    ]
    columns = (
        "artifact", "verdict", "output", ">SNR, dB", ">largest error", ">allowed", ">top-1 flips", ">above rounding",
        ">attention error", "images", "runtime",
    )  # fmt: skip
    return _table(names, "parity", "Parity with the checkpoint on real images", columns, rows)


def _parity(name: str, parity: Mapping[str, Any]) -> Iterable[list[Cell | str]]:
    verdict = str(parity.get("verdict", ""))
    images = f"{parity.get('images', '')} of {parity.get('data', '')}".strip(" of")
    for output in dicts(parity.get("outputs")) or [{}]:
        snr = output.get("snr_db")
        exact = "snr_db" in output and snr is None
        yield [
            name,
            Cell(verdict, badge=_BADGES.get(verdict, "")),
            str(output.get("name", "")),
            Cell("equal to the bit", float("inf")) if exact else value_cell(snr),
            value_cell(output.get("max_abs_error")),
            value_cell(output.get("tolerance_abs")),
            value_cell(parity.get("flips")),
            value_cell(parity.get("flips_above_rounding")),
            value_cell(parity.get("attention_max_abs_error")),
            images,
            str(parity.get("runtime", "")),
        ]


def quantization_table(names: Names, entries: Entries) -> ReportTable | None:
    """What quantization did: every plain figure of the manifest's ``quantization``."""
    rows: list[list[Cell | str]] = []
    for name, entry in entries:
        quantization = entry.get("quantization")
        if isinstance(quantization, dict):
            rows += [[name, _words(key), value_cell(value)] for key, value in _plain(quantization)]
    return _table(names, "quantization", "What quantization did", ("artifact", "figure", "value"), rows)


def plan_table(names: Names, entries: Entries) -> ReportTable | None:
    """The lowering of each dynamic layer, and why."""
    rows: list[list[Cell | str]] = []
    for name, entry in entries:
        for position, layer in enumerate(dicts(entry.get("plan"))):
            measured = layer.get("measured_ms")
            cost = measured.get(layer.get("lowering")) if isinstance(measured, dict) else None
            rows.append(
                [
                    name,
                    Cell(str(layer.get("layer", "")), position),
                    str(layer.get("kind", "")),
                    "×".join(str(number) for number in layer.get("shape") or ()),
                    str(layer.get("lowering", "")),
                    value_cell(cost if cost is not None else layer.get("predicted_ms")),
                    str(layer.get("reason", "")),
                ]
            )
    columns = ("artifact", "layer", "kind", "bank", "lowering", ">ms, planned", "why")
    return _table(names, "lowerings", "Lowering of each dynamic layer", columns, rows)


def layers_table(names: Names, name: str, costs: Sequence[LayerCost]) -> ReportTable | None:
    """The time of each layer by part."""
    rows = [
        [Cell(cost.layer, position), *(_milliseconds(cost.parts[part]) for part in PARTS), _milliseconds(cost.total_ms)]
        for position, cost in enumerate(costs)
    ]
    columns = ("layer", *(f">{part}, ms" for part in PARTS), ">all, ms")
    return _table(names, f"layers {name}", f"Time of each layer of {name}", columns, rows)


def value_cell(value: Any) -> Cell:
    """A value of a manifest as a cell; numbers sort as numbers."""
    if isinstance(value, bool) or value is None:
        return Cell({True: "yes", False: "no", None: "–"}[value])
    if isinstance(value, int):
        return Cell(f"{value:,}", value)
    if isinstance(value, float):
        return Cell(figure(value), value)
    return Cell(str(value))


def _plain(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _plain(value, f"{prefix}{key} ")
        elif isinstance(value, list):
            yield f"{prefix}{key}", ", ".join(map(str, value)) if len(value) <= 12 else f"{len(value)} entries"
        else:
            yield f"{prefix}{key}", value


def _words(key: str) -> str:
    return key.replace("_", " ")


def _milliseconds(value: float) -> Cell:
    return Cell(figure(value) if value else "–", value)


def dicts(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; what is neither is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _table(
    names: Names, name: str, caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell | str]]
) -> ReportTable | None:
    return table(names.unique(name), caption, columns, rows) if rows else None
