"""EAM MobileNetV1 x1.0, 224 px, fp32, one thread: static and exact dynamic in every runtime, one interleaved run in one process.

python -m benchmarks.export.runtimes --out build/runtimes [--rounds 30]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import eamdeploy
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions
from runtimes.batching import sample_feeds
from runtimes.protocol import RuntimeOptions
from runtimes.readers.formats import FORMATS
from runtimes.registry import runtime_for

WARM_UP, IMAGES = 3, 8
# name, format, device to plan for
FORMS = (
    ("ONNX Runtime, portable", "onnx", None),
    ("ONNX Runtime, for this host", "onnx", "host"),
    ("LiteRT", "tflite", None),
    ("ncnn", "ncnn", None),
    ("MNN", "mnn", None),
)


def prepare(folder: Path) -> dict[tuple[str, str], Path]:
    files = {}
    for conv in ("static", "eam"):
        checkpoint = folder / f"{conv}.safetensors"
        if not checkpoint.exists():
            write_random(ArchSpec(arch="mobilenet_v1", conv=conv, classes=100, input_px=224), checkpoint)
        for name, form, device in FORMS:
            label = f"{conv}-{device or 'any'}"
            path = folder / FORMATS[form].file_name(label)
            if not path.exists():
                options = ExportOptions(name=label, images=IMAGES)
                eamdeploy.export(checkpoint, folder, formats=[form], device=device, options=options)
            files[name, conv] = path
    return files


def measure(files: dict[tuple[str, str], Path], rounds: int) -> dict[tuple[str, str], float]:
    sessions = {key: runtime_for(path).load(path, RuntimeOptions()) for key, path in files.items()}
    calls = {key: session.timed_call(sample_feeds(session.inputs)) for key, session in sessions.items()}
    samples: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    for turn in range(rounds + WARM_UP):
        for key, call in calls.items():
            call()  # the others have emptied the caches
            started = time.perf_counter_ns()
            call()
            if turn >= WARM_UP:
                samples[key].append((time.perf_counter_ns() - started) / 1e6)
    return {key: round(statistics.quantiles(times, n=10)[0], 2) for key, times in samples.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    times = measure(prepare(arguments.out), arguments.rounds)
    rows = []
    for name, _, _ in FORMS:
        static, exact = times[name, "static"], times[name, "eam"]
        rows.append({"runtime": name, "static_ms": static, "exact_ms": exact, "ratio": round(exact / static, 2)})
        print(f"{name:30} {static:7.2f} {exact:7.2f} {exact / static:5.2f}x", flush=True)
    (arguments.out / "runtimes.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
