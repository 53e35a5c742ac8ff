"""Calibration streams: however many images there are, memory stays bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec

IMAGES = 1000
SIDE = 224
LIMIT_GB = 2.0
# ru_maxrss would start at what the process that started this one held; VmHWM is of this program alone
RUN = """
from pathlib import Path
from eamdeploy.cli.main import main
try:
    main()
finally:
    lines = Path("/proc/self/status").read_text().splitlines()
    print("peak", next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand different pictures of two classes: 1,000 x 3 x 224 x 224 floats would be 0.6 GB, their maps hundreds."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(IMAGES):
        folder = root / ("even", "odd")[index % 2]
        folder.mkdir(exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / f"{index:04d}.jpg", quality=80)
    return root


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("fmt", ["onnx", "tflite"])
def test_a_thousand_images_at_224_px_stay_below_two_gigabytes(fmt: str, photos: Path, tmp_path: Path) -> None:
    spec = ArchSpec(arch="mobilenet_v1", width=0.25, conv="eam", input_px=SIDE, classes=2)
    checkpoint = write_random(spec, tmp_path / "net.safetensors")
    exported = [sys.executable, "-m", "eamdeploy", "export", str(checkpoint), "--format", fmt, "--out", str(tmp_path)]
    subprocess.run([*exported, "--data", str(photos), "--limit", "100"], check=True, capture_output=True)
    command = [sys.executable, "-c", RUN, "quantize", str(tmp_path / f"net.{fmt}"), "--precision", "int8"]
    command += ["--calibration", str(photos), "--calibration-images", str(IMAGES), "--check-images", "100"]
    done = subprocess.run([*command, "--max-drop", "100"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"on {IMAGES} images" in done.stderr
    peak_gb = int(done.stdout.rsplit("peak", 1)[1]) * 1024 / 1e9
    assert peak_gb < LIMIT_GB
