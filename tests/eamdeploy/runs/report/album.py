"""Runs and manifests as a user's store would hold them; the figures are made up, how they are shown is tested."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from eamdeploy.base.results import (
    AccuracyResult,
    Conditions,
    Latency,
    Provenance,
    Run,
    RunVerdict,
    SensorSample,
    pack_correct,
)
from eamdeploy.runs.report import Material
from eamdeploy.runs.report.content.attention import AttentionFile

# name, precision, median in ms, top-1 in percent, bytes
_VARIANTS = (
    ("fashion-eam-025.onnx", "fp32", 6.1, 91.8, 4_480_000),
    ("fashion-eam-025-int8.onnx", "int8", 3.9, 91.1, 1_210_000),
    ("fashion-static-025.onnx", "fp32", 3.4, 89.9, 1_020_000),
    ("fashion-static-025-int8.onnx", "int8", 2.2, 89.2, 310_000),
    ("fashion-dynet-025.onnx", "fp32", 9.8, 91.6, 5_900_000),
    ("fashion-eam-050.tflite", "fp16", 11.7, 93.0, 6_400_000),
)
CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
LAYERS = tuple(f"blocks.{block}.{unit}.conv" for block in range(4) for unit in ("expand", "depthwise", "project"))


def confusions(correct: list[bool]) -> tuple[tuple[int, int, int], ...]:
    """Image i is of class i % 10; a wrong one is taken for the next class but one."""
    counts = Counter((index % 10, index % 10 if hit else (index % 10 + 2) % 10) for index, hit in enumerate(correct))
    return tuple((true, predicted, count) for (true, predicted), count in sorted(counts.items()))


def make_run(index: int, *, device: str = "pi4", kind: Any = "measured", slower: float = 1.0, **changes: Any) -> Run:
    name, precision, median, top1, size = _VARIANTS[index]
    random = np.random.default_rng(index + 10)
    samples = median * slower * np.exp(0.015 * random.standard_exponential(400))
    samples[:: 97 + index] *= 1.9
    correct = (random.permutation(2000) < 20 * top1).tolist()
    values: dict[str, Any] = {
        "id": f"20261122T1200{index:02d}-{device}",
        "group": f"group-{device}",
        "device": device,
        "board": "kitchen-pi" if device == "pi4" else None,
        "runtime": "litert" if name.endswith("tflite") else "onnxruntime",
        "threads": 4,
        "artifact": f"out/{name}",
        "artifact_sha256": f"{index:064x}",
        "format": name.rpartition(".")[2],
        "precision": precision,
        "bytes": size,
        "memory_mb": 40.0 + size / 1e6,
        "git_commit": "3f9c1d2e" * 5,
        "provenance": Provenance(
            kind, "Raspberry Pi 4 Model B Rev 1.4", "onnxruntime", "1.32.0", "2026-11-22T12:00:00+00:00",
            versions={"eamdeploy": "0.1.0", "numpy": "2.4.6"},
        ),
        "verdict": RunVerdict("suspect", ("clock fell to 1500 MHz",)) if index == 4 else RunVerdict("clean"),
        "latency_ms": Latency(
            float(np.median(samples)),
            float(np.percentile(samples, 90)),
            float(np.percentile(samples, 99)),
            float(samples.mean()),
            (float(np.median(samples) * 0.995), float(np.median(samples) * 1.006)),
            samples=tuple(samples.tolist()),
            block=tuple(np.repeat(range(20), 20).tolist()),
        ),
        "accuracy": AccuracyResult(
            sum(correct) / 20, 2000, data="fashion-mnist", correct=pack_correct(correct), confused=confusions(correct)
        ),
        "conditions": Conditions(
            tuple(SensorSample(t / 2, 48 + 6 * (1 - np.exp(-t / 9)) + index / 2, 1800.0, 0.2) for t in range(24)),
            "performance",
            facts={"cpu": "Cortex-A72", "cpus": "4", "os": "Debian GNU/Linux 12", "kernel": "6.6.31"},
        ),
    }  # fmt: skip
    return Run(**{**values, **changes})


def profile() -> tuple[dict[str, Any], ...]:
    """Operators of an exported network, named as the exporter names them."""
    rows = []
    for number, layer in enumerate(LAYERS):
        grow = 1 + number / 6
        for name, kind, milliseconds in (
            (f"{layer}.attention.select/Gather", "Gather", 0.01),
            (f"fused {layer}.attention.fc1/Gemm", "FusedGemm", 0.02),
            (f"{layer}.attention/Softmax", "Softmax", 0.01),
            (f"{layer}.bank/MatMul", "MatMul", 0.04 * grow),
            (f"{layer}/Conv", "FusedConv", 0.11 * grow),
            ("ReorderOutput_token_1", "ReorderOutput", 0.02),
        ):
            rows.append({"name": name, "kind": kind, "mean_ms": milliseconds, "calls": 30, "where": "CPU"})
    rows.append({"name": "classifier/Gemm", "kind": "Gemm", "mean_ms": 0.05, "calls": 30, "where": "CPU"})
    return tuple(rows)


def attention(name: str = "fashion-eam-025") -> AttentionFile:
    """What ``describe --attention`` says, for layers that move more and more."""
    random = np.random.default_rng(0)
    layers = []
    for number, layer in enumerate(LAYERS):
        mean = random.dirichlet([3.0] * 4)
        layers.append(
            {
                "layer": layer,
                "images": 500,
                "mean": mean.tolist(),
                "std": [0.04] * 4,
                "low": (mean * 0.5).tolist(),
                "high": np.minimum(1, mean * 1.6).tolist(),
                "movement": 0.1 * number,
                "movement_max": 0.1 * number + 0.05,
                "effective_rank": 1.7,
                "distance": 0.011 * number,
                "distance_max": 0.03 * number,
                "bound_max": 0.04 * number,
                "worst_case": 0.9,
            }
        )
    return AttentionFile(f"{name} over 500 images of test", "1 of 12 dynamic layers stay still", tuple(layers))


def manifest(index: int) -> dict[str, Any]:
    plan = [
        {
            "layer": layer, "kind": "pointwise", "shape": [4, 16, 8, 1, 1], "lowering": "aggregate", "measured_ms": {},
            "predicted_ms": 0.2, "reason": "one convolution with a computed kernel",
        }
        for layer in LAYERS
    ]  # fmt: skip
    output = {"name": "scores", "snr_db": 102.9, "max_abs_error": 3.4e-5, "tolerance_abs": 3.8e-4}
    parity = {
        "verdict": "passed", "data": "fashion-mnist", "images": 100, "runtime": "onnxruntime 1.32.0",
        "outputs": [output], "flips": 0, "flips_above_rounding": 0, "attention_max_abs_error": 2.4e-7,
    }  # fmt: skip
    entry: dict[str, Any] = {"file": _VARIANTS[index][0], "sha256": f"{index:064x}", "plan": plan, "parity": parity}
    if _VARIANTS[index][1] == "int8":
        entry["quantization"] = {"method": "static QDQ", "calibration_images": 256, "kernels": {"int8": 38, "float": 2}}
    return {"schema_version": 1, "name": "net", "classes": list(CLASSES), "artifacts": [entry]}


def full() -> Material:
    """A store with everything: two devices, three provenances, profiles, manifests."""
    pi4 = [make_run(index) for index in range(6)]
    pi4[0] = make_run(0, per_layer=profile())
    estimated = [
        make_run(
            index,
            device="jetson-orin-nano",
            kind="emulated" if index else "estimated",
            latency_ms=Latency(2.0 + index, interval90=(1.6 + index, 2.5 + index)),
            group=None,
            conditions=Conditions(),
            instructions=120_000_000 * (index + 1) if index else None,
        )
        for index in range(3)
    ]
    return Material(tuple(pi4 + estimated), {f"{index:064x}": manifest(index) for index in (0, 1)}, (attention(),))


def many(count: int) -> Material:
    """``count`` runs of one board, more than there are variants: with 1 and 4 threads."""
    runs = []
    for number in range(count):
        index, again = number % len(_VARIANTS), number // len(_VARIANTS)
        changes: dict[str, Any] = {"per_layer": profile()} if not number else {}
        if again:
            changes |= {"id": f"20261122T1300{number:02d}-pi4", "threads": 1}
        runs.append(make_run(index, slower=1.0 + 0.7 * again, **changes))
    return Material(tuple(runs), {f"{index:064x}": manifest(index) for index in range(len(_VARIANTS))}, (attention(),))


def hostile() -> Material:
    """Names that try to become markup."""
    text = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&$x_1$ |"
    run = make_run(
        0,
        artifact=f"out/{text.replace('/', '')}.onnx",
        board=text,
        git_commit=text,
        verdict=RunVerdict("suspect", (text,)),
    )
    manifest = {"parity": {"verdict": text, "outputs": [{"name": text}]}, "quantization": {text: text}}
    layer = {**attention().layers[0], "layer": text}
    return Material((run,), {f"{0:064x}": manifest}, (AttentionFile(text, text, (layer,)),))
