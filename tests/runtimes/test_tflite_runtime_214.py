"""The last tflite-runtime, in a real environment of its own: Python 3.11 and numpy 1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eamdeploy.base.errors import UsageError
from runtimes.protocol import RuntimeOptions
from runtimes.readers.tflite_file import FULLY_CONNECTED, read_operators
from runtimes.readers.tflite_old import needs_newer_runtime
from runtimes.registry import get_runtime
from tests.runtimes import tiny_models

ROOT = Path(__file__).parents[2]
_RUN = """
import json, sys
from pathlib import Path
import numpy as np
from eamdeploy.base.errors import EamdeployError
from runtimes import litert
from runtimes.protocol import RuntimeOptions
if len(sys.argv) > 4:
    litert._check_age = lambda *_: None
runtime = litert.LiteRt()
try:
    session = runtime.load(Path(sys.argv[1]), RuntimeOptions())
    np.save(sys.argv[3], session.run(np.load(sys.argv[2]))[0])
    print(json.dumps({"version": runtime.version(), "numpy": np.__version__}))
except EamdeployError as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}))
"""


@pytest.fixture(scope="session")
def old_python(tmp_path_factory):
    """The environment's Python; made once and kept in the cache."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("tflite-runtime 2.14 has wheels up to Python 3.11, and this is not 3.11")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eamdeploy-tests" / "tflite-runtime-2.14"
    python = cache / "bin" / "python"
    if not (cache / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", cache], check=True)
        command = [python, "-m", "pip", "install", "-q", "tflite-runtime==2.14.0", "numpy<2"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"tflite-runtime 2.14 cannot be installed: {done.stderr.strip()[-200:]}")
        (cache / "complete").touch()
    return python


@pytest.fixture
def on_old(old_python, tmp_path):
    def run(path, images, *, unchecked=False):
        np.save(tmp_path / "images.npy", images)
        command = [old_python, "-c", _RUN, path, tmp_path / "images.npy", tmp_path / "outputs.npy"]
        command += ["unchecked"] if unchecked else []
        environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        return (answer, None) if "error" in answer else (answer, np.load(tmp_path / "outputs.npy"))

    return run


def on_new(path, images):
    return get_runtime("litert").load(path, RuntimeOptions()).run(images)[0]


def test_a_float_artifact_agrees(on_old, tflite, images):
    answer, outputs = on_old(tflite[0], images)
    assert answer["version"] == "tflite-runtime 2.14.0"
    assert answer["numpy"].startswith("1.")
    np.testing.assert_allclose(outputs, on_new(tflite[0], images), rtol=1e-5, atol=1e-5)


def test_what_it_would_compute_wrongly_is_refused_beforehand(on_old, tmp_path, images):
    path = tmp_path / "hybrid.tflite"
    parts = tiny_models.write_tflite(path, hybrid=True, version=5)
    reference = tiny_models.reference(parts, images)
    assert needs_newer_runtime(path)
    np.testing.assert_allclose(on_new(path, images), reference, atol=0.02)
    answer, _ = on_old(path, images)
    assert answer["error"] == "MissingDependency"
    assert "would compute this artifact wrongly" in answer["message"]
    assert "ai-edge-litert" in answer["message"]
    # the reason for all this: it runs, says nothing, and is wrong
    _, outputs = on_old(path, images, unchecked=True)
    assert np.abs(outputs - reference).max() > 0.05


def test_an_operator_version_it_does_not_know_asks_for_a_newer_one(on_old, tmp_path, images):
    path = tmp_path / "new.tflite"
    tiny_models.write_tflite(path, version=12)
    answer, _ = on_old(path, images)
    assert answer["error"] == "MissingDependency"
    assert "version" in answer["message"]
    assert "newer ai-edge-litert" in answer["message"]


@pytest.mark.slow
def test_our_artifacts_agree_or_say_that_they_would_not(on_old, tmp_path):
    """A real export and a real quantization of a small dynamic network."""

    def eamdeploy(*arguments):
        command = [sys.executable, "-m", "eamdeploy", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr

    network = ("--arch", "mobilenet_v1", "--width", "0.25", "--conv", "eam", "--input", "28", "--in-channels", "1")
    eamdeploy("init", *network, "--classes", "10", "--out", "net.safetensors")
    eamdeploy("export", "net.safetensors", "--format", "tflite", "--out", "fp32")
    sample = ROOT / "eamdeploy" / "data" / "fashion_mnist_sample"
    eamdeploy(
        *("quantize", "fp32/net.tflite", "--precision", "int8", "--max-drop", "100"),
        *("--calibration", sample, "--out", "int8"),
    )
    images = np.random.default_rng(0).standard_normal((8, 1, 28, 28)).astype(np.float32)
    (fp32,) = (tmp_path / "fp32").glob("*.tflite")
    _, outputs = on_old(fp32, images)
    new = on_new(fp32, images)
    np.testing.assert_allclose(outputs, new, atol=1e-4 * np.abs(new).max())
    (int8,) = (tmp_path / "int8").glob("*.tflite")
    answer, outputs = on_old(int8, images)
    if needs_newer_runtime(int8):
        assert "would compute this artifact wrongly" in answer["message"]
    else:
        # as near as LiteRT's own two sets of kernels are to each other, with room for a third
        plain = get_runtime("litert").load(int8, RuntimeOptions(xnnpack=False)).run(images)[0]
        new = on_new(int8, images)
        assert np.abs(outputs - new).max() <= 3 * np.abs(plain - new).max() + 0.05 * np.abs(new).max()


def test_operators_are_read_from_the_file(tflite, tmp_path):
    operators = read_operators(tflite[0])
    assert len(operators) == 3
    assert [operator.code for operator in operators][2] == FULLY_CONNECTED
    assert operators[2].inputs[2] is None
    assert [tensor.scales for tensor in operators[2].inputs[:2]] == [0, 0]
    assert needs_newer_runtime(tflite[0]) == []
    tiny_models.write_tflite(tmp_path / "h.tflite", hybrid=True)
    assert read_operators(tmp_path / "h.tflite")[2].inputs[1].scales == 3
    content = tflite[0].read_bytes()
    for cut in (0, 6, 40, 200):
        (tmp_path / "cut.tflite").write_bytes(content[:cut])
        with pytest.raises(UsageError, match="not a TFLite file"):
            read_operators(tmp_path / "cut.tflite")
