"""The sections of a report, in the order a reader asks: which one to ship, how sure is that, why, and where from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import eamdeploy
from eamdeploy.base.results import Run
from eamdeploy.runs.report.collect import Material
from eamdeploy.runs.report.content import manifest_tables as manifest
from eamdeploy.runs.report.content import words
from eamdeploy.runs.report.content.accuracy import class_names, classes_table, pairs_table
from eamdeploy.runs.report.content.attention import attention_table
from eamdeploy.runs.report.content.choice import ranked_table
from eamdeploy.runs.report.content.layer_parts import layer_costs
from eamdeploy.runs.report.content.recommendation import ranked, recommendation, shipped
from eamdeploy.runs.report.content.tables import differences_table, machines_table, runs_table
from eamdeploy.runs.report.content.training import training_table
from eamdeploy.runs.report.figures.attention import attention_figure
from eamdeploy.runs.report.figures.conditions import conditions_figure
from eamdeploy.runs.report.figures.confusion import confusion_figure
from eamdeploy.runs.report.figures.forest import forest_figure
from eamdeploy.runs.report.figures.latency import latency_figure
from eamdeploy.runs.report.figures.layers import layers_figure
from eamdeploy.runs.report.figures.pareto import pareto_figure
from eamdeploy.runs.report.figures.training import training_figure
from eamdeploy.runs.report.model import Figure, FigureGroup, Fold, Names, Report, Section

T = TypeVar("T")
_MOST_PROFILES = 6
_MOST_FORESTS = 2
_SECTIONS = (
    "choice", "differences", "accuracy", "latency", "layers", "training", "attention", "parity", "quantization", "conditions",
    "runs", "reading",
)  # fmt: skip


def build_report(material: Material, title: str) -> Report:
    """Everything there is to say about ``material``.

    Raises:
        MissingDependency: without matplotlib.
    """
    # the sections' own names are taken
    names = Names({name for section in _SECTIONS for name in (section, f"{section}-title")} | {"main", "theme"})
    # a report of artifacts has nothing to say of training
    about_training = [_training] if material.training else []
    steps: Sequence[Callable[[Material, Names], Section]] = (
        _choice, _differences, _accuracy, _layers, _distributions, *about_training, _attention, _parity, _quantization, _conditions,
        _runs, _reading,
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
    places = sorted(_rivals(material.newest()).items(), key=lambda item: (not shipped(item[1]), -len(item[1])))
    groups = [
        FigureGroup(
            place,
            (ranked_table(names, place, runs),),
            _present([pareto_figure(names.unique(f"pareto {place}"), place, runs)]),
        )
        for place, runs in places
    ]
    has_choice = any(run.latency_ms and run.accuracy for run in material.runs)
    absent = "" if has_choice else "No run has both a latency and an accuracy: run 'eamdeploy bench FILE --data DIR'."
    lead = " ".join((f"On {place}: " if len(groups) > 1 else "") + recommendation(runs) for place, runs in places)
    # the first machine is shown, the others can be opened
    folds = tuple(Fold(f"On {group.title}", group.figures, group.tables) for group in groups[1:])
    return Section("choice", "Which one to ship", lead=lead, groups=tuple(groups[:1]), folds=folds, absent=absent)


def _differences(material: Material, names: Names) -> Section:
    groups = [(_reference(group), group) for group in material.groups()]
    figures = _present(
        forest_figure(names.unique(f"forest {run.id}"), run, [other for other in group if other is not run])
        for run, group in groups[:_MOST_FORESTS]
    )
    tables = _present([differences_table(names, groups)])
    folds = (Fold("Every difference in figures", (), tables),) if tables else ()
    absent = "No runs were measured in turns. To compare files, pass them to one 'eamdeploy bench' command."
    return Section(
        "differences", "How sure is the difference", figures=figures, folds=folds, absent="" if tables else absent
    )


def _reference(group: Sequence[Run]) -> Run:
    """What the others of a group are compared with: the one to ship, else the first."""
    return next(iter(shipped(group)), min(group, key=lambda run: run.id))


def _accuracy(material: Material, names: Names) -> Section:
    run = next((run for run in _best_first(material.newest()) if run.accuracy and run.accuracy.confused), None)
    if run is None:
        why = "No run keeps what it confuses: run 'eamdeploy bench FILE --data DIR'."
        return Section("accuracy", "What it confuses", absent=why)
    classes = class_names(material.manifests.get(run.artifact_sha256))
    figures = _present([confusion_figure(names.unique("confusion"), run, classes)])
    tables = _present([classes_table(names, run, classes), pairs_table(names, run, classes)])
    return Section("accuracy", "What it confuses", figures=figures, folds=(Fold("Classes and confusions", (), tables),))


def _distributions(material: Material, names: Names) -> Section:
    places = _by_place(material.newest())
    figures = _present(latency_figure(names.unique(f"latency {place}"), runs) for place, runs in places.items())
    folds = (Fold("Every timed inference", figures),) if figures else ()
    return Section(
        "latency", "Latency distributions", folds=folds, absent="" if figures else "No run has timed samples."
    )


def _layers(material: Material, names: Names) -> Section:
    figures: list[Figure] = []
    folds: list[Fold] = []
    dynamic = {
        name: [str(layer.get("layer")) for layer in manifest.dicts(entry.get("plan"))]
        for name, entry in material.entries()
    }
    for run in [run for run in _best_first(material.newest()) if run.per_layer][:_MOST_PROFILES]:
        name = words.artifact(run)
        costs = layer_costs(run.per_layer, dynamic.get(name, ()))
        drawn = _present([layers_figure(names.unique(f"layers {words.label(run)}"), words.label(run), costs)])
        tables = _present([manifest.layers_table(names, name, costs)])
        if not figures:
            figures.extend(drawn)  # of the run to ship; the others can be opened
            folds.append(Fold(f"Every layer of {name} in figures", (), tables))
        else:
            folds.append(Fold(f"Time of {words.label(run)}", drawn, tables))
    if plan := manifest.plan_table(names, list(material.entries())):
        folds.append(Fold("How each dynamic layer is computed", (), (plan,)))
    absent = "" if figures else "No run has an operator profile: run 'eamdeploy bench FILE --operators'."
    return Section("layers", "Where the time goes", figures=tuple(figures), folds=tuple(folds), absent=absent)


def _best_first(runs: Sequence[Run]) -> list[Run]:
    """All runs, the machine with the run to ship first, each machine's in the order of its ranking."""
    places = sorted(_rivals(runs).values(), key=lambda group: (not shipped(group), -len(group)))
    return [run for group in places for _, run in ranked(group)]


