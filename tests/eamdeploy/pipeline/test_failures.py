"""Of several artifacts one that fails loses none of the others, and none is passed over in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eamdeploy.base.errors import InternalError, ParityError, UsageError
from eamdeploy.cli.views.artifacts import failures_of, made_and_failed
from eamdeploy.data import embedded_sample
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.pipeline import failures
from eamdeploy.pipeline.failures import ArtifactsFailed, Attempts
from eamdeploy.pipeline.quantize import files
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from eamdeploy.pipeline.quantize.run import quantize_artifact
from tests.eamdeploy.inference.classifiers import PREPROCESSING, SAID, classifier


def test_the_others_are_made_and_every_failure_is_named() -> None:
    attempts: Attempts[str] = Attempts()
    for name, error in (("a", None), ("b", ParityError("wrong")), ("c", None), ("d", RuntimeError("converter"))):
        with attempts.at(name):
            if error is not None:
                raise error
            attempts.artifacts.append(name)
    with pytest.raises(
        ArtifactsFailed, match=r"2 of 4 artifacts failed: b: wrong; d: RuntimeError.*2 others were"
    ) as caught:
        attempts.finish()
    assert (caught.value.artifacts, caught.value.exit_code) == (("a", "c"), 3)
    assert isinstance(caught.value.failures[1][1], InternalError)
    artifacts, failed = made_and_failed(attempts.finish)
    assert artifacts == ["a", "c"]
    assert [row["artifact"] for row in failures_of(failed)["failures"]] == ["b", "d"]


def test_one_alone_fails_with_its_own_error_and_an_interrupt_is_none() -> None:
    attempts: Attempts[str] = Attempts()
    with attempts.at("a"):
        raise UsageError("no")
    with pytest.raises(UsageError, match=r"^no$"):
        attempts.finish()
    with pytest.raises(KeyboardInterrupt), Attempts[str]().at("b"):
        raise KeyboardInterrupt
    assert failures_of(None) == {}


def test_a_precision_that_loses_too_much_leaves_the_next_one(tmp_path: Path) -> None:
    source = classifier(tmp_path / "net.onnx")
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(embedded_sample().classes))
    options = QuantizeOptions(
        max_drop=0.0, calibration_images=20, check_images=60, float_layers=("nowhere",), latency=False
    )
    with pytest.raises(ArtifactsFailed) as failure:
        files.quantize_file(source, tmp_path, ("int8", "fp16"), preprocessing=SAID, labels=labels, options=options)
    assert len(failure.value.failures) == 2
    good = QuantizeOptions(max_drop=100, calibration_images=20, check_images=60, latency=False)
    assert foreign_card(source, PREPROCESSING, None).head.kind == "logits"
    calls: list[str] = []

    def once(path: Path, target: Path, quantization: QuantizeOptions, **rest: object) -> object:
        calls.append(quantization.precision)
        if quantization.precision == "int8":
            raise ParityError("the int8 file does not run")
        return quantize_artifact(path, target, quantization, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "quantize_artifact", once)
        with pytest.raises(ArtifactsFailed, match=r"1 of 2 artifacts failed: int8") as failure:
            files.quantize_file(source, tmp_path, ("int8", "fp16"), preprocessing=SAID, labels=labels, options=good)
    assert calls == ["int8", "fp16"]
    assert (tmp_path / "net-fp16.onnx").is_file()
    assert [entry["precision"] for entry in json.loads((tmp_path / "net.manifest.json").read_text())["artifacts"]] == [
        "fp16"
    ]
    assert failures.ArtifactsFailed is ArtifactsFailed
