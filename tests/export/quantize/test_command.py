"""``eamdeploy quantize`` as a user meets it: what it writes, and one sentence with an exit code for what it cannot do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from eamdeploy.cli.main import main
from eamdeploy.data import embedded_sample
from tests.export.quantize.test_foreign import residual_classifier
from tests.export.quantize.tiny_network import TinyFiles

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["eamdeploy", *map(str, arguments)])
        code = 0
        try:
            code = main() or 0
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call


def photos(folder: Path, classes: int = 2, each: int = 3) -> Path:
    data = embedded_sample()
    for index in range(len(data)):
        label = data.label(index)
        place = folder / data.classes[label].replace("/", "-")
        if label < classes and len(list(place.glob("*"))) < each:
            place.mkdir(parents=True, exist_ok=True)
            data.image(index).save(place / f"{index}.png")
    return folder


def test_json_is_one_document_with_the_evidence(tiny: TinyFiles, tmp_path: Path, run: Run) -> None:
    code, out, _ = run(
        "quantize", tiny.paths["onnx"], "--precision", "int8,fp16", "--out", tmp_path, "--max-drop", 5, "--json"
    )
    assert code == 0
    document = json.loads(out)
    assert [artifact["precision"] for artifact in document["artifacts"]] == ["int8", "fp16"]
    for artifact in document["artifacts"]:
        assert Path(artifact["path"]).stat().st_size == artifact["bytes"]
        assert artifact["parity"]["verdict"] == "passed"
    assert document["artifacts"][0]["quantization"]["size_ratio"] < 0.8


def test_a_foreign_classifier_is_quantized_then_evaluated(tmp_path: Path, run: Run) -> None:
    source = residual_classifier(tmp_path / "net.onnx", 13)
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(embedded_sample().classes))
    preprocessing = '{"size": 28, "mean": [0.286], "std": [0.353], "channels": 1}'
    code, _, err = run(
        "quantize",
        source,
        "--preprocessing",
        preprocessing,
        "--labels",
        labels,
        "--out",
        tmp_path / "out",
        "--max-drop",
        10,
    )
    assert code == 0, err
    code, out, err = run("evaluate", tmp_path / "out" / "net-int8.onnx", "--json")
    assert code == 0, err
    assert json.loads(out)["n"] == 200


@pytest.mark.parametrize(
    ("what", "arguments", "code", "message"),
    [
        ("an empty folder", ["--calibration", "EMPTY"], 2, "no images in the folder"),
        ("a folder that is not there", ["--calibration", "NOWHERE"], 2, "no such data folder"),
        ("one class", ["--calibration", "ONE"], 2, "of one class"),
        ("files that are no images", ["--calibration", "BROKEN"], 2, "it is no image"),
        ("an unknown precision", ["--precision", "int4"], 2, "nothing can be quantized to 'int4'"),
        (
            "an unknown method",
            ["--method", "guess"],
            2,
            "'guess' is no choice; known: entropy, minmax, mse, percentile",
        ),
        ("an unknown layer", ["--float-layers", "stem"], 2, "there is no layer 'stem'"),
        ("a bound that is none", ["--max-drop", "-3"], 2, "points of top-1"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    *, tiny: TinyFiles, tmp_path: Path, run: Run, what: str, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "EMPTY").mkdir()
    photos(tmp_path / "ONE", classes=1)
    broken = photos(tmp_path / "BROKEN")
    next(broken.rglob("*.png")).write_text("no image")
    (tmp_path / "BROKEN" / "notes.txt").write_text("not an image, and not taken for one")
    argument_list = [
        str(tmp_path / part) if part in {"EMPTY", "NOWHERE", "ONE", "BROKEN"} else part for part in arguments
    ]
    exit_code, out, err = run("quantize", tiny.paths["tflite"], "--out", tmp_path / "out", *argument_list)
    assert exit_code == code, (what, err)
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "out").exists()


def test_a_foreign_artifact_without_preprocessing_is_told_what_to_add(tmp_path: Path, run: Run) -> None:
    source = residual_classifier(tmp_path / "net.onnx", 13)
    code, _, err = run("quantize", source)
    assert code == 2
    assert "--preprocessing" in err
    for kind in ("a", "b"):
        (tmp_path / "d" / kind).mkdir(parents=True)
        Image.new("L", (28, 28), 90).save(tmp_path / "d" / kind / "0.png")
    grey = '{"size": 32, "channels": 1, "mean": [0], "std": [1]}'
    code, _, err = run("quantize", source, "--preprocessing", grey, "--calibration", tmp_path / "d")
    assert code == 2
    assert "it takes Bx1x28x28 (NCHW), the images are Bx1x32x32" in " ".join(err.split())


def test_an_image_without_pixels_is_named(tiny: TinyFiles, tmp_path: Path, run: Run) -> None:
    for kind in ("a", "b"):
        (tmp_path / "d" / kind).mkdir(parents=True)
        Image.new("L", (28, 28), 90).save(tmp_path / "d" / kind / "0.png")
    (tmp_path / "d" / "b" / "empty.jpg").write_bytes(b"")
    code, _, err = run("quantize", tiny.paths["onnx"], "--calibration", tmp_path / "d", "--out", tmp_path / "out")
    assert code == 2
    assert "empty.jpg" in err.replace("\n", "")
