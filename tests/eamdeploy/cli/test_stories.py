"""Whole stories, told from an empty folder with the command line alone, as a user would."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.recordings.terminal import environment_of, make_images
from tests.eamdeploy.cli.conftest import Call

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def eamdeploy(folder: Path, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run a command in ``folder``; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "eamdeploy", *words], cwd=folder, env=environment_of(folder), capture_output=True, text=True,
        timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode in codes, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def read(text: str) -> Any:
    return json.loads(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder, but for some pictures."""
    make_images(tmp_path / "images")
    return tmp_path


def test_an_own_classifier_becomes_a_verified_int8_file_and_an_estimate(folder: Path) -> None:
    import onnx

    import eamdeploy as api

    (onnx_file,) = api.export("fashion-mnist-v1x0.25-eam-rcr", folder / "elsewhere")
    model = onnx.load(onnx_file.path)
    del model.metadata_props[:]  # what another exporter writes: no classes, no preprocessing
    onnx.save(model, folder / "own.onnx")
    from eamdeploy.data import embedded_sample

    (folder / "classes.txt").write_text("\n".join(_folder_names(embedded_sample().classes)) + "\n")
    preprocessing = (
        "--labels",
        "classes.txt",
        "--preprocessing",
        '{"size": 28, "channels": 1, "mean": [0.286], "std": [0.353]}',
    )

    eamdeploy(folder, "attach", "own.onnx", *preprocessing, "--out", "described.onnx")
    document = read(
        eamdeploy(folder, "quantize", "described.onnx", "--calibration", "images", "--max-drop", "20", "--json")
    )
    (artifact,) = document["artifacts"]
    assert artifact["precision"] == "int8"
    assert (folder / artifact["path"]).stat().st_size < 0.5 * (folder / "own.onnx").stat().st_size
    verdict = read(
        eamdeploy(folder, "verify", artifact["path"], "--against", "described.onnx", "--data", "images", "--json")
    )
    assert verdict["verdict"] == "passed"
    (estimate,) = read(eamdeploy(folder, "estimate", artifact["path"], "--device", "pi4", "--json"))["estimates"]
    low, high = estimate["interval90_ms"]
    assert low < estimate["p50_ms"] < high


def _folder_names(classes: tuple[str, ...]) -> list[str]:
    """As :func:`make_images` names the folders."""
    return [name.lower().replace("/", "-").replace(" ", "-") for name in classes]


def test_training_is_interrupted_resumed_exported_and_compared_with_its_static_twin(folder: Path) -> None:
    words = ["train", "--data", "images", "--width", "0.25", "--batch", "16", "--threads", "1", "--epochs", "3"]
    first = subprocess.Popen(
        [sys.executable, "-m", "eamdeploy", *words, "--out", "dynamic"], cwd=folder, env=environment_of(folder),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1, start_new_session=True,
        # a shell's background job has Ctrl-C switched off, and hands that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert first.stdout is not None
    output_lines = []
    for line in first.stdout:
        output_lines.append(line)
        if line.startswith("epoch 1/3"):
            os.killpg(first.pid, signal.SIGINT)
            break
    output_lines += list(first.stdout)
    first.stdout.close()
    assert first.wait(timeout=120) == 130, "".join(output_lines)
    text = "".join(output_lines)
    assert re.search(r"[\d,]+ parameters, \d+ training and", text)
    assert re.search(r"finished epochs? (?:is|are) kept in dynamic; run the same command again", text), text

    again = subprocess.run(
        [sys.executable, "-m", "eamdeploy", *words, "--out", "dynamic"], cwd=folder, env=environment_of(folder),
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert re.search(r"continues after epoch [12]", again.stderr + again.stdout)
    assert "epoch 3/3" in again.stderr + again.stdout

    eamdeploy(folder, *words, "--out", "static", "--conv", "static")
    for name in ("dynamic", "static"):
        eamdeploy(folder, "export", f"{name}/model.safetensors", "--name", name, "--out", "build", "--data", "images")
    # a busy machine's times are measured and called invalid
    eamdeploy(
        folder, "bench", "build/dynamic.onnx", "build/static.onnx", "--data", "images", "--runs", "40", codes=(0, 5)
    )
    compared = eamdeploy(folder, "compare", "build/static.onnx", "build/dynamic.onnx", codes=(0, 5))
    assert "dynamic.onnx" in compared
    eamdeploy(folder, "report", "--training", "dynamic", "--training", "static", "--out", "report.html")
    assert "Training curves: dynamic, 3 epochs" in (folder / "report.html").read_text("utf-8")


def test_a_story_s_commands_do_not_end_well_by_themselves(folder: Path, call: Call) -> None:
    """The two tests above can fail: a file that is no classifier is refused, with the documented code."""
    (folder / "own.onnx").write_bytes(b"not a model")
    code, _, err = call("quantize", str(folder / "own.onnx"), "--calibration", str(folder / "images"))
    assert code == 2, err
