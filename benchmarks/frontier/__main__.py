"""See the package's docstring."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from benchmarks.frontier.measure import answers, instructions, latencies
from benchmarks.frontier.report import plot, write_table
from benchmarks.frontier.variants import EXACT, STATIC, FrontierVariant, VariantOptions, make_variant, static_twin
from eamdeploy.data import open_labelled
from eamdeploy.data.class_map import read_class_map
from eamdeploy.data.dataset import take
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.zoo.shipped import shipped_names

FORMATS = ("onnx", "tflite")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", action="append", default=[], help="PREFIX=DIR: images of the checkpoints whose name starts so"
    )
    parser.add_argument("--checkpoint", action="append", default=[], help="NAME=FILE: one more network")
    parser.add_argument("--budgets", default="0.05,0.1,0.5")
    parser.add_argument("--precisions", default="fp32,int8")
    parser.add_argument("--minimize", default="latency", help="latency, size or instructions")
    parser.add_argument("--finetune", type=int, default=0, metavar="EPOCHS", help="each budget also with fine-tuning")
    parser.add_argument("--class-map", type=Path, help="from the data's classes to the network's")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--limit", type=int, default=10_000, help="test images")
    parser.add_argument("--instructions", metavar="DEVICE", help="count them on this emulated board, e.g. pi4")
    parser.add_argument("--out", type=Path, default=Path("out/frontier"))
    return parser.parse_args()


def _cases(arguments: argparse.Namespace) -> list[tuple[str, str, Path]]:
    """(name, checkpoint, data) of every network that data was given for."""
    folders = dict(entry.partition("=")[::2] for entry in arguments.data)
    networks = {name: name for name in shipped_names()}
    networks |= dict(entry.partition("=")[::2] for entry in arguments.checkpoint)
    cases = []
    for name, checkpoint in networks.items():
        prefix = next((prefix for prefix in folders if name.startswith(prefix)), None)
        if prefix is not None:
            cases.append((name, checkpoint, Path(folders[prefix])))
    return cases


def _variants(checkpoint: str, data: Path, out: Path, arguments: argparse.Namespace) -> list[FrontierVariant]:
    twin = static_twin(checkpoint, out / "static" / "twin.safetensors")
    options = VariantOptions(arguments.precisions, arguments.minimize, arguments.class_map)
    new_variants = [
        make_variant(STATIC, str(twin), data, out / "static", options),
        make_variant(EXACT, checkpoint, data, out / "exact", options),
    ]
    for budget in arguments.budgets.split(","):
        for epochs in dict.fromkeys((0, arguments.finetune)):
            name = f"budget {budget}" + (f", {epochs} epochs" if epochs else "")
            folder = out / name.replace(", ", "-").replace(" ", "-")
            variant = make_variant(name, checkpoint, data, folder, options, budget=float(budget), finetune=epochs)
            new_variants.append(variant)
    return new_variants


def _measure(name: str, checkpoint: str, data: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    variants = _variants(checkpoint, data, arguments.out / name, arguments)
    mapping = None if arguments.class_map is None else read_class_map(arguments.class_map)
    test = take(open_labelled(data, "test", load_checkpoint(checkpoint).classes, mapping), arguments.limit)
    rows = []
    for kind in FORMATS:
        for precision in arguments.precisions.split(","):
            key = (kind, precision)
            format_variants = [variant for variant in variants if key in variant.artifacts]
            paths = [variant.artifacts[key] for variant in format_variants]
            timed = latencies(paths, arguments.rounds)
            exact = next(variant.artifacts[key] for variant in format_variants if variant.name == EXACT)
            reference = 0.0
            for variant, path, latency in zip(format_variants, paths, timed, strict=True):
                top1 = None
                if variant.name != STATIC:  # the twin's weights are random
                    answer, label = answers(path, test)
                    top1 = 100 * float((answer == label).mean())
                    reference = top1 if variant.name == EXACT else reference
                rows.append(
                    {
                        "network": name,
                        "variant": variant.name,
                        "format": kind,
                        "precision": precision,
                        "top1": top1,
                        "drop_points": None if top1 is None else reference - top1,
                        "images": len(test),
                        "bytes": path.stat().st_size,
                        "size_of_exact": path.stat().st_size / exact.stat().st_size,
                        "p10_ms": latency["p10_ms"],
                        "of_static": latency["ratio"],
                        "instructions": instructions(path, arguments.instructions) if arguments.instructions else None,
                        "choices": None if variant.budget is None else variant.budget["sentence"],
                    }
                )
    return rows


def main() -> None:
    """Run every case and write the results."""
    arguments = _arguments()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cases = _cases(arguments)
    if not cases:
        raise SystemExit("give --data PREFIX=DIR for at least one checkpoint; shipped: " + ", ".join(shipped_names()))
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = [row for case in cases for row in _measure(*case, arguments)]
    (arguments.out / "results.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    conditions = (
        f"One thread, batch 1, {arguments.rounds} rounds in turn; ratios to the static twin are medians within rounds."
    )
    write_table(rows, arguments.out / "results.md", conditions)
    plot(rows, arguments.out / "frontier.svg")
    print((arguments.out / "results.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
