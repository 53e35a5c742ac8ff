"""Measures and draws: ``python -m benchmarks.gain --data CIFAR10`` writes results.json; ``--draw`` only draws it again.

CIFAR10 is a folder with train/ and test/, a folder for each class in both. Time: the processor's time for one image, ONNX
Runtime, one thread; all files run in turns in one process. On a machine with other programs it is what the clock would show if
they did not run. Accuracy: over the test images; ``--time`` measures the time again and keeps the accuracies.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

CHECKPOINT = "cifar10-v1x0.25-eam-rcr"
BUDGET = 0.5
RESULTS = Path(__file__).with_name("results.json")
FIGURE = Path(__file__).parents[2] / "docs" / "images" / "gain.svg"
LABELS = {
    "textbook": "as usually exported",
    "exact": "eamdeploy, exact",
    "budget": f"eamdeploy, --budget {BUDGET:g}",
    "static": "static twin (not trained)",
}
_COLOURS = {"textbook": "#8a93a0", "exact": "#2f7de1", "budget": "#0b9a6d", "static": "#c3c9d1"}


def export_all(folder: Path, calibration: Path) -> dict[str, Path]:
    """The four files."""
    import eamdeploy
    from benchmarks.export.textbook import export_textbook
    from benchmarks.frontier.variants import static_twin
    from eamdeploy.networks.checkpoint import load_checkpoint
    from eamdeploy.pipeline.export import ExportOptions

    def one(checkpoint: str, name: str, **settings: Any) -> Path:
        options = ExportOptions(name=name)
        return Path(eamdeploy.export(checkpoint, folder, formats=["onnx"], options=options, **settings)[0].path)

    loaded = load_checkpoint(CHECKPOINT)
    export_textbook(loaded.network, folder / "textbook.onnx", loaded.spec.input_px)
    twin = static_twin(CHECKPOINT, folder / "twin.safetensors")
    return {
        "textbook": folder / "textbook.onnx",
        "exact": one(CHECKPOINT, "exact"),
        "budget": one(CHECKPOINT, "budget", budget=BUDGET, calibration=calibration),
        "static": one(str(twin), "static"),
    }


def prepared(data: Path, limit: int | None) -> tuple[Any, list[int]]:
    """The test images as the checkpoint prepares them, and their classes by its numbers."""
    from eamdeploy.data import open_dataset
    from eamdeploy.data.preprocessing import Preprocessing
    from eamdeploy.networks.checkpoint import load_checkpoint

    loaded = load_checkpoint(CHECKPOINT)
    images = open_dataset(data / "test", "test")
    preprocessing = Preprocessing.from_dict(loaded.preprocessing)
    order = [loaded.classes.index(name) for name in images.classes]
    indices = range(0, len(images), max(1, len(images) // limit) if limit else 1)
    pixels = np.stack([preprocessing.apply(images.image(index)) for index in indices])
    return pixels, [order[images.label(index)] for index in indices]


def measure(
    files: dict[str, Path], pixels: Any, labels: list[int], rounds: int, known_scores: dict[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Median and quartiles of each file's time, and top-1 where the network was trained, from ``known_scores`` if given."""
    from runtimes.protocol import RuntimeOptions
    from runtimes.registry import get_runtime

    sessions = {name: get_runtime("onnxruntime").load(file, RuntimeOptions(threads=1)) for name, file in files.items()}
    samples: dict[str, list[float]] = {name: [] for name in sessions}
    for round_ in range(rounds + 20):
        for name, session in sessions.items():
            started = time.process_time_ns()
            session.run(pixels[round_ % len(pixels)][None])
            if round_ >= 20:  # the first ones warm up
                samples[name].append((time.process_time_ns() - started) / 1e6)
    rows: dict[str, dict[str, Any]] = {}
    for name, session in sessions.items():
        low, median, high = statistics.quantiles(samples[name], n=4)
        rows[name] = {"p50_ms": round(median, 4), "p25_ms": round(low, 4), "p75_ms": round(high, 4), "top1": None}
        rows[name]["bytes"] = files[name].stat().st_size
        if known_scores is not None:
            rows[name]["top1"] = known_scores[name]["top1"]
        elif name != "static":
            hits = sum(
                int(np.argmax(_scores(session, image))) == label for image, label in zip(pixels, labels, strict=True)
            )
            rows[name]["top1"] = round(100 * hits / len(labels), 2)
    return rows


def _scores(session: Any, image: Any) -> Any:
    scores = session.run(image[None])
    first = (
        scores[0]
        if isinstance(scores, list | tuple)
        else next(iter(scores.values()))
        if isinstance(scores, dict)
        else scores
    )
    return np.asarray(first).ravel()


def draw(document: dict[str, Any], path: Path) -> None:
    """Bars of latency, slowest first, with the accuracy beside each."""
    import matplotlib
    from matplotlib.figure import Figure

    settings = {
        "svg.hashsalt": "gain", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11,
        "font.sans-serif": ["DejaVu Sans"],
    }  # fmt: skip
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(8.4, 2.6), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        names = [*LABELS]
        rows = [document["rows"][name] for name in names]
        axes.barh(
            range(len(names)), [row["p50_ms"] for row in rows], color=[_COLOURS[name] for name in names], height=0.68
        )
        exact = document["rows"]["textbook"]["p50_ms"]
        for position, row in enumerate(rows):
            accuracy = f", {row['top1']:.2f} % top-1" if row["top1"] is not None else ""
            axes.text(row["p50_ms"] + 0.012 * exact, position, f"{row['p50_ms']:.2f} ms{accuracy}", va="center")
        axes.set_yticks(range(len(names)), [LABELS[name] for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, 1.38 * max(row["p50_ms"] for row in rows))
        axes.set_xlabel("processor time of one image, ms (ONNX Runtime, one thread)")
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", length=0)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def main() -> None:
    """Measure unless only drawing is asked for; draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--calibration", type=Path, help="images to spend the budget on; default: the training images")
    parser.add_argument("--out", type=Path, default=Path("out/gain"))
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--limit", type=int, help="test images; default: all")
    parser.add_argument("--time", action="store_true", help="measure the time again, and keep the accuracies")
    parser.add_argument("--draw", action="store_true", help="draw results.json again, and measure nothing")
    options = parser.parse_args()
    if not options.draw:
        if options.data is None:
            parser.error("--data is needed to measure")
        options.out.mkdir(parents=True, exist_ok=True)
        files = {name: options.out / f"{name}.onnx" for name in LABELS}
        if not all(file.exists() for file in files.values()):
            files = export_all(options.out, options.calibration or options.data / "train")
        before = json.loads(RESULTS.read_text("utf-8")) if options.time else None
        pixels, labels = prepared(options.data, 200 if options.time else options.limit)
        rows = measure(files, pixels, labels, options.rounds, before and before["rows"])
        document = {"checkpoint": CHECKPOINT, "machine": "x86-64 with AVX-512, 2 cores shared with other processes",
                    "rounds": options.rounds, "images": before["images"] if before else len(labels), "rows": rows}  # fmt: skip
        RESULTS.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    draw(json.loads(RESULTS.read_text("utf-8")), FIGURE)


if __name__ == "__main__":
    main()
