"""Instructions of one inference on an emulated board, static, exact dynamic and within a budget, in every format; kept as data.

    python -m benchmarks.export.instructions --out benchmarks/export/instructions-pi4.json [--device pi4] [--network "x0.25, 32 px"]
        [--convolutions static "exact dynamic" "budget 0.1"]

The emulated CPU's clock counts instructions: they are ARM's own, and the same on every boot. They are no time: memory is not
in them; the bytes that the operators read stand beside them, summed over the file's operators. Widths and sizes are those of the
paper's MobileNetV1 (x1.0, 224 px) and of the shipped networks (x0.25, 32 px), with random weights. A budget is a trained network's:
the shipped one, searched and confirmed on the bundled images, beside its static twin. Counts of other boards, networks and
convolutions that --out holds already are kept, so that the table can be made in parts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import eamdeploy
from benchmarks.frontier.variants import static_twin
from devices.latency.graph.extract import extract_features
from eamdeploy.base.files import atomic_write_text
from eamdeploy.data import embedded_sample
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions

IMAGES = 8  # of each verification
BUDGET = 0.1
FORMATS = ("onnx", "tflite", "ncnn", "mnn")
SIZES = {"x1.0, 224 px": (1.0, 224, 100), "x0.25, 32 px": (0.25, 32, 10)}
SHIPPED = "fashion-mnist-v1x0.25-eam-rcr"
NETWORKS = (*SIZES, SHIPPED)
STATIC, EXACT, WITHIN_BUDGET = "static", "exact dynamic", f"budget {BUDGET}"
CONVOLUTIONS = (STATIC, EXACT, WITHIN_BUDGET)


def export(device: str, name: str, kind: str, folder: Path) -> list[Any]:
    """The artifacts of one of `NETWORKS` with one of `CONVOLUTIONS`, in all formats."""
    target = folder / f"{device}-{kind.replace(' ', '-')}"
    options = ExportOptions(images=IMAGES, name=target.name)
    if kind == WITHIN_BUDGET:
        pictures = write_pictures(folder / "pictures")
        return list(
            eamdeploy.export(
                SHIPPED, target, formats=FORMATS, device=device, options=options, budget=BUDGET, calibration=pictures
            )
        )
    checkpoint: Path | str = SHIPPED
    if name == SHIPPED and kind == STATIC:
        checkpoint = static_twin(SHIPPED, folder / "twin.safetensors")
    elif name != SHIPPED:
        width, side, classes = SIZES[name]
        conv = "static" if kind == STATIC else "eam"
        spec = ArchSpec(arch="mobilenet_v1", width=width, conv=conv, input_px=side, classes=classes)
        checkpoint = write_random(spec, folder / f"{conv}-{side}.safetensors")
    return list(eamdeploy.export(checkpoint, target, formats=FORMATS, device=device, options=options))


def write_pictures(folder: Path) -> Path:
    """The bundled images, one folder for each class."""
    images = embedded_sample()
    for index in range(len(images)):
        place = folder / images.classes[images.label(index)]
        place.mkdir(parents=True, exist_ok=True)
        images.image(index).save(place / f"{index:03}.png")
    return folder


def count(device: str, name: str, kinds: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """A line for each kind of convolution and format."""
    kinds_and_artifacts = [(kind, artifact) for kind in kinds for artifact in export(device, name, kind, folder)]
    artifacts = [artifact for _, artifact in kinds_and_artifacts]
    report = eamdeploy.bench(artifacts, device, instructions=True, keep=False)
    if len(report.runs) != len(artifacts):
        raise SystemExit(f"not every artifact ran: {report.failures}")
    return [
        {
            "device": device,
            "network": name,
            "convolutions": kind,
            "runtime": f"{run.provenance.runtime} {run.provenance.runtime_version}",
            "lowerings": sorted({entry.lowering for entry in artifact.plan.layers}),
            "instructions": run.instructions,
            "read_bytes": read_bytes(artifact.path),
            "file_bytes": run.bytes,
        }
        for (kind, artifact), run in zip(kinds_and_artifacts, report.runs, strict=True)
    ]


def read_bytes(path: Path) -> int:
    """Bytes of constants and maps that the operators of a file read in one inference."""
    return sum(r.weight_bytes + r.inputs * r.element_bytes for r in extract_features(path).records)


def merged(before: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both, a new line in the place of an old one of the same board, network, convolutions and runtime."""

    def key(row: Mapping[str, Any]) -> tuple[str, ...]:
        return row["device"], row["network"], row["convolutions"], row["runtime"]

    return list(({key(row): row for row in before} | {key(row): row for row in new}).values())


def table(rows: Sequence[Mapping[str, Any]], device: str) -> list[str]:
    """The lines of a Markdown table: millions of instructions, the ratio to static, and MB that the operators read."""
    of_device = [row for row in rows if row["device"] == device]
    kinds = [kind for kind in CONVOLUTIONS[1:] if any(row["convolutions"] == kind for row in of_device)]
    titles = ["network", "runtime", STATIC, *(title for kind in kinds for title in (kind, "ratio"))]
    titles += ["MB read, static", "exact"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name, runtime in dict.fromkeys((row["network"], row["runtime"]) for row in of_device):
        by_kind = {r["convolutions"]: r for r in of_device if (r["network"], r["runtime"]) == (name, runtime)}
        base = by_kind[STATIC]["instructions"]
        cells = [name, runtime, f"{base / 1e6:.1f}"]
        for kind in kinds:
            row = by_kind.get(kind)
            cells += (
                ["", ""] if row is None else [f"{row['instructions'] / 1e6:.1f}", f"{row['instructions'] / base:.2f}"]
            )
        cells += [f"{by_kind[kind]['read_bytes'] / 1e6:.0f}" for kind in (STATIC, EXACT)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", nargs="+", default=["pi4", "pi5"])
    parser.add_argument("--network", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--convolutions", nargs="+", default=list(CONVOLUTIONS), choices=CONVOLUTIONS)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.is_file() else []
    for device in arguments.device:
        for name in arguments.network:
            with tempfile.TemporaryDirectory() as folder:
                kinds = [k for k in arguments.convolutions if name == SHIPPED or k != WITHIN_BUDGET]
                new = count(device, name, kinds, Path(folder))
            rows = merged(rows, new)
            atomic_write_text(arguments.out, json.dumps(rows, indent=1) + "\n")
        print("\n".join(table(rows, device)), flush=True)


if __name__ == "__main__":
    main()
