"""Two processes average to the gradients of one on the same global batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("ddp_gradients.py")


def run(out: Path, processes: int) -> dict[str, torch.Tensor]:
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    done = subprocess.run(
        [*words, str(SCRIPT), str(out)], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return load_file(out)


@pytest.mark.slow
def test_averaged_gradients_equal_those_of_one_process(tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric", reason="training over several processes needs the scale extra")
    first, two = run(tmp_path / "one.safetensors", 1), run(tmp_path / "two.safetensors", 2)
    assert set(first) == set(two)
    for name, gradient in first.items():
        assert torch.allclose(gradient, two[name], atol=1e-5), name
