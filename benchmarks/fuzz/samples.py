"""A good input of every kind, to be damaged."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def run() -> dict[str, Any]:
    from tests.eamdeploy.runs.store.crafted import GOOD

    return GOOD


def exported_runs(_: Path) -> bytes:
    lines = [{"format": "eamdeploy-runs", "format_version": 1}, {"run": run(), "manifest": manifest_document()}]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def packed_runs(folder: Path) -> bytes:
    return gzip.compress(exported_runs(folder))


def manifest_document() -> dict[str, Any]:
    return {
        "schema_version": 1, "name": "net", "checkpoint": {"name": "net", "sha256": "a" * 64}, "architecture": {},
        "classes": ["x", "y"], "preprocessing": {"size": 32},
        "artifacts": [{
            "file": "model.onnx", "format": "onnx", "precision": "fp32", "bytes": 3, "sha256": "ab" * 32,
            "parity": {"verdict": "passed", "images": 3, "flips": 0, "outputs": [{"name": "y", "snr_db": 90.0}]},
            "plan": [{"layer": "a", "kind": "full", "shape": [1, 2], "lowering": "x", "measured_ms": {"x": 1.0}}],
            "quantization": {"layers": [{"snr_db": 3.0}], "images": 3}, "notes": ["n"],
        }],
    }  # fmt: skip


PROBED = {
    "python": "3.11.2", "executable": "/usr/bin/python3", "platform": "linux-aarch64", "bits": 64, "numpy": "2.4.6",
    "pip": True, "venv": True, "onnxruntime": "1.32.0", "tflite_runtime": None,
    "readings": {"temperature_c": 48.3, "throttled": 0, "power_source": "PMIC", "clock_max_mhz": 2400.0, "load1": 0.1},
    "settings": {"governor": "performance"}, "problems": {"fan": "cannot be read"},
}  # fmt: skip
BUILDING = {
    "event": "building",
    "python": "/home/pi/e/bin/python",
    "home": "/usr/bin/python3",
    "scratch": "/home/pi/e/s",
}


def board_answer(message: dict[str, Any]) -> Callable[[Path], bytes]:
    def make(_: Path) -> bytes:
        from tests.devices.session.lying import honest

        return json.dumps(honest(message)).encode()

    return make


def artifact(suffix: str) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        from tests.runtimes import tiny_models

        path = folder / f"good{suffix}"
        if suffix == ".onnx":
            tiny_models.write_onnx(path, metadata=tiny_models.metadata())
        else:
            tiny_models.write_tflite(path, metadata=tiny_models.metadata(format="tflite", input_layout="NHWC"))
        return path.read_bytes()

    return make


def ncnn(_: Path) -> bytes:
    lines = (
        "7767517", "3 3", "Input input 0 1 input 0=2 1=2 2=1", "Reshape flat 1 1 input flat 0=4",
        "InnerProduct fc 1 1 flat scores 0=3 1=0 2=12", '# eamdeploy {"format": "ncnn", "name": "n"}', '# outputs ["scores"]',
    )  # fmt: skip
    return "\n".join(lines).encode()


def mnn(folder: Path) -> bytes:
    from export.mnn.converter import convert
    from export.tflite.exporter import append_metadata
    from tests.runtimes import tiny_models

    tiny_models.write_onnx(folder / "net.onnx")
    convert(folder / "net.onnx", folder / "net.mnn")
    append_metadata(folder / "net.mnn", {**tiny_models.metadata(), "format": "mnn"})
    return (folder / "net.mnn").read_bytes()


def training_state(folder: Path) -> bytes:
    import torch

    from eamdeploy.training.loop.state import TrainingState

    state = TrainingState(3, [{"loss": 1.0}], {"lr": 0.1}, weights={"a": torch.zeros(2)})
    state.save(folder / "state.safetensors")
    return (folder / "state.safetensors").read_bytes()


def checkpoint(_: Path) -> bytes:
    from eamdeploy.networks.zoo.shipped import resolve_checkpoint

    return resolve_checkpoint("fashion-mnist-v1x0.25-eam-rcr").read_bytes()


def attention(_: Path) -> bytes:
    layer = {
        "layer": "a",
        "movement": 0.1,
        "movement_max": 0.2,
        "effective_rank": 3.0,
        "distance": 0.1,
        "distance_max": 0.2,
    }
    document = {"schema": "eamdeploy/attention", "schema_version": 1, "checkpoint": "c", "images": 3, "data": "d"}
    return json.dumps({**document, "sentence": "s", "layers": [layer]}).encode()


def idx(_: Path) -> bytes:
    return bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4]) + bytes(32)


def picture(folder: Path) -> bytes:
    from PIL import Image

    path = folder / "good.png"
    Image.effect_noise((16, 16), 50).convert("RGB").save(path)
    return path.read_bytes()


def calibration(_: Path) -> bytes:
    from importlib import resources

    folder = resources.files("devices.latency").joinpath("data/calibrations")
    smallest = min(
        (file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda f: len(f.read_bytes())
    )
    return smallest.read_bytes()


def text(content: str | dict[str, Any]) -> Callable[[Path], bytes]:
    return lambda _: (content if isinstance(content, str) else json.dumps(content)).encode()


BOARDS = '[boards."a"]\nprofile = "pi4"\nhost = "pi@192.0.2.1:22"\npython = "python3"\n'


SETTINGS = (
    '[bench]\nthreads = 4\nruns = 3\nxnnpack = true\n[report]\nout = "r.html"\ntitle = "t"\n[gate]\ncurrent = ["a"]\n'
)


PREPROCESSING = {"size": 32, "mean": [0.5], "std": [0.5], "channels": 1}


MEASURE: dict[str, Any] = {"op": "measure", "id": 1, "worker": "w", "limits": {"min_samples": 10, "max_samples": 10}}


INFER: dict[str, Any] = {
    "op": "infer", "id": 1, "worker": "w", "pixels": "AAAA" * 64, "images": [1, 8, 8, 3], "scale": [1.0] * 3, "shift": [0.0] * 3,
}  # fmt: skip
