"""The report's section on attention."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from eamdeploy.base.errors import DataError
from eamdeploy.runs.report import Material, build_report, render_html, render_markdown
from eamdeploy.runs.report.content.attention import AttentionFile, read_attention
from tests.eamdeploy.runs.report import album


def test_attention_is_shown_as_figure_table_and_markdown(tmp_path: Path) -> None:
    report = build_report(album.full(), "x")
    (section,) = [section for section in report.sections if section.name == "attention"]
    assert (
        "move most in blocks.3.project.conv (1.1) and least in blocks.0.expand.conv"
        in section.folds[0].figures[0].description
    )
    (table,) = section.folds[0].tables
    labels = [column.label for column in table.columns]
    assert [row[labels.index("layer")].text for row in table.rows] == list(album.LAYERS)
    assert table.rows[3][labels.index("kernel from its mean")].text == "3.3 %"
    assert "1 of 12 dynamic layers stay still." in section.text
    text = render_markdown(album.full(), "x")
    assert "**Attention of fashion-eam-025 over 500 images of test**: 1 of 12 dynamic layers stay still." in text
    assert text.count("| blocks.") >= len(album.LAYERS)


def test_without_attention_the_section_says_how_to_get_it() -> None:
    html = render_html(build_report(Material((album.make_run(0),)), "x"))
    assert "eamdeploy describe CKPT --attention DIR --json" in html


def test_attention_is_read_from_what_describe_prints(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the checkpoint is built with torch")
    from eamdeploy.data import embedded_sample
    from eamdeploy.networks.checkpoint import load_checkpoint
    from eamdeploy.pipeline.attention_report import attention_report

    measured = attention_report(load_checkpoint("fashion-mnist-v1x0.25-eam-rcr"), embedded_sample(), limit=20)
    document = {"schema": "eamdeploy/attention", "schema_version": 1, **measured.to_dict()}
    (tmp_path / "a.json").write_text(json.dumps(document))
    file = read_attention(tmp_path / "a.json")
    assert file.title == "fashion-mnist-v1x0.25-eam-rcr over 20 images of fashion-mnist-sample"
    assert [layer["layer"] for layer in file.layers] == [layer.layer for layer in measured.layers]
    section = next(s for s in build_report(Material((), {}, (file,)), "x").sections if s.name == "attention")
    assert len(section.folds[0].tables[0].rows) == 27
    assert f"{section.folds[0].tables[0].rows[0][1].sort:.6f}" == f"{measured.layers[0].movement:.6f}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot read the attention file"),
        ("", "no JSON"),
        ("[1]", "the attention file is no JSON object"),
        ('{"schema": "eamdeploy/describe", "layers": [{"layer": "x"}]}', "no attention statistics"),
        ('{"schema": "eamdeploy/attention", "layers": []}', "no attention statistics"),
    ],
)
def test_another_file_is_refused_with_the_command_that_makes_one(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        read_attention(tmp_path / "a.json")
    assert "eamdeploy describe CKPT --attention DIR --json" in str(caught.value)


def test_attention_values_of_another_kind_do_not_spoil_a_report() -> None:
    odd = AttentionFile("odd", "", ({"layer": "x", "mean": "?", "movement": "much"}, {"mean": [None]}))
    html = render_html(build_report(Material((album.make_run(0),), {}, (odd,)), "x"))
    assert "much" in html


def test_small_numbers_on_axes_are_not_cut() -> None:
    html = render_html(build_report(Material((), {}, (album.attention(),)), "x"))
    ticks = re.findall(r">(0\.\d+|\d+)</text>", html)
    assert "0.001" in ticks or "0.01" in ticks
    assert "0.00" not in ticks
