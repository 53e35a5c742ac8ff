"""The checkpoint of an imported network works where the package that made the network does not exist."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGE = '''
import torch
from torch import nn


class Mixed(nn.Module):
    """Signed weights that sum to 1 at most, over a bank of three kernels."""

    def __init__(self):
        super().__init__()
        self.route, self.bank = nn.Linear(8, 3), nn.Parameter(torch.randn(3, 12 * 8 * 9) * 0.1)

    def forward(self, x):
        batch, channels, height, width = x.shape
        alpha = self.route(x.mean((2, 3)))
        alpha = alpha / (alpha.abs().sum(1, keepdim=True) + 1e-3)
        kernels = (alpha @ self.bank).view(-1, channels, 3, 3)
        y = nn.functional.conv2d(x.reshape(1, -1, height, width), kernels, padding=1, groups=batch)
        return y.view(batch, -1, height, width)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), Mixed(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10)
    )
'''


def command(folder: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, in ``folder``; ``path`` is where Python finds packages besides."""
    root = str(Path(__file__).parents[3])
    searched = root if path is None else os.pathsep.join([root, str(path)])
    environment = {**os.environ, "PYTHONPATH": searched, "EAMDEPLOY_STORE": str(folder / "store")}
    return subprocess.run(
        [sys.executable, "-m", "eamdeploy", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


def test_it_loads_and_exports_where_the_package_does_not_exist(tmp_path: Path) -> None:
    code, elsewhere = tmp_path / "code", tmp_path / "elsewhere"
    (code / "their_package").mkdir(parents=True)
    elsewhere.mkdir()
    (code / "their_package" / "__init__.py").write_text("", encoding="utf-8")
    (code / "their_package" / "nets.py").write_text(PACKAGE, encoding="utf-8")
    out = elsewhere / "theirs.safetensors"
    process = command(
        elsewhere, "import", "their_package.nets:network", "--input", "3x24x32", "--out", str(out), path=code
    )
    assert process.returncode == 0, process.stderr
    shutil.rmtree(code)
    gone = command(elsewhere, "import", "their_package.nets:network", "--input", "3x24x32", "--out", "again")
    assert gone.returncode == 2
    assert "there is no module 'their_package'" in " ".join(gone.stderr.split())
    assert [path.name for path in elsewhere.glob("again*")] == []
    exported = command(elsewhere, "export", str(out), "--limit", "12", "--out", "build", "--json")
    assert exported.returncode == 0, exported.stderr
    (artifact,) = json.loads(exported.stdout)["artifacts"]
    assert artifact["parity"]["verdict"] == "passed"
    assert (elsewhere / "build" / "theirs.onnx").exists()
