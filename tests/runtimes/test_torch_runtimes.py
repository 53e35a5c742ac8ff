"""PyTorch as the reference on the host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from eamdeploy.base.errors import UsageError
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "net.safetensors"
    command = [sys.executable, "-m", "eamdeploy", "init", "--arch", "mobilenet_v1", "--width", "0.25", "--conv", "eam"]
    command += ["--input", "32", "--classes", "10", "--out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture
def pixels():
    return np.random.default_rng(0).standard_normal((3, 3, 32, 32)).astype(np.float32)


def test_it_computes_what_the_checkpoint_computes_and_gives_the_threads_back(checkpoint, pixels):
    from eamdeploy.networks.checkpoint import load_checkpoint

    before = torch.get_num_threads()
    session = get_runtime("torch").load(checkpoint, RuntimeOptions(threads=1))
    assert torch.get_num_threads() == 1
    (outputs,) = session.run(pixels)
    with torch.inference_mode():
        expected = load_checkpoint(checkpoint).network.eval()(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    assert session.inputs[0].shape == (None, 3, 32, 32)
    session.close()
    assert torch.get_num_threads() == before


def test_its_profile_names_the_operators(checkpoint, pixels):
    session = get_runtime("torch").load(checkpoint, RuntimeOptions(profile=True))
    session.run(pixels[:1])
    assert any("conv" in row.kind for row in session.operator_times())
    session.close()


def test_wrong_inputs_are_named(checkpoint, pixels):
    session = get_runtime("torch").load(checkpoint, RuntimeOptions())
    with pytest.raises(UsageError, match=r"'input'.*given image"):
        session.raw_run({"image": pixels})
    session.close()


@pytest.mark.slow
def test_bench_measures_a_checkpoint_on_the_host(checkpoint, tmp_path):
    command = [sys.executable, "-m", "eamdeploy", "bench", str(checkpoint), "--runs", "12", "--no-store", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 5), done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["runtime"], run["format"]) == ("torch", "pytorch")
    assert len(run["latency_ms"]["samples"]) == 12


_COMPILED = """
import types, warnings
from pathlib import Path
import numpy as np, torch
warnings.simplefilter("ignore")
from eamdeploy.networks import checkpoint
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime

# a whole network takes minutes to compile on a small machine; what is tested is the way there
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(10))
spec = types.SimpleNamespace(input_shape=(3, 8, 8), classes=10)
network(torch.zeros(1, 3, 8, 8))
checkpoint.load_checkpoint = lambda path: types.SimpleNamespace(network=network, spec=spec)
pixels = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
one, two = (get_runtime(name).load(Path("any"), RuntimeOptions()) for name in ("torch", "torch-compile"))
print(type(two._network).__name__, abs(one.run(pixels)[0] - two.run(pixels)[0]).max())
"""


@pytest.mark.slow
def test_compiled_it_computes_the_same():
    if shutil.which("c++") is None and shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler")
    environment = os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "1"}  # else it starts a pool of processes
    command = [sys.executable, "-c", _COMPILED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    kind, difference = done.stdout.split()
    assert kind == "OptimizedModule"
    assert float(difference) < 1e-4
