"""`predict` with real artifacts: the same classes as PyTorch, and nothing but a runtime."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import venv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.data import embedded_sample
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.inference.predict import predict
from tests.eamdeploy.parity.parity_artifacts import Made

ROOT = Path(__file__).parents[3]


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    data = embedded_sample()
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for index, path in enumerate(paths):
        data.image(index).save(path)
    return paths


@pytest.mark.parametrize("fmt", ["onnx", pytest.param("tflite", marks=pytest.mark.slow)])
def test_probabilities_are_pytorchs(artifact_of: Callable[..., Made], pictures: list[Path], fmt: str) -> None:
    good = artifact_of(fmt)
    data = embedded_sample()
    images = Preprocessing.from_dict(good.checkpoint.preprocessing).apply_batch(data.image(i) for i in range(3))
    with torch.inference_mode():
        torch_scores = torch.softmax(good.checkpoint.network(torch.from_numpy(images)), dim=1).numpy()
    predictions = list(predict(good.path, pictures, top=10))
    assert [row.image for row in predictions] == [str(path) for path in pictures]
    for row, expected in zip(predictions, torch_scores, strict=True):
        assert [score.index for score in row.top] == np.argsort(-expected).tolist()
        assert row.top[0].label == good.checkpoint.classes[int(expected.argmax())]
        np.testing.assert_allclose([score.probability for score in row.top], np.sort(expected)[::-1], rtol=1e-3)


def test_what_cannot_be_classified_is_named(
    artifact_of: Callable[..., Made], pictures: list[Path], tmp_path: Path
) -> None:
    good = artifact_of("onnx")
    with pytest.raises(DataError, match=r"nowhere\.png"):
        list(predict(good.path, [pictures[0], tmp_path / "nowhere.png"]))
    with pytest.raises(DataError, match="it is no image"):
        list(predict(good.path, [good.path]))
    with pytest.raises(UsageError, match="predict takes an artifact"):
        list(predict(tmp_path / "net.safetensors", pictures))

    import onnx

    model = onnx.load(str(good.path))
    del model.metadata_props[:]
    onnx.save(model, str(tmp_path / "foreign.onnx"))
    with pytest.raises(UsageError, match="was not made by eamdeploy"):
        list(predict(tmp_path / "foreign.onnx", pictures))


@pytest.mark.parametrize("fmt", ["onnx", pytest.param("tflite", marks=pytest.mark.slow)])
def test_neither_torch_nor_onnx_is_imported(artifact_of: Callable[..., Made], pictures: list[Path], fmt: str) -> None:
    """Run where importing anything else of ours that is heavy ends the program."""
    program = """
        import importlib.abc, sys

        class Refuse(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path, target=None):
                if name.partition(".")[0] in {"torch", "onnx", "onnxscript", "litert_torch", "safetensors", "scipy"}:
                    raise SystemExit(f"imported {name}")

        sys.meta_path.insert(0, Refuse())
        from eamdeploy.cli.main import main
        main(sys.argv[1:])
    """
    command = [
        sys.executable,
        "-c",
        textwrap.dedent(program),
        "predict",
        artifact_of(fmt).path,
        pictures[0],
        "--json",
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["predictions"][0]["top"]) == 5


@pytest.mark.slow
def test_the_wheel_and_one_runtime_are_enough(
    artifact_of: Callable[..., Made], pictures: list[Path], tmp_path: Path
) -> None:
    """Build the wheel, install it with onnxruntime and nothing else into an environment of its own, and predict."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("eamdeploy", "export", "runtimes", "devices"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "-q", "-w", str(tmp_path / "dist")]
    built = subprocess.run(pip, capture_output=True, text=True, timeout=600, check=False)
    if built.returncode and "No matching distribution" in built.stderr:
        pytest.skip("the package index cannot be reached, so the wheel cannot be built")
    assert built.returncode == 0, built.stderr
    wheel = next((tmp_path / "dist").glob("eamdeploy-*.whl"))
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    command = [python, "-m", "pip", "install", "-q", wheel, "onnxruntime"]
    installed = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900, check=False)
    if installed.returncode and "No matching distribution" in installed.stderr:
        pytest.skip("the package index cannot be reached, so nothing can be installed")
    assert installed.returncode == 0, installed.stderr
    listed = subprocess.run(
        [python, "-m", "pip", "list"], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    assert not {"torch", "onnx", "litert-torch"} & {line.split()[0] for line in listed.splitlines() if line}
    command = [tmp_path / "clean" / "bin" / "eamdeploy", "predict", artifact_of("onnx").path, *pictures, "--json"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path, env=clean
    )
    assert done.returncode == 0, done.stderr
    local_predictions = list(predict(artifact_of("onnx").path, pictures))
    wheel_predictions = json.loads(done.stdout)["predictions"]
    assert [row["top"][0]["label"] for row in wheel_predictions] == [row.top[0].label for row in local_predictions]
