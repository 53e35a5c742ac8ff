"""Instructions of one inference on an emulated board, static and exact dynamic, in every format; kept as data.

    python -m benchmarks.export.instructions --out benchmarks/export/data/instructions.json

The emulated CPU's clock counts instructions: they are ARM's own, and the same on every boot. They are no time: memory is not
in them. Widths and sizes are those of the paper's MobileNetV1 (x1.0, 224 px) and of the shipped networks (x0.25, 32 px).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import eamdeploy
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions

IMAGES = 8  # of each verification
FORMATS = ("onnx", "tflite", "ncnn", "mnn")
NETWORKS = {"x1.0, 224 px": (1.0, 224, 100), "x0.25, 32 px": (0.25, 32, 10)}


def count(device: str, name: str, folder: Path) -> list[dict[str, object]]:
    width, side, classes = NETWORKS[name]
    artifacts, kinds = [], []
    for conv in ("static", "eam"):
        spec = ArchSpec(arch="mobilenet_v1", width=width, conv=conv, input_px=side, classes=classes)
        checkpoint = write_random(spec, folder / f"{conv}-{side}.safetensors")
        options = ExportOptions(images=IMAGES)
        artifacts += eamdeploy.export(
            checkpoint, folder / f"{conv}-{side}", formats=FORMATS, device=device, options=options
        )
        kinds += [conv] * len(FORMATS)
    report = eamdeploy.bench(artifacts, device, instructions=True, keep=False)
    if len(report.runs) != len(artifacts):
        raise SystemExit(f"not every artifact ran: {report.failures}")
    rows = []
    for kind, artifact, run in zip(kinds, artifacts, report.runs, strict=True):
        rows.append(
            {
                "device": device,
                "network": name,
                "convolutions": "static" if kind == "static" else "exact dynamic",
                "runtime": f"{run.provenance.runtime} {run.provenance.runtime_version}",
                "lowerings": sorted({entry.lowering for entry in artifact.plan.layers}),
                "instructions": run.instructions,
                "bytes": run.bytes,
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", nargs="+", default=["pi4"])
    parser.add_argument("--network", nargs="+", default=list(NETWORKS))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for device in arguments.device:
            for name in arguments.network:
                rows += count(device, name, Path(folder))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
