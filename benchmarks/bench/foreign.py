"""timm's EfficientNets with CondConv: imported, exported, quantized, and beside them what ``torch.onnx.export`` makes of them.

    python -m benchmarks.bench.foreign --images DIR --out build/foreign [--network efficientnet_cc_b0_4e ...] [--size 64]

Weights are random; batch norms and the classifier are fitted to ``--images`` (a tree with ``train`` and ``test``), so that an
accuracy means something. Every file is verified on 100 images. The textbook's files and ours are exported in turn, and run in
turn in one process, so that whatever else the machine does hits all of them alike: ratios are what to read.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

import eamdeploy
from benchmarks.export.runtimes import measure
from eamdeploy.data import open_dataset
from eamdeploy.data.dataset import take
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.networks.layers.mixed_conv import MixedConv2d
from eamdeploy.pipeline.export import ExportedArtifact, ExportOptions
from runtimes.readers.artifact_files import artifact_bytes
from tests.foreign.fitted_timm import fitted_timm_network

NETWORKS = ("efficientnet_cc_b0_4e", "efficientnet_cc_b0_8e", "efficientnet_cc_b1_8e")
BATCHES, IMAGES = (1, 4), 100


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
    prepare = Preprocessing.from_dict(checkpoint.preprocessing)
    data = take(open_dataset(images, "test"), IMAGES)
    with torch.no_grad():
        for index in range(len(data)):
            checkpoint.network(torch.from_numpy(prepare.apply(data.image(index))[None]))
    for hook in hooks:
        hook.remove()
    return largest


def textbook(network: nn.Module, path: Path, batch: int, size: int) -> float:
    """``torch.onnx.export`` of the network as it is; seconds."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(network, (torch.randn(batch, 3, size, size),), dynamo=True, verbose=False)
    if program is None:
        raise RuntimeError("torch.onnx.export gave nothing")
    program.save(path)
    return time.perf_counter() - started


def ours(checkpoint: Checkpoint, folder: Path, images: Path, form: str, batch: int) -> dict[str, Any]:
    """One verified file."""
    started = time.perf_counter()
    options = ExportOptions(images=IMAGES, batch=batch, name=f"{checkpoint.name}-{batch}")
    (artifact,) = eamdeploy.export(checkpoint, folder, formats=form, data=images, options=options)
    assert isinstance(artifact, ExportedArtifact)
    worst = min(row.snr_db for row in artifact.parity.outputs if row.snr_db is not None)
    return {
        "path": artifact.path,
        "seconds": time.perf_counter() - started,
        "verify_seconds": artifact.seconds.get("verify", 0.0),
        "verdict": artifact.parity.verdict,
        "snr_db": round(worst, 1),
        "flips": len(artifact.parity.flips),
    }


def quantized(checkpoint: Checkpoint, folder: Path, images: Path, form: str) -> dict[str, Any]:
    """The int8 file, calibrated on training images and checked on others."""
    from eamdeploy.pipeline.quantize.options import QuantizeOptions

    (artifact,) = eamdeploy.export(
        checkpoint,
        folder,
        formats=form,
        precisions="int8",
        calibration=images,
        data=images,
        options=ExportOptions(images=IMAGES),
        # of random weights: what an int8 file loses is shown, and says nothing of a trained network
        quantization=QuantizeOptions(calibration_images=100, check_images=200, max_drop=100, latency=False),
    )
    assert not isinstance(artifact, ExportedArtifact)
    outcome = artifact.report.outcome
    dynamic = set(checkpoint.network.dynamic_layers())
    return {
        "path": artifact.path,
        "float_top1": outcome.float_top1,
        "top1": outcome.top1,
        "dynamic_in_int8": len(dynamic & set(artifact.report.written.int8_layers)),
        "dynamic": len(dynamic),
    }


def one(name: str, images: Path, out: Path, *, size: int, rounds: int, exports: int) -> dict[str, Any]:
    """All figures of one network."""
    out.mkdir(parents=True, exist_ok=True)
    network = fitted_timm_network(name, open_dataset(images, "train"), size)
    started = time.perf_counter()
    checkpoint = eamdeploy.import_network(
        network, (3, size, size), path=out / name, classes=open_dataset(images, "train").classes
    )
    row: dict[str, Any] = {
        "network": name,
        "size": size,
        "import_seconds": round(time.perf_counter() - started, 1),
        "proof": max(checkpoint.meta["imported"]["proof"].values()),
        "layers": len(checkpoint.meta["imported"]["layers"]),
        "largest_kernel": round(largest_kernel(checkpoint, images), 4),
    }
    print(row, flush=True)
    files: dict[tuple[str, str], Path] = {}
    seconds: dict[str, list[float]] = {}
    for turn in range(exports):
        for batch in BATCHES:
            path = out / f"{name}-textbook-{batch}.onnx"
            seconds.setdefault(f"textbook onnx {batch}", []).append(textbook(network, path, batch, size))
            files["textbook onnx", str(batch)] = path
            for form in ("onnx", "tflite") if turn == 0 else ("onnx",):
                artifact = ours(checkpoint, out, images, form, batch)
                files[f"ours {form}", str(batch)] = artifact.pop("path")
                seconds.setdefault(f"ours {form} {batch}", []).append(artifact["seconds"] - artifact["verify_seconds"])
                seconds.setdefault(f"verify {form} {batch}", []).append(artifact["verify_seconds"])
                row[f"{form} {batch}"] = {key: artifact[key] for key in ("verdict", "snr_db", "flips")}
                print(name, form, batch, row[f"{form} {batch}"], seconds, flush=True)
    for form in ("onnx", "tflite"):
        artifact = quantized(checkpoint, out, images, form)
        files[f"int8 {form}", "1"] = artifact.pop("path")
        row[f"int8 {form}"] = artifact
        print(name, "int8", form, artifact, flush=True)
    row["export_seconds"] = {key: round(statistics.median(values), 1) for key, values in seconds.items()}
    row["megabytes"] = {" ".join(key): round(artifact_bytes(path) / 1e6, 2) for key, path in files.items()}
    times = measure(files, rounds)
    row["p10_ms"] = {" ".join(key): value for key, value in times.items()}
    row["ratio"] = {" ".join(key): round(value / times["textbook onnx", key[1]], 3) for key, value in times.items()}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--exports", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.network:
        row = one(
            name,
            arguments.images,
            arguments.out,
            size=arguments.size,
            rounds=arguments.rounds,
            exports=arguments.exports,
        )
        (arguments.out / f"{name}.json").write_text(json.dumps(row, indent=1, default=str) + "\n", encoding="utf-8")
        print(json.dumps(row, default=str), flush=True)


if __name__ == "__main__":
    main()
