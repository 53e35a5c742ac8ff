"""What a report says: nothing without its provenance, nothing that a run does not have."""

from __future__ import annotations

import dataclasses
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from eamdeploy.base.errors import DataError, MissingDependency
from eamdeploy.base.results import Latency, RunVerdict
from eamdeploy.runs.report import Material, build_report, collect, render_html, render_markdown, write_html
from eamdeploy.runs.report.content.accuracy import classes_table
from eamdeploy.runs.report.content.layer_parts import by_block, layer_costs
from eamdeploy.runs.report.content.pareto import pareto_front
from eamdeploy.runs.report.content.recommendation import ranked, recommendation
from eamdeploy.runs.report.content.tables import runs_table
from eamdeploy.runs.report.content.words import distinct_ends
from eamdeploy.runs.report.figures.confusion import confusion_matrix
from eamdeploy.runs.report.figures.labels import draw_labels
from eamdeploy.runs.report.model import Names
from eamdeploy.runs.store import open_store
from tests.eamdeploy.runs.report import album

pytest.importorskip("matplotlib", reason="the report's figures need matplotlib")


class _Ids(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.uses: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "for", "aria-labelledby") and value:
                self.uses.add(value.lstrip("#"))
            self.uses.update(re.findall(r"url\(#([^)]+)\)", value or ""))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a whole store: drawn once, as that is what takes the time."""
    folder = tmp_path_factory.mktemp("report")
    store = open_store(folder / "runs.db")
    for run in album.full().runs:
        store.append(run, manifest=album.full().manifests.get(run.artifact_sha256))
    path = folder / "out" / "report.html"
    assert write_html(path, collect(store)) == path.stat().st_size
    return path


def test_ids_are_unique_and_every_reference_has_one(page: Path) -> None:
    parser = _Ids()
    parser.feed(page.read_text("utf-8"))
    assert len(parser.ids) == len(set(parser.ids)) > 100
    assert parser.uses <= set(parser.ids)


def test_no_figure_has_a_colour_of_its_own(page: Path) -> None:
    """Every colour follows the page's theme: no stand-in is left over, and no black of matplotlib's."""
    html = page.read_text("utf-8")
    svg = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert len(svg) > 100_000
    assert "var(--series-1)" in svg
    assert re.findall(r"#[0-9a-f]{6}\b(?=[;\"])", svg) == []


def test_every_latency_says_where_it_comes_from() -> None:
    table = runs_table(Names(), album.full().runs)
    labels = [column.label for column in table.columns]
    for run, row in zip(album.full().runs, table.rows, strict=True):
        latency, provenance = row[labels.index("median [interval]")], row[labels.index("provenance")]
        assert provenance.text == run.provenance.kind
        assert latency.text.startswith("~") == (run.device != "pi4")
        assert "[" in latency.text


def test_what_was_not_measured_is_a_dash() -> None:
    run = album.make_run(0, latency_ms=None, accuracy=None, memory_mb=None)
    other = album.make_run(1, energy_mj=3.2)
    table = runs_table(Names(), [run, other])
    labels = [column.label for column in table.columns]
    for label in ("median [interval]", "top-1 [interval]", "memory", "energy"):
        assert table.rows[0][labels.index(label)].text == "–"
    assert table.rows[1][labels.index("energy")].text == "3.2 mJ"


def test_the_front_holds_what_nothing_beats() -> None:
    runs = [album.make_run(index) for index in range(6)]
    front = pareto_front([*runs, album.make_run(0, latency_ms=None)])
    assert [run.artifact for run in front] == [
        f"out/fashion-{name}" for name in
        ("static-025-int8.onnx", "static-025.onnx", "eam-025-int8.onnx", "eam-025.onnx", "eam-050.tflite")
    ]  # fmt: skip


def test_only_what_was_asked_the_same_images_is_compared() -> None:
    other = dataclasses.replace(album.make_run(1).accuracy, data="cifar10")
    runs = (album.make_run(0), album.make_run(1, accuracy=other), album.make_run(2, accuracy=None))
    (choice,) = (part for part in build_report(Material(runs), "x").sections if part.name == "choice")
    assert [*(group.title for group in choice.groups), *(fold.title for fold in choice.folds)] == [
        "kitchen-pi, fashion-mnist", "On kitchen-pi, cifar10", "On kitchen-pi, no accuracy",
    ]  # fmt: skip
    (alone,) = (part for part in build_report(Material(runs[:1]), "x").sections if part.name == "choice")
    assert [group.title for group in alone.groups] == ["kitchen-pi"]


@pytest.mark.parametrize(
    ("names", "ends"),
    [
        (["a-v1x0.25.onnx", "a-v1x0.25-int8.onnx", "a-v1x0.25.tflite"], ["onnx", "int8.onnx", "tflite"]),
        (["net.onnx"], ["net.onnx"]),
        (["net.onnx", "net.onnx"], ["net.onnx", "net.onnx"]),
        (["net.onnx", "other.onnx"], ["net.onnx", "other.onnx"]),
        (["x-1", "x-1-2"], ["1", "1-2"]),
    ],
)
def test_names_are_told_apart_by_their_ends(names: list[str], ends: list[str]) -> None:
    assert distinct_ends(names) == ends


def test_labels_of_close_points_do_not_cover_each_other() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    canvas = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    points = [(1.0, 92.0), (1.01, 92.0), (1.02, 92.1), (3.0, 91.0), (1.01, 91.95)]
    axes.scatter(*zip(*points, strict=True))
    axes.margins(0.15)
    axes.autoscale_view()
    draw_labels(axes, points, [f"network-{index}.onnx" for index in range(5)], ["black"] * 5)
    canvas.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in axes.texts]  # without the line to the point
    assert len(boxes) == 5
    assert not any(first.overlaps(other) for index, first in enumerate(boxes) for other in boxes[index + 1 :])


def test_layers_are_split_into_parts() -> None:
    costs = layer_costs(album.profile(), album.LAYERS)
    assert [cost.layer for cost in costs] == [*album.LAYERS, "classifier"]
    first = costs[0].parts
    assert first["attention"] == pytest.approx(0.04)
    assert first["aggregation"] == pytest.approx(0.04)
    assert first["convolution"] == pytest.approx(0.11)
    assert first["other"] == pytest.approx(0.02)
    assert costs[-1].parts["classifier"] == pytest.approx(0.05)
    whole = sum(row["mean_ms"] for row in album.profile())
    assert sum(cost.total_ms for cost in by_block(costs)) == pytest.approx(whole)
    assert len(by_block(costs)) == 5


def test_a_layer_lowered_to_products_still_has_a_convolution() -> None:
    rows = [
        {"name": "b.0.conv.bank/MatMul", "kind": "MatMul", "mean_ms": 1.0},
        {"name": "b.0.conv/Reshape", "kind": "Reshape", "mean_ms": 0.1},
        {"name": "b.0.conv/MatMul", "kind": "MatMul", "mean_ms": 2.0},
    ]
    (cost,) = layer_costs(rows, ["b.0.conv"])
    assert (cost.parts["aggregation"], cost.parts["convolution"]) == (pytest.approx(1.1), 2.0)


def test_manifests_of_another_shape_do_not_spoil_a_report() -> None:
    odd = {
        "plan": "none", "parity": {"outputs": [3, {}]}, "quantization": {"a": {"b": [1] * 50}, "c": None}, "artifacts": "?",
    }  # fmt: skip
    material = Material((album.make_run(0),), {f"{0:064x}": odd})
    html = render_html(build_report(material, "odd"))
    assert "50 entries" in html


def test_sections_without_anything_say_what_to_do() -> None:
    run = dataclasses.replace(album.make_run(0), accuracy=None, group=None)
    html = render_html(build_report(Material((run,)), "bare"))
    for words in (
        "bench FILE --operators",
        "no manifests",
        "No run has both a latency and an accuracy",
        "pass them to one &#39;eamdeploy bench&#39; command",
    ):
        assert words in html


def test_markdown_for_a_pull_request() -> None:
    text = render_markdown(album.full(), "Report")
    assert text.count("★ |") == 5 + 1  # the front on the Pi, and the one estimate that nothing beats
    assert "| \\~2 ms \\[1.6, 2.5\\] |" in text
    assert "faster by" in text
    assert "102" in text or "103" in text
    hostile = render_markdown(album.hostile(), "x")
    assert "<script" not in hostile.replace("\\<", "")


def test_from_a_store_to_a_file(page: Path) -> None:
    assert page.stat().st_size < 3_000_000
    assert "static QDQ" in page.read_text("utf-8")


@pytest.mark.parametrize("module", ["matplotlib", "jinja2"])
def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency, match=rf"{module} is not installed.*eamdeploy\[report\]"):
        render_html(build_report(Material((album.make_run(0, accuracy=None, group=None),)), "x"))


def test_an_invalid_or_estimated_run_has_no_rank() -> None:
    invalid = album.make_run(3, verdict=RunVerdict("invalid", ("too wide",)))
    estimated = album.make_run(2, kind="estimated", latency_ms=Latency(1.0, interval90=(0.8, 1.2)))
    slower = album.make_run(0)
    assert [(rank, run.id) for rank, run in ranked([invalid, estimated, slower])] == [
        ("1", slower.id), ("–", estimated.id), ("–", invalid.id),
    ]  # fmt: skip
    (choice,) = (part for part in build_report(Material((invalid, slower)), "x").sections if part.name == "choice")
    assert [[cell.text for cell in row][:2] for row in choice.groups[0].tables[0].rows] == [
        ["1", "fashion-eam-025.onnx"], ["–", "fashion-static-025-int8.onnx"],
    ]  # fmt: skip
    assert choice.lead.startswith("Ship fashion-eam-025.onnx")


def test_runs_that_cannot_be_told_apart_share_a_rank() -> None:
    first = album.make_run(0)
    twin = dataclasses.replace(first, id="20261122T130000-pi4", artifact="out/twin.onnx")
    slower = album.make_run(4)
    assert [rank for rank, _ in ranked([slower, twin, first])] == ["1=", "1=", "3"]


def test_what_a_run_confuses_is_counted() -> None:
    run = album.make_run(0)
    matrix = confusion_matrix(run)
    assert matrix is not None
    assert matrix.sum() == 2000
    assert 100 * matrix.trace() / matrix.sum() == pytest.approx(run.accuracy.top1 if run.accuracy else 0)
    table = classes_table(Names(), run, album.CLASSES)
    assert table is not None
    assert table.rows[0][0].text == "T-shirt/top"
    assert table.rows[0][3].text == f"Pullover ({matrix[0, 2]})"
    html = render_html(build_report(Material((run,), {run.artifact_sha256: album.manifest(0)}), "x"))
    assert "T-shirt/top" in html
    many = dataclasses.replace(run.accuracy, confused=tuple((k, k, 1) for k in range(40)))
    many_classes = render_html(build_report(Material((dataclasses.replace(run, accuracy=many),)), "x"))
    assert "class 39" in many_classes


def test_the_recommendation_is_a_sentence_with_figures() -> None:
    runs = [album.make_run(index) for index in range(6)]
    text = recommendation(runs)
    assert text.startswith("Ship ")
    assert " ms, " in text
    shuffled = recommendation(list(reversed(runs)))
    assert shuffled == text
    invalid = [dataclasses.replace(run, verdict=RunVerdict("invalid")) for run in runs]
    assert recommendation(invalid) == "No recommendation: no run was measured (6 invalid)."
    assert recommendation([dataclasses.replace(runs[0], accuracy=None)]).startswith(
        "No recommendation: no measured run"
    )


def _log(folder: Path, *, epochs: int = 3, lift: float = 0.0) -> Path:
    folder.mkdir()
    rows = [f"{n},{2.0 / n},{40 + 5 * n},{50 + 6 * n + lift},{0.1 / n}" for n in range(1, epochs + 1)]
    (folder / "metrics.csv").write_text("epoch,loss,train_top1,top1,lr\n" + "\n".join(rows) + "\n")
    return folder


def test_curves_of_several_runs_are_overlaid_without_any_measurement(tmp_path: Path) -> None:
    store = open_store(tmp_path / "none.db")
    folders = [_log(tmp_path / "dynamic", lift=2.5), _log(tmp_path / "static")]
    report = build_report(collect(store, training=folders), "x")
    (section,) = (part for part in report.sections if part.name == "training")
    assert "dynamic, 3 epochs, last test top-1 70.5 %; static, 3 epochs" in section.figures[0].description
    assert [[cell.text for cell in row][:3] for row in section.tables[0].rows] == [
        ["dynamic", "3", "70.50 %"], ["static", "3", "68.00 %"],
    ]  # fmt: skip
    html = render_html(report)
    curves = html[html.index('id="training"') :]
    assert curves.count("var(--series-2)") >= 4  # the second run is drawn in each panel
    ticks = re.findall(r">(\d+(?:\.\d+)?)</text>", re.search(r"<svg.*?</svg>", curves, re.DOTALL)[0])
    assert {"1", "2", "3"} <= set(ticks)
    assert "1.5" not in ticks


@pytest.mark.parametrize(
    "text", [None, "", "epoch,loss\n1,2\n", "epoch,loss,train_top1,top1,lr\n1,nan,2,3,4\n", "\x00"]
)
def test_a_folder_without_a_training_log_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(DataError, match="eamdeploy train --out RUN"):
        collect(open_store(tmp_path / "none.db"), training=[tmp_path])
