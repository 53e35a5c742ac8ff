"""ncnn's float16 arithmetic on an emulated Raspberry Pi 5, held to a float16 reference of the same network.

    python -m benchmarks.bench.half_arithmetic --data CIFAR10 [--images 100] [--checkpoint cifar10-v1x0.25-eam-rcr]

The reference is the network in PyTorch with weights and every layer's result rounded to float16. Errors are root mean squares of
the scores' differences from the float32 network; the board may be off by as many times the reference's as `verify` allows.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import eamdeploy
from devices.session.opening import open_emulated
from devices.session.run import BoardSession
from eamdeploy.base.progress import SILENT
from eamdeploy.measurement.accuracy.images import Images, prepare_images
from eamdeploy.measurement.accuracy.measure import run_on_device
from eamdeploy.measurement.request import BenchCase
from eamdeploy.parity.report.limits import ParityTolerance
from eamdeploy.pipeline.export import ExportOptions
from export.lowerings.fold import fold_batchnorm
from runtimes.protocol import ARITHMETICS, RuntimeOptions
from runtimes.readers.metadata import read_metadata

DEVICE = "pi5"


async def on_board(artifact: Path, images: Images) -> dict[str, np.ndarray]:
    """Scores in each arithmetic."""
    transport = open_emulated(DEVICE)
    try:
        async with BoardSession(transport) as session:
            scores = {}
            for arithmetic in ARITHMETICS:
                case = BenchCase(artifact, "ncnn", RuntimeOptions(arithmetic=arithmetic))
                with tempfile.TemporaryDirectory() as root:
                    done = await run_on_device(session, case, images, progress=SILENT, root=Path(root))
                scores[arithmetic] = done.outputs
            return scores
    finally:
        await transport.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--checkpoint", default="cifar10-v1x0.25-eam-rcr")
    arguments = parser.parse_args()
    checkpoint = eamdeploy.load(arguments.checkpoint)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        options = ExportOptions(images=2, name="network")
        (artifact,) = eamdeploy.export(arguments.checkpoint, folder, formats=["ncnn"], device=DEVICE, options=options)
        images = prepare_images(read_metadata(artifact.path), arguments.data, arguments.images, artifact.path)
        normalized = images.preprocessing.normalize(images.pixels)
        inputs = torch.from_numpy(normalized.transpose(0, 3, 1, 2).copy())
        network = checkpoint.network.eval()
        exact = network(inputs).numpy()
        half = fold_batchnorm(copy.deepcopy(network)).half()
        scores = {"float16 reference": half(inputs.half()).float().numpy()}
        scores |= asyncio.run(on_board(artifact.path, images))
    errors = {}
    for name, values in scores.items():
        errors[name] = float(np.sqrt(np.mean((values - exact) ** 2)))
        right = np.mean(values.argmax(axis=1) == images.labels)
        changes = np.sum(values.argmax(axis=1) != exact.argmax(axis=1))
        print(f"{name:20} {right:6.1%} right, {changes} answers of {len(images)} differ, error {errors[name]:.2g}")
    allowed = ParityTolerance().factor * errors["float16 reference"]
    print(f"allowed: {allowed:.2g}")
    if errors["fp16"] > allowed:
        sys.exit(3)


if __name__ == "__main__":
    main()
