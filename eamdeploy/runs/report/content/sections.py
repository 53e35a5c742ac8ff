"""The sections of a report, in the order a reader asks: which one to ship, how sure is that, why, and where from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import eamdeploy
from eamdeploy.base.results import Run
from eamdeploy.runs.report.collect import Material
from eamdeploy.runs.report.content import manifest_tables as manifest
from eamdeploy.runs.report.content import words
from eamdeploy.runs.report.content.attention import attention_table
from eamdeploy.runs.report.content.layer_parts import layer_costs
from eamdeploy.runs.report.content.pareto import pareto_front
from eamdeploy.runs.report.content.recommendation import fastest_of, recommendation, trusted
from eamdeploy.runs.report.content.tables import differences_table, machines_table, runs_table
from eamdeploy.runs.report.figures.attention import attention_figure
from eamdeploy.runs.report.figures.conditions import conditions_figure
from eamdeploy.runs.report.figures.latency import latency_figure
from eamdeploy.runs.report.figures.layers import layers_figure
from eamdeploy.runs.report.figures.pareto import pareto_figure
from eamdeploy.runs.report.model import Card, Figure, FigureGroup, Names, Report, ReportTable, Section

T = TypeVar("T")
_MOST_PROFILES = 6
_SECTIONS = (
    "choice", "latency", "differences", "layers", "attention", "parity", "quantization", "conditions", "runs", "reading",
)  # fmt: skip


def build_report(material: Material, title: str) -> Report:
    """Everything there is to say about ``material``.

    Raises:
        MissingDependency: without matplotlib.
    """
    # the sections' own names are taken
    names = Names({name for section in _SECTIONS for name in (section, f"{section}-title")} | {"main", "theme"})
    steps: Sequence[Callable[[Material, Names], Section]] = (
        _choice, _distributions, _differences, _layers, _attention, _parity, _quantization, _conditions, _runs,
        _reading,
    )  # fmt: skip
    kinds = Counter(run.provenance.kind for run in material.runs)
    commits = {run.git_commit[:12] for run in material.runs if run.git_commit}
    facts = (
        ("made", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, eamdeploy {eamdeploy.__version__}"),
        ("runs", ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"),
        ("devices", ", ".join(sorted({words.place(run) for run in material.runs})) or "none"),
        (
            "commits",
            ", ".join(sorted(commits)[:6]) + (" …" if len(commits) > 6 else "") if commits else "none recorded",
        ),
    )
    return Report(title, facts, tuple(step(material, names) for step in steps))


def _choice(material: Material, names: Names) -> Section:
    groups = [
        FigureGroup(place, tuple(_cards(runs)), _present([pareto_figure(names.unique(f"pareto {place}"), place, runs)]))
        for place, runs in _rivals(material.newest()).items()
    ]
    drawn = any(group.figures for group in groups)
    several = any(len(pareto_front(runs)) > 1 for runs in _rivals(material.newest()).values())
    absent = "" if drawn else "No run has both a latency and an accuracy: run 'eamdeploy bench' with --data."
    text = " ".join(
        (f"On {place}: " if len(groups) > 1 else "") + recommendation(runs)
        for place, runs in _rivals(material.newest()).items()
    )
    if several:
        text += " The dashed line is the Pareto frontier of accuracy and latency."
    return Section("choice", "Which one to ship", text, tuple(groups), absent=absent)


def _cards(runs: Sequence[Run]) -> list[Card]:
    cards = []
    timed = [run for run in runs if run.latency_ms is not None]
    scored = [run for run in runs if run.accuracy is not None]
    if timed:
        cards.append(_fastest(timed))
    if scored:
        best = max(scored, key=lambda run: run.accuracy.top1 if run.accuracy else 0.0)
        cards.append(_card("most accurate", words.accuracy(best).text, best, best.provenance.kind))
    if len(runs) > 1 and (sized := [run for run in runs if run.bytes]):
        smallest = min(sized, key=lambda run: run.bytes)
        cards.append(_card("smallest", words.size(smallest.bytes), smallest, ""))
    front = pareto_front(runs)
    if len(front) > 1:
        detail = ", ".join(words.artifact(run) for run in front)
        cards.append(Card("unbeaten", f"{len(front)} of {len(runs)}", "", detail, ""))
    return cards


def _fastest(timed: Sequence[Run]) -> Card:
    """No run is crowned that is invalid, estimated, or no faster than another as far as can be told."""
    first, *tied = fastest_of(trusted(timed)) or [
        min(timed, key=lambda run: run.latency_ms.p50 if run.latency_ms else 0.0)
    ]
    if tied:
        names = ", ".join(words.artifact(run) for run in (first, *tied))
        return Card("fastest", f"{1 + len(tied)} tied", "", f"{names}: no difference shown", words.latency_kind(first))
    kind, state = words.latency_kind(first), first.verdict.state
    # where nothing can be trusted, what there is is shown as what it is
    what = "fastest" if trusted([first]) else "lowest, not trusted"
    card = _card(what, words.latency(first).text, first, kind)
    return card if state == "clean" else replace(card, detail=f"{card.detail}: {state}")


def _card(what: str, figure: str, run: Run, kind: str) -> Card:
    value, _, interval = figure.partition(" [")
    return Card(what, value, f"[{interval}" if interval else "", f"{words.artifact(run)}, {words.setting(run)}", kind)


def _distributions(material: Material, names: Names) -> Section:
    places = _by_place(material.newest())
    figures = _present(latency_figure(names.unique(f"latency {place}"), runs) for place, runs in places.items())
    absent = "" if figures else "No run has timed samples."
    return Section("latency", "Latency distributions", figures=figures, absent=absent)


def _differences(material: Material, names: Names) -> Section:
    tables = _present([differences_table(names, material.groups())])
    absent = "No runs were measured in turns: give 'eamdeploy bench' several artifacts at once, and they are."
    text = "Each interval is a 95 % interval; where it holds no change, no difference was shown."
    return Section("differences", "Differences", text if tables else "", tables=tables, absent="" if tables else absent)


def _layers(material: Material, names: Names) -> Section:
    figures: list[Figure | None] = []
    tables: list[ReportTable | None] = []
    dynamic = {
        name: [str(layer.get("layer")) for layer in manifest.dicts(entry.get("plan"))]
        for name, entry in material.entries()
    }
    for run in [run for run in material.newest() if run.per_layer][:_MOST_PROFILES]:
        name = words.artifact(run)
        costs = layer_costs(run.per_layer, dynamic.get(name, ()))
        figures.append(layers_figure(names.unique(f"layers {words.label(run)}"), words.label(run), costs))
        tables.append(manifest.layers_table(names, name, costs))
    tables.append(manifest.plan_table(names, list(material.entries())))
    absent = "" if any(figures) else "No run has an operator profile: run 'eamdeploy bench --operators'."
    return Section(
        "layers",
        "Where the time goes",
        text="",
        groups=(),
        figures=_present(figures),
        tables=_present(tables),
        absent=absent,
    )


def _attention(material: Material, names: Names) -> Section:
    figures = _present(
        attention_figure(names.unique(f"attention {file.title}"), file.title, file.layers)
        for file in material.attention
    )
    tables = _present([attention_table(names, material.attention)])
    absent = (
        "No attention was given: 'eamdeploy describe CKPT --attention DIR --json > attention.json' measures it over "
        "images, 'eamdeploy report --attention attention.json' shows it."
    )
    text = (
        "Alpha moves by the sum of |alpha - its mean|, of 2 at most. A layer whose weights hardly move could have one fixed "
        "kernel; one that moves much earns its experts. "
    ) + " ".join(f"{file.sentence}." for file in material.attention if file.sentence)
    return Section(
        "attention",
        "Attention",
        text=text if tables else "",
        groups=(),
        figures=figures,
        tables=tables,
        absent="" if tables else absent,
    )


def _parity(material: Material, names: Names) -> Section:
    tables = _present([manifest.parity_table(names, list(material.entries()))])
    absent = "" if tables else "The artifacts have no manifests beside them."
    return Section("parity", "Parity", tables=tables, absent=absent)


def _quantization(material: Material, names: Names) -> Section:
    tables = _present([manifest.quantization_table(names, list(material.entries()))])
    absent = "" if tables else "No quantized artifact with a manifest was measured."
    return Section("quantization", "Quantization", tables=tables, absent=absent)


def _conditions(material: Material, names: Names) -> Section:
    figures = _present([conditions_figure(names.unique("conditions"), material.newest())])
    tables = _present([machines_table(names, material.runs)])
    return Section(
        "conditions",
        "Machines and conditions",
        text="",
        groups=(),
        figures=figures,
        tables=tables,
        absent="" if tables else "No run.",
    )


def _runs(material: Material, names: Names) -> Section:
    tables = _present([runs_table(names, material.runs)]) if material.runs else ()
    return Section("runs", "All runs", tables=tables, absent="" if tables else "No run meets the filter.")


def _reading(material: Material, names: Names) -> Section:
    del material, names
    text = (
        "Measured: timed on the machine named. Emulated: run on an emulated board; outputs, accuracy and instruction "
        "counts are real, times are not. Estimated (~): from the latency model, nothing was timed; the interval is a "
        "90 % one. Intervals of medians are 95 % bootstrap intervals over all samples, none removed; those of "
        "accuracies are Wilson's. "
        "Clean, suspect, invalid: what the machine's own sensors and the spread of the samples say about a measurement."
    )
    return Section("reading", "How to read this", text)


def _by_place(runs: Sequence[Run]) -> dict[str, list[Run]]:
    places: dict[str, list[Run]] = {}
    for run in runs:
        places.setdefault(words.place(run), []).append(run)
    return places


def _rivals(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs that can take each other's place: of one machine and one data set; those without accuracy apart from the others."""
    groups: dict[str, list[Run]] = {}
    for place, here in _by_place(runs).items():
        data = {run.accuracy.data if run.accuracy else "no accuracy" for run in here}
        for run in here:
            about = f", {run.accuracy.data if run.accuracy else 'no accuracy'}" if len(data) > 1 else ""
            groups.setdefault(f"{place}{about}", []).append(run)
    return groups


def _present(items: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(item for item in items if item is not None)
