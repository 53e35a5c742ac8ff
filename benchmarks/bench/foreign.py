"""timm's EfficientNets with CondConv: imported, exported, quantized, and beside them what ``torch.onnx.export`` makes of them.

    python -m benchmarks.bench.foreign --images DIR --out build/foreign [--network efficientnet_cc_b0_4e ...] [--size 32]

Weights are random; batch norms and the classifier are fitted to pictures of ``--images`` (a tree with ``train`` and ``test``),
and accuracy is that on the same ones: it tells whether a file keeps the network's answers. Every file is verified on 100 images;
one that is refused is shown as such. The textbook's files and ours are exported in turn, and run in turn in one process, so that
whatever else the machine does hits all of them alike: ratios are what to read. A run that was cut off goes on where it ended.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import eamdeploy
from benchmarks.bench.kernel_codes import LIMIT, largest_code
from benchmarks.export.runtimes import measure
from eamdeploy.base.errors import EamdeployError
from eamdeploy.data import open_dataset
from eamdeploy.data.dataset import take
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import Checkpoint, load_checkpoint
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.pipeline.export import ExportedArtifact, ExportOptions
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from runtimes.readers.artifact_files import artifact_bytes
from tests.foreign.fitted_timm import fitted_timm_network

NETWORKS = ("efficientnet_cc_b0_4e", "efficientnet_cc_b0_8e", "efficientnet_cc_b1_8e")
BATCHES, FORMS = (1, 4), ("onnx", "tflite")
IMAGES, FITTED = 100, 200


def largest_kernel(checkpoint: Checkpoint, images: Path) -> float:
    """The largest weight of any kernel of any image, over what its layer's scale can hold; above 1 it would clip."""
    largest = 0.0

    def look(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal largest
        if isinstance(layer, MixedConv2d) and layer.bounds.kernel is not None:
            kernels = torch.einsum("bk,kocij->bocij", inputs[1], layer.bank)
            limit = layer.bounds.kernel * layer.bank.abs().amax(dim=(0, 2, 3, 4))
            largest = max(largest, float((kernels.abs().amax(dim=(0, 2, 3, 4)) / limit.clamp(min=1e-12)).max()))

    hooks = [layer.register_forward_pre_hook(look) for layer in checkpoint.network.dynamic_layers().values()]
    with torch.no_grad():
        for image in prepared(checkpoint, images, IMAGES):
            checkpoint.network(torch.from_numpy(image))
    for hook in hooks:
        hook.remove()
    return largest


class Record:
    """What a network's run has so far, kept in a file: a run that was cut off goes on where it ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def step(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The step's values, worked out now where they are not there yet; a refusal is kept as one."""
        if name not in self.values:
            started = time.perf_counter()
            try:
                self.values[name] = work()
            except EamdeployError as error:
                self.values[name] = {"refused": f"{type(error).__name__}: {error}"}
            self.values[name].setdefault("seconds", round(time.perf_counter() - started, 1))
            self.path.write_text(json.dumps(self.values, indent=1) + "\n", encoding="utf-8")
            print(self.path.stem, name, self.values[name], flush=True)
        return self.values[name]

    def files(self) -> dict[tuple[str, str], Path]:
        """Every file that was written, by what it is and its batch."""
        written = {name: Path(value["path"]) for name, value in self.values.items() if "path" in value}
        return {(name.rpartition(" ")[0], name.rpartition(" ")[2]): path for name, path in written.items()}


def textbook(network: nn.Module, path: Path, batch: int, size: int) -> dict[str, Any]:
    """``torch.onnx.export`` of the network as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(network, (torch.randn(batch, 3, size, size),), dynamo=True, verbose=False)
    if program is None:
        raise RuntimeError("torch.onnx.export gave nothing")
    program.save(path)
    return {"path": str(path)}


def ours(checkpoint: Checkpoint, folder: Path, images: Path, form: str, batch: int) -> dict[str, Any]:
    """One verified file."""
    started = time.perf_counter()
    options = ExportOptions(images=IMAGES, batch=batch, name=f"{checkpoint.name}-{batch}")
    (artifact,) = eamdeploy.export(checkpoint, folder, formats=form, data=images, options=options)
    assert isinstance(artifact, ExportedArtifact)
    seconds, verify = time.perf_counter() - started, artifact.seconds.get("verify", 0.0)
    return {
        "path": str(artifact.path),
        "seconds": round(seconds - verify, 1),
        "verify_seconds": round(verify, 1),
        "verdict": artifact.parity.verdict,
        "worst_snr_db": round(min(row.snr_db for row in artifact.parity.outputs if row.snr_db is not None), 1),
        "flips": len(artifact.parity.flips),
    }


def quantized(checkpoint: Checkpoint, folder: Path, images: Path, form: str) -> dict[str, Any]:
    """The int8 file, and whether its computed kernels stay within what their scales guarantee."""
    (artifact,) = eamdeploy.export(
        checkpoint,
        folder,
        formats=form,
        precisions="int8",
        calibration=images,
        data=images,
        options=ExportOptions(images=IMAGES),
        # of random weights: what an int8 file loses is shown, and says nothing of a trained network
        quantization=QuantizeOptions(calibration_images=100, check_images=FITTED, max_drop=100, latency=False),
    )
    assert not isinstance(artifact, ExportedArtifact)
    outcome, snr = artifact.report.outcome, sorted(artifact.report.snr_db.values())
    dynamic = set(checkpoint.network.dynamic_layers())
    kernels, code = largest_code(artifact.path, prepared(checkpoint, images, 20))
    return {
        "path": str(artifact.path),
        "float_top1": outcome.float_top1,
        "top1": outcome.top1,
        "layer_snr_db": [snr[0], statistics.median(snr)] if snr else None,
        "dynamic_in_int8": len(dynamic & set(artifact.report.written.int8_layers)),
        "dynamic": len(dynamic),
        "computed_kernels": kernels,
        "largest_code": round(code, 2),
        "within_scale": code <= LIMIT,
    }


def prepared(checkpoint: Checkpoint, images: Path, count: int) -> Iterator[npt.NDArray[np.float32]]:
    """Test pictures as the network takes them."""
    prepare, data = Preprocessing.from_dict(checkpoint.preprocessing), take(open_dataset(images, "test"), count)
    for index in range(len(data)):
        yield prepare.apply(data.image(index))[None]


def brought_in(network: nn.Module, images: Path, path: Path, size: int) -> dict[str, Any]:
    """The network as a checkpoint."""
    started = time.perf_counter()
    checkpoint = eamdeploy.import_network(
        network, (3, size, size), path=path, classes=open_dataset(images, "train").classes
    )
    imported = checkpoint.meta["imported"]
    return {
        "checkpoint": str(checkpoint.path),
        "seconds": round(time.perf_counter() - started, 1),
        "proof": max(imported["proof"].values()),
        "layers": len(imported["layers"]),
        "largest_kernel": round(largest_kernel(checkpoint, images), 4),
    }


def one(name: str, images: Path, out: Path, *, size: int, rounds: int) -> dict[str, Any]:
    """All figures of one network."""
    out.mkdir(parents=True, exist_ok=True)
    label = f"{name}-{size}"
    record = Record(out / f"{label}.json")
    # fitted on what is checked: that top-1 is far from chance tells whether a file keeps the network's answers, no more
    network = fitted_timm_network(name, open_dataset(images, "test"), size, FITTED)
    checkpoint = load_checkpoint(
        record.step("import", lambda: brought_in(network, images, out / label, size))["checkpoint"]
    )
    for batch in BATCHES:
        path = out / f"{label}-textbook-{batch}.onnx"
        record.step(f"textbook {batch}", partial(textbook, network, path, batch, size))
        for form in FORMS:
            record.step(f"{form} {batch}", partial(ours, checkpoint, out, images, form, batch))
    for form in FORMS:
        record.step(f"int8 {form} 1", partial(quantized, checkpoint, out, images, form))
    files = record.files()
    times = measure(files, rounds)
    return {
        "network": name,
        "size": size,
        "steps": record.values,
        "megabytes": {" ".join(key): round(artifact_bytes(path) / 1e6, 2) for key, path in files.items()},
        "p10_ms": {" ".join(key): value for key, value in times.items()},
        "ratio": {" ".join(key): round(value / times["textbook", key[1]], 3) for key, value in times.items()},
    }


def table(row: dict[str, Any]) -> str:
    """One line for each file."""
    lines = [f"{row['network']} at 3x{row['size']}x{row['size']}, batch last in the name"]
    lines.append(f"{'file':16} {'export s':>8} {'MB':>7} {'p10 ms':>8} {'ratio':>6}  checked")
    for key, megabytes in row["megabytes"].items():
        step = row["steps"][key]
        remark = ""
        if "verdict" in step:
            remark = f"{step['verdict']}, worst image {step['worst_snr_db']} dB, {step['flips']} changed answers"
        elif "top1" in step:
            remark = f"top-1 {step['float_top1']:.1f} -> {step['top1']:.1f}, largest code {step['largest_code']}"
        cells = f"{step['seconds']:8.1f} {megabytes:7.2f} {row['p10_ms'][key]:8.2f} {row['ratio'][key]:6.3f}"
        lines.append(f"{key:16} {cells}  {remark}")
    lines += [f"{name:16} {step['refused']}" for name, step in row["steps"].items() if "refused" in step]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.network:
        row = one(name, arguments.images, arguments.out, size=arguments.size, rounds=arguments.rounds)
        path = arguments.out / f"{name}-table.json"
        path.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
        print(table(row), flush=True)


if __name__ == "__main__":
    main()
