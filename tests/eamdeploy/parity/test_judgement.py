"""What counts: flips with their margins, NaNs, limits, other checkpoints' files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.random_init import write_random
from eamdeploy.parity import ParityTolerance, check_parity
from eamdeploy.parity.compare.outputs import compare_output, find_flips
from eamdeploy.parity.compare.rounding import Rounding
from eamdeploy.parity.report.checks import output_check
from eamdeploy.parity.report.judge import ParityJudge
from eamdeploy.parity.report.rules import OUTPUT
from tests.eamdeploy.parity.artifact_breaking import break_artifact, onnx_edit
from tests.eamdeploy.parity.parity_artifacts import Made

ROUNDING = Rounding(8, 2.0**-24, output_abs=1e-6, output_relative=1e-6, alpha_abs={}, mean_abs={})
EXACT = ParityJudge(True, 10.0, ParityTolerance(), ROUNDING)
NONE = np.zeros(3, dtype=bool)


def test_a_flip_counts_only_above_rounding() -> None:
    reference = np.array([[1.0, 1.0 + 5e-6], [0.0, 1.0], [2.0, 1.0]])
    value = np.array([[1.0 + 6e-6, 1.0], [1.5, 1.0], [2.0, 1.0]])
    flips = find_flips(value, reference, judge=EXACT, excused=NONE, names=["near", "far", "same"], classes=["a", "b"])
    assert [(flip.image, flip.reference, flip.artifact, flip.counts) for flip in flips] == [
        ("near", "b", "a", False),
        ("far", "b", "a", True),
    ]
    assert flips[1].margin == pytest.approx(1.0)


def test_a_nan_fails_even_where_all_else_is_equal() -> None:
    reference = np.ones((3, 2))
    value = reference.copy()
    value[1, 0] = np.nan
    row = compare_output("scores", value, reference, EXACT, NONE)
    assert (row.passed, row.not_finite) == (False, 1)
    assert compare_output("scores", reference, reference, EXACT, NONE).snr_db is None


def test_one_wrong_score_among_many_is_seen() -> None:
    reference = np.ones((3, 10_000))
    value = reference.copy()
    value[2, 7] += 2e-5
    assert not compare_output("scores", value, reference, EXACT, NONE).passed


def test_approximate_artifacts_are_held_to_their_snr() -> None:
    judge = replace(EXACT, exact=False, limits=ParityTolerance(min_snr_db=20.0))
    reference = np.ones((3, 4))
    assert compare_output("scores", reference * 1.05, reference, judge, NONE).passed  # 26 dB
    assert not compare_output("scores", reference * 1.2, reference, judge, NONE).passed  # 14 dB


def test_a_precision_in_the_metadata_changes_the_judge(artifact_of: Callable[..., Made], tmp_path: Path) -> None:
    """The same 5 % in one expert is wrong in an fp32 artifact and within an int8 artifact's limits."""
    import json

    import onnx

    good = artifact_of("onnx")
    broken = break_artifact(good.path, tmp_path / "broken.onnx", "expert", "blocks.3.pointwise.conv")
    model = onnx.load(str(broken))
    entry = next(entry for entry in model.metadata_props if entry.key == "eamdeploy")
    entry.value = json.dumps(json.loads(entry.value) | {"precision": "int8"})
    onnx.save(model, str(tmp_path / "int8.onnx"))
    assert check_parity(broken, good.checkpoint, limit=8).verdict == "failed"
    loose = check_parity(tmp_path / "int8.onnx", good.checkpoint, limit=8)
    assert (loose.verdict, loose.exact) == ("passed", False)
    strict = check_parity(tmp_path / "int8.onnx", good.checkpoint, limit=8, limits=ParityTolerance(min_snr_db=60.0))
    assert strict.verdict == "failed"
    assert strict.first_divergence is not None
    assert strict.first_divergence.layer == "blocks.3.pointwise.conv"


def test_another_checkpoints_artifact_fails_without_being_compared(
    artifact_of: Callable[..., Made], tmp_path: Path
) -> None:
    good = artifact_of("onnx")
    other = load_checkpoint(write_random(replace(good.checkpoint.spec, seed=9), tmp_path / "other.safetensors"))
    report = check_parity(good.path, other)
    assert report.verdict == "failed"
    assert "made from another checkpoint" in report.sentence
    assert report.images == 0


