"""How estimates are shown: a table, a line for each thing that makes one uncertain, and where the time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from eamdeploy.cli.views.output import make_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.latency.estimate.comparison import RatioEstimate
    from devices.latency.estimate.result import Estimate

NEXT_STEP = "To know more, bench two networks on such a board and run: eamdeploy devices calibrate"


def show_estimates(console: Console, estimates: Sequence[Estimate], *, single: bool, layers: bool) -> None:
    """A line for each device, then the notes; for one device also the parts and layers."""
    table = make_table(
        "device", "runtime?", "precision?", ">threads??", ">p50 ms", ">90 % interval ms", "calibration??"
    )
    for e in estimates:
        threads = str(e.threads) if e.threads else "not stated"
        if e.p50_ms is None or e.interval90_ms is None:
            table.add_row(e.device, e.runtime, e.precision, "-", "-", "-", "no estimate")
        else:
            low, high = e.interval90_ms
            interval = f"{milliseconds(low)} to {milliseconds(high)}"
            table.add_row(
                e.device,
                e.runtime,
                e.precision,
                threads,
                f"~{milliseconds(e.p50_ms)}",
                interval,
                e.calibration_title or "",
            )
    console.print(table)
    console.print("estimated by the latency model, not measured", style="dim")
    answered = sum(e.p50_ms is not None for e in estimates)
    for note, names in _by_note(estimates).items():
        who = "all" if len(names) == answered > 1 else ", ".join(names)
        console.print(f"{who}: {note}", style="dim", markup=False)
    if any(e.p50_ms is None for e in estimates):
        console.print(NEXT_STEP, style="dim")
    if single and estimates[0].p50_ms is not None:
        _show_parts(console, estimates[0], estimates[0].p50_ms, layers=layers)


def _show_parts(console: Console, e: Estimate, p50_ms: float, *, layers: bool) -> None:
    parts = make_table("where the time goes", ">ms", ">share")
    for part, value in e.parts_ms.items():
        if value > 0:
            parts.add_row(part, milliseconds(value), f"{100 * value / p50_ms:.0f} %")
    console.print()
    console.print(parts)
    if layers:
        each = make_table("layer", ">ms", ">MACs?", ">operators??", "largest part?")
        for layer in e.layers:
            largest = max(layer.parts_ms, key=lambda part: layer.parts_ms[part])
            each.add_row(layer.layer, milliseconds(layer.ms), f"{layer.macs:,}", str(layer.operators), largest)
        console.print()
        console.print(each)


def show_ratios(console: Console, ratios: Sequence[RatioEstimate]) -> None:
    """A line for each device: how many times as long the first artifact takes as the second."""
    table = make_table("device", ">ratio", ">90 % interval", ">work shared?", "calibration??")
    for r in ratios:
        if r.ratio is None or r.interval90 is None:
            table.add_row(r.device, "-", "-", "-", "no estimate")
        else:
            low, high = r.interval90
            shared = f"{r.shared_percent:.0f} %" if r.shared_percent is not None else "-"
            table.add_row(r.device, f"~{r.ratio:.2f}", f"{low:.2f} to {high:.2f}", shared, r.calibration_title or "")
    console.print(table)
    console.print("time of the first artifact over time of the second; estimated, not measured", style="dim")
    for r in ratios:
        for note in r.notes:
            console.print(f"{r.device}: {note}", style="dim", markup=False)


def _by_note(estimates: Sequence[Estimate]) -> dict[str, list[str]]:
    """Each note once, with the devices it holds for; where there is no estimate, the reason."""
    notes: dict[str, list[str]] = {}
    for e in estimates:
        for note in e.notes if e.p50_ms is not None else e.notes[:1]:
            notes.setdefault(note, []).append(e.device)
    return notes


def milliseconds(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
