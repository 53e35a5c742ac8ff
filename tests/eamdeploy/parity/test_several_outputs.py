"""A file with several outputs against its checkpoint: the one that holds the classes is found, given, or asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import eamdeploy
from eamdeploy.base.errors import UsageError
from eamdeploy.parity import ParityReport, check_parity
from tests.eamdeploy.parity.artifact_breaking import break_artifact
from tests.eamdeploy.parity.parity_artifacts import SMALL, Made

STATIC = replace(SMALL, conv="static")


def with_outputs(source: Path, target: Path, order: Sequence[str]) -> Path:
    """A copy whose outputs are, in this order, of: scores, features, backwards (the scores reversed), best (a number)."""
    model = onnx.load(str(source))
    graph = model.graph
    del model.metadata_props[:]
    (scores,) = graph.output
    pooled = next(
        node.output[0] for node in reversed(graph.node) if node.op_type in ("GlobalAveragePool", "ReduceMean")
    )
    classes = scores.type.tensor_type.shape.dim[1].dim_value
    graph.initializer.append(numpy_helper.from_array(np.arange(classes)[::-1].copy(), "reversed"))
    graph.node.extend(
        [
            helper.make_node("Gather", [scores.name, "reversed"], ["backwards"], axis=1),
            helper.make_node("ArgMax", [scores.name], ["best"], axis=1, keepdims=0),
            helper.make_node("Flatten", [pooled], ["features"]),
        ]
    )
    artifacts = {
        "scores": scores,
        "features": helper.make_tensor_value_info("features", TensorProto.FLOAT, None),
        "backwards": helper.make_tensor_value_info("backwards", TensorProto.FLOAT, None),
        "best": helper.make_tensor_value_info("best", TensorProto.INT64, None),
    }
    values = [onnx.ValueInfoProto.FromString(artifacts[name].SerializeToString()) for name in order]
    del graph.output[:]
    graph.output.extend(values)
    onnx.save(model, str(target))
    return target


def checks(report: ParityReport) -> dict[str, str]:
    return {check.name: check.status for check in report.checks}


@pytest.fixture
def good(artifact_of: Callable[..., Made]) -> Made:
    return artifact_of("onnx", STATIC)


def scores_of(artifact: Made) -> str:
    return onnx.load(str(artifact.path)).graph.output[0].name


def test_the_scores_are_found_among_outputs_of_other_widths(good: Made, tmp_path: Path) -> None:
    path = with_outputs(good.path, tmp_path / "more.onnx", ("features", "best", "scores"))
    report = check_parity(path, good.checkpoint, limit=8)
    assert report.passed, report.sentence
    by_name = checks(report)
    assert by_name[f"output {scores_of(good)}"] == "passed"
    assert by_name["output features"] == by_name["output best"] == "skipped"


@pytest.mark.slow
def test_wrong_scores_behind_another_output_fail(artifact_of: Callable[..., Made], tmp_path: Path) -> None:
    """The first output is right; only the one that holds the classes is wrong."""
    good = artifact_of("onnx")
    broken = break_artifact(good.path, tmp_path / "broken.onnx", "expert", "blocks.3.pointwise.conv")
    path = with_outputs(broken, tmp_path / "more.onnx", ("best", "features", "scores"))
    report = check_parity(path, good.checkpoint, limit=10)
    assert not report.passed
    assert checks(report)[f"output {scores_of(good)}"] == "failed"
    assert report.first_divergence is not None
    assert report.first_divergence.layer == "blocks.3.pointwise.conv"


def test_which_of_two_is_asked_for_and_taken_as_said(good: Made, tmp_path: Path) -> None:
    path = with_outputs(good.path, tmp_path / "two.onnx", ("backwards", "scores"))
    name = scores_of(good)
    with pytest.raises(UsageError, match=rf"which output\? .*backwards Bx10, {name} Bx10") as head_text:
        check_parity(path, good.checkpoint, limit=8)
    assert "output=NAME" in str(head_text.value.hint)
    verdict = eamdeploy.verify(path, good.checkpoint, limit=8, head=f"output={name}")
    assert verdict.passed
    assert checks(verdict.reports[0])["output backwards"] == "skipped"
    assert not eamdeploy.verify(path, good.checkpoint, limit=8, head="output=backwards").passed


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("output=score", "the artifact has no output 'score'"),
        ("output=features", r"'features' is one of .* and the network has 10 classes"),
        ("logits", "the checkpoint knows its head"),
        ("output=scores,threshold=0.2", "the checkpoint knows its head"),
    ],
)
def test_what_is_said_and_does_not_fit_is_refused(good: Made, tmp_path: Path, head: str, words: str) -> None:
    path = with_outputs(good.path, tmp_path / "more.onnx", ("features", "scores"))
    with pytest.raises(UsageError, match=words):
        check_parity(path, good.checkpoint, limit=8, head=head)


def test_no_output_with_one_score_a_class(good: Made, tmp_path: Path) -> None:
    path = with_outputs(good.path, tmp_path / "none.onnx", ("features", "best"))
    with pytest.raises(UsageError, match=r"its outputs are features Bx\d+, best B and the network has 10 classes"):
        check_parity(path, good.checkpoint, limit=8)


@pytest.mark.parametrize("shape", [(-1, 10, 1, 1), (-1, 1, 1, 10)])
def test_scores_of_four_dimensions(good: Made, tmp_path: Path, shape: tuple[int, ...]) -> None:
    model = onnx.load(str(good.path))
    (scores,) = model.graph.output
    model.graph.initializer.append(numpy_helper.from_array(np.array(shape), "as_maps"))
    model.graph.node.append(helper.make_node("Reshape", [scores.name, "as_maps"], ["maps"]))
    model.graph.output.append(helper.make_tensor_value_info("maps", TensorProto.FLOAT, None))
    del model.graph.output[0]
    onnx.save(model, str(tmp_path / "maps.onnx"))
    assert check_parity(tmp_path / "maps.onnx", good.checkpoint, limit=8).passed


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(("scores", "features", "backwards", "best")), st.booleans())
def test_the_order_of_outputs_changes_no_verdict(good: Made, tmp_path: Path, order: list[str], right: bool) -> None:
    path = with_outputs(good.path, tmp_path / "ordered.onnx", order)
    names = {name: scores_of(good) if name == "scores" else name for name in order}
    named = names["scores" if right else "backwards"]
    report = check_parity(path, good.checkpoint, limit=4, head=f"output={named}")
    assert report.passed is right
    unjudged = {name for name, status in checks(report).items() if status == "skipped"}
    assert unjudged == {"checkpoint", *(f"output {name}" for name in names.values() if name != named)}


def test_outputs_in_the_order_of_every_exporter(good: Made, tmp_path: Path) -> None:
    """Without a name, too, no order of outputs whose widths differ changes what is found."""
    for order in itertools.islice(itertools.permutations(("scores", "features", "best")), 1, None, 2):
        path = with_outputs(good.path, tmp_path / f"{'-'.join(order)}.onnx", order)
        assert check_parity(path, good.checkpoint, limit=4).passed, order
