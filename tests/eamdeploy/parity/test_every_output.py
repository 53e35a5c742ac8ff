"""File against file: every output by name, whatever the head, and none of them passed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from eamdeploy.data import embedded_sample
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.parity import ParityReport, verify_against_artifact
from eamdeploy.parity.run.every_output import pair_outputs
from runtimes.protocol import TensorInfo
from tests.eamdeploy.inference.classifiers import PREPROCESSING, classifier

LABELS = embedded_sample().classes


def compared(
    reference: Path, artifact: Path, head: str | None = None, labels: tuple[str, ...] = LABELS
) -> ParityReport:
    card = foreign_card(reference, PREPROCESSING, labels, head)
    (report,) = verify_against_artifact([artifact], card, limit=20)
    return report


def messages(report: ParityReport) -> dict[str, tuple[str, str]]:
    return {check.name: (check.status, check.message) for check in report.checks}


def edited(path: Path, change: str) -> Path:
    """A copy with its second output broken, dropped, or with the outputs' names or order exchanged."""
    model = onnx.load(str(path))
    graph = model.graph
    if change == "broken":
        index = next(tensor for tensor in graph.initializer if tensor.name == "reversed")
        index.CopyFrom(numpy_helper.from_array(np.roll(numpy_helper.to_array(index), 1), "reversed"))
    elif change == "dropped":
        del graph.output[0]
    elif change == "reordered":
        first = graph.output[0]
        graph.output.append(first)
        del graph.output[0]
    elif change == "exchanged":
        for node in graph.node:
            node.output[:] = [{"logits": "backwards", "backwards": "logits"}.get(name, name) for name in node.output]
            node.input[:] = [{"logits": "backwards"}.get(name, name) for name in node.input]
    target = path.with_name(f"{change}.onnx")
    onnx.save(model, str(target))
    return target


def test_an_output_that_is_not_the_first_is_compared_too(tmp_path: Path) -> None:
    source = classifier(tmp_path / "net.onnx", extra=True)
    assert compared(source, edited(source, "reordered"), "output=logits").passed
    report = compared(source, edited(source, "broken"), "output=logits")
    assert not report.passed
    assert messages(report)["output backwards"][0] == "failed"
    assert messages(report)["output logits"][0] == "passed"


def test_exchanged_names_and_missing_outputs_fail(tmp_path: Path) -> None:
    source = classifier(tmp_path / "net.onnx", extra=True)
    assert not compared(source, edited(source, "exchanged"), "output=logits").passed
    report = compared(source, edited(source, "dropped"), "output=logits")
    assert messages(report)["output backwards"] == ("failed", "the artifact has no such output")
    assert not report.passed


def test_an_output_more_than_the_reference_has_is_said_to_be_unjudged(tmp_path: Path) -> None:
    report = compared(classifier(tmp_path / "net.onnx"), classifier(tmp_path / "more.onnx", extra=True))
    assert messages(report)["output backwards"][0] == "skipped"
    assert messages(report)["output logits"][0] == "passed"


@pytest.mark.parametrize(("reference", "artifact"), [("logits", "probabilities"), ("probabilities", "logits")])
def test_logits_and_their_softmax_are_the_same_answer(tmp_path: Path, reference: str, artifact: str) -> None:
    paths = [classifier(tmp_path / f"{tail}.onnx", tail) for tail in (reference, artifact)]
    report = compared(*paths)
    assert report.passed
    assert (report.outputs[0].snr_db or 200) > 80
    assert "compared as probabilities" in report.checks[1].message
    other = classifier(tmp_path / "other.onnx", artifact, seed=1)
    assert not compared(paths[0], other).passed


def test_one_score_flips_at_its_threshold(tmp_path: Path) -> None:
    source = classifier(tmp_path / "net.onnx", "sigmoids", width=1)
    model = onnx.load(str(source))
    shift = numpy_helper.from_array(np.float32(0.8), "shift")
    model.graph.initializer.append(shift)
    model.graph.node.insert(3, helper.make_node("Add", ["logits", "shift"], ["shifted"]))
    model.graph.node[4].input[0] = "shifted"
    onnx.save(model, str(tmp_path / "shifted.onnx"))
    same = compared(source, source, labels=("no", "yes"))
    assert same.passed
    assert not same.flips
    moved = compared(source, tmp_path / "shifted.onnx", labels=("no", "yes"))
    assert moved.flips
    assert {(flip.reference, flip.artifact) for flip in moved.flips} == {("no", "yes")}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1), st.randoms())
def test_the_order_of_outputs_does_not_matter(names: list[str], order: object) -> None:
    shuffled = list(names)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    infos = {name: TensorInfo(name, (1, 2), "float32") for name in names}
    pairs = pair_outputs([infos[name] for name in shuffled], [infos[name] for name in names])
    assert pairs.pairs == {name: name for name in names}
    assert (pairs.missing, pairs.extra) == ((), ())