def _training(material: Material, names: Names) -> Section:
    figures = _present([training_figure(names.unique("curves"), material.training)])
    tables = _present([training_table(names, material.training)])
    return Section("training", "Training", figures=figures, tables=tables)


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
        "Variation of the mixing weights: the sum of |weight − its mean over the images|, at most 2. A layer whose weights "
        "hardly vary could use one fixed kernel; a layer whose weights vary much needs its bank of kernels. "
    ) + " ".join(f"{file.sentence}." for file in material.attention if file.sentence)
    folds = (Fold("Every layer", figures, tables),) if tables else ()
    return Section("attention", "Attention", text if tables else "", folds=folds, absent="" if tables else absent)


def _parity(material: Material, names: Names) -> Section:
    tables = _present([manifest.parity_table(names, list(material.entries()))])
    absent = "" if tables else "The artifacts have no manifests beside them."
    folds = (Fold("Every output compared with its checkpoint", (), tables),) if tables else ()
    return Section("parity", "Parity", folds=folds, absent=absent)


def _quantization(material: Material, names: Names) -> Section:
    tables = _present([manifest.quantization_table(names, list(material.entries()))])
    absent = "" if tables else "No quantized artifact with a manifest was measured."
    folds = (Fold("How each artifact was quantized", (), tables),) if tables else ()
    return Section("quantization", "Quantization", folds=folds, absent=absent)


def _conditions(material: Material, names: Names) -> Section:
    figures = _present([conditions_figure(names.unique("conditions"), material.newest())])
    tables = _present([machines_table(names, material.runs)])
    folds = (Fold("Temperature, clock and load during the runs; versions", figures, tables),) if tables else ()
    return Section("conditions", "Machines and conditions", folds=folds, absent="" if tables else "No run.")


def _runs(material: Material, names: Names) -> Section:
    tables = _present([runs_table(names, material.runs)]) if material.runs else ()
    folds = (Fold(f"Table of {words.counted(len(material.runs), 'run')}", (), tables),) if tables else ()
    return Section("runs", "All runs", folds=folds, absent="" if tables else "No run meets the filter.")


def _reading(material: Material, names: Names) -> Section:
    del material, names
    text = (
        "Measured: timed on the machine named. Emulated: run on an emulated board; outputs, accuracy and instruction "
        "counts are real, times are not. Estimated (~): computed by the latency model, with a 90 % interval; nothing was "
        "timed. Intervals of medians are 95 % bootstrap intervals over all samples; intervals of accuracies are Wilson's. "
        "Verdict: clean; suspect, if other programs used the CPU; invalid, if the CPU throttled or the median is too "
        "uncertain. Ranks with = are tied: no difference in latency is shown."
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
    for place, group in _by_place(runs).items():
        data = {run.accuracy.data if run.accuracy else "no accuracy" for run in group}
        for run in group:
            about = f", {run.accuracy.data if run.accuracy else 'no accuracy'}" if len(data) > 1 else ""
            groups.setdefault(f"{place}{about}", []).append(run)
    return groups


def _present(items: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(item for item in items if item is not None)
