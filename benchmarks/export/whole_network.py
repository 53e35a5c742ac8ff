"""EAM MobileNetV1 x1.0, 224 px, 100 classes, fp32, batch 1, one thread: latency beside its static twin and the textbook export.

    python -m benchmarks.export.whole_network --out build/whole-network [--rounds 60] [--processes 3]

All files of a runtime run interleaved in one process, so that whatever else the machine does hits all of them alike. Each
process is one row of samples; the table gives the median over processes of the ratio of 10th percentiles.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions, export_checkpoint

SIDE = 224
RACES = (
    ("onnxruntime", ("static.onnx", "eam.onnx")),
    ("onnxruntime", ("static.onnx", "eam-blocked.onnx")),
    ("onnxruntime", ("eam.onnx", "textbook.onnx")),
    ("onnxruntime", ("eam-blocked.onnx", "textbook.onnx")),
    ("litert", ("static.tflite", "eam.tflite")),
)


def prepare(folder: Path) -> dict[str, float]:
    """Export what is not there yet; seconds per file."""
    seconds = {}
    nets = {}
    for conv in ("static", "eam"):
        path = folder / f"{conv}.safetensors"
        if not path.exists():
            write_random(ArchSpec(conv=conv, classes=100, input_px=SIDE), path)
        nets[conv] = load_checkpoint(path)
    cases = [
        ("static", "onnx", "auto"),
        ("static", "tflite", "auto"),
        ("eam", "onnx", "auto"),
        ("eam", "tflite", "auto"),
    ]
    cases.append(("eam", "onnx", "blocked"))
    for conv, form, lowering in cases:
        name = conv if lowering == "auto" else f"{conv}-{lowering}"
        if not (folder / f"{name}.{form}").exists():
            started = time.perf_counter()
            export_checkpoint(nets[conv], folder, ExportOptions(formats=(form,), lowering=lowering, name=name))
            seconds[f"{name}.{form}"] = round(time.perf_counter() - started, 1)
    if not (folder / "textbook.onnx").exists():
        from benchmarks.export.textbook import export_textbook

        started = time.perf_counter()
        export_textbook(nets["eam"].network, folder / "textbook.onnx", SIDE)
        seconds["textbook.onnx"] = round(time.perf_counter() - started, 1)
    return seconds


def race(runtime: str, files: list[Path], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every inference of every file, interleaved."""
    import numpy as np

    from runtimes.protocol import RuntimeOptions
    from runtimes.registry import get_runtime

    image = np.random.default_rng(0).standard_normal((1, 3, SIDE, SIDE), dtype=np.float32)
    sessions = {file.name: get_runtime(runtime).load(file, RuntimeOptions(threads=1)) for file in files}
    samples: dict[str, list[float]] = {name: [] for name in sessions}
    for turn in range(rounds + 5):
        for name, session in sessions.items():
            started = time.perf_counter_ns()
            session.run(image)
            if turn >= 5:
                samples[name].append((time.perf_counter_ns() - started) / 1e6)
    return samples


def compare(folder: Path, runtime: str, names: tuple[str, str], *, rounds: int, processes: int) -> dict[str, Any]:
    """Race two files of ``folder`` in several processes; the row of the table."""
    ratios, lows = [], []
    for _ in range(processes):
        command = [sys.executable, "-m", "benchmarks.export.whole_network", "--out", str(folder)]
        command += ["--rounds", str(rounds), "--race", runtime, *names]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        samples = json.loads(output.splitlines()[-1])
        low = [statistics.quantiles(samples[name], n=10)[0] for name in names]
        lows.append(low)
        ratios.append(low[1] / low[0])
    p10 = [round(statistics.median(values), 2) for values in zip(*lows, strict=True)]
    return {"runtime": runtime, "files": names, "p10_ms": p10, "ratio": round(statistics.median(ratios), 3),
            "ratios": [round(ratio, 3) for ratio in ratios]}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--race", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.race:
        runtime, *names = arguments.race
        print(json.dumps(race(runtime, [arguments.out / name for name in names], arguments.rounds)))
        return
    seconds = prepare(arguments.out)
    rows = []
    for runtime, names in RACES:
        rows.append(compare(arguments.out, runtime, names, rounds=arguments.rounds, processes=arguments.processes))
        print(rows[-1])
    files = [file for file in sorted(arguments.out.iterdir()) if file.suffix in {".onnx", ".tflite"}]
    megabytes = {file.name: round(file.stat().st_size / 1e6, 1) for file in files}
    document = {"rows": rows, "export_seconds": seconds, "megabytes": megabytes}
    (arguments.out / "whole-network.json").write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document["export_seconds"]), json.dumps(document["megabytes"]))


if __name__ == "__main__":
    main()