def test_other_classes_or_preprocessing_fail(artifact_of: Callable[..., Made]) -> None:
    good = artifact_of("onnx")
    stretched = replace(good.checkpoint, preprocessing=good.checkpoint.preprocessing | {"interpolation": "bicubic"})
    report = check_parity(good.path, stretched, limit=4)
    assert "another preprocessing than the checkpoint (interpolation)" in report.sentence
    renamed = replace(good.checkpoint, classes=tuple(reversed(good.checkpoint.classes)))
    assert "other class names" in check_parity(good.path, renamed, limit=4).sentence


def test_a_file_without_our_metadata_is_compared_by_its_function(
    artifact_of: Callable[..., Made], tmp_path: Path
) -> None:
    good = artifact_of("onnx")
    foreign = tmp_path / "foreign.onnx"

    import onnx

    model = onnx.load(str(good.path))
    del model.metadata_props[:]
    onnx.save(model, str(foreign))
    report = check_parity(foreign, good.checkpoint, limit=8)
    assert report.verdict == "passed"
    assert [check.status for check in report.checks if check.name == "checkpoint"] == ["skipped"]
    other = load_checkpoint(write_random(replace(good.checkpoint.spec, classes=7), tmp_path / "seven.safetensors"))
    with pytest.raises(UsageError, match="was not made by eamdeploy"):
        check_parity(foreign, other)


@pytest.mark.slow
def test_one_image_mixed_into_another_is_seen_as_a_batch(artifact_of: Callable[..., Made], tmp_path: Path) -> None:
    """The classic: every image of a batch convolved with the first one's kernel."""
    good = artifact_of("onnx", good_spec(artifact_of), "dynamic")

    def edit(graph: object) -> None:
        import onnx
        from onnx import numpy_helper

        # the mixing weights of one layer replaced by the first image's, for every image
        name = "blocks.2.pointwise.conv/alpha"
        for node in graph.node:  # type: ignore[attr-defined]
            node.input[:] = ["first" if value == name else value for value in node.input]
        position = next(i for i, node in enumerate(graph.node) if name in node.output)  # type: ignore[attr-defined]
        graph.initializer.append(numpy_helper.from_array(np.array([0]), "zero"))  # type: ignore[attr-defined]
        nodes = [
            onnx.helper.make_node("Gather", [name, "zero"], ["one"], axis=0),
            onnx.helper.make_node("Shape", [name], ["shape"]),
            onnx.helper.make_node("Expand", ["one", "shape"], ["first"]),
        ]
        for offset, node in enumerate(nodes):
            graph.node.insert(position + 1 + offset, node)  # type: ignore[attr-defined]

    broken = onnx_edit(good.path, tmp_path / "mixed.onnx", edit)
    report = check_parity(broken, good.checkpoint, limit=8)
    failed = {check.name for check in report.checks if check.failed}
    assert failed == {"batch 3", "batch 8"}
    assert check_parity(good.path, good.checkpoint, limit=8).verdict == "passed"


def good_spec(artifact_of: Callable[..., Made]) -> object:
    """The usual network with a temperature low enough that images have different kernels."""
    return replace(artifact_of("onnx").checkpoint.spec, temperature=1.0)


def test_a_limit_that_everything_is_within_is_no_proof(artifact_of: Callable[..., Made], tmp_path: Path) -> None:
    good = artifact_of("onnx")
    broken = break_artifact(good.path, tmp_path / "broken.onnx", "expert", "blocks.0.depthwise.conv")
    for path in (good.path, broken):
        report = check_parity(path, good.checkpoint, limit=8, limits=ParityTolerance(factor=1e9))
        assert not report.passed
        assert "not shown to be the same function" in report.sentence
        assert "nothing is shown there" in next(check.message for check in report.checks if check.unjudged)


def test_one_image_in_ten_may_be_too_ill_conditioned_to_judge() -> None:
    reference = np.ones((20, 4))
    wild = replace(ROUNDING, output_relative=0.05)
    for count, unjudged in ((2, False), (3, True)):
        judge = replace(EXACT, image_rounding=dict.fromkeys(range(count), wild))
        row = compare_output("scores", reference, reference, judge, np.zeros(20, dtype=bool))
        check = output_check("net.onnx", row, judge=judge, excused=0, layer=None, rule=OUTPUT.id)
        assert (check.passed, check.unjudged) == (not unjudged, unjudged)
        assert f"on {count} of 20 images" in check.message
