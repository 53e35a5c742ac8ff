"""Writes the published MobileNets as real .onnx and .tflite files, by the project's own networks and exporters.

    python -m benchmarks.latency.gather.artifacts --csv published.csv --out DIR

Files that are there already are kept; a file is exported at about the speed of the converter (5 to 20 s each).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

CLASSES = 1001  # the TensorFlow files have a background class


def spec_for(model: str, width: str, input_px: str) -> dict[str, object] | None:
    """The network that is the published ``model``, as fields of an ArchSpec; None where the project has none."""
    # torchvision's and the papers' "mobilenet_v3" without a size is the large one
    arch = "mobilenet_v3_large" if model == "mobilenet_v3" else model
    if arch not in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"):
        return None
    return {"arch": arch, "width": float(width or 1), "conv": "static", "classes": CLASSES, "input_px": int(input_px)}


def file_name(fields: dict[str, object]) -> str:
    """A name that says what is inside; without suffix."""
    return f"{fields['arch']}-{fields['width']}-{fields['input_px']}"


def write(fields: dict[str, object], out: Path, formats: tuple[str, ...] = ("onnx", "tflite")) -> list[Path]:
    """Export one network to ``out``; returns its files."""
    from eamdeploy.networks.architectures.build import build
    from eamdeploy.networks.spec import ArchSpec
    from export.exporter.registry import get_exporter
    from export.exporter.request import ExportRequest
    from export.planning.lower import lower
    from export.planning.plan import plan_network
    from export.planning.sites import find_sites
    from export.planning.target import Target

    spec = ArchSpec(**fields)
    network, shape, written = build(spec), (spec.in_channels, spec.input_px, spec.input_px), []
    for form in formats:
        path = out / f"{file_name(fields)}{'' if spec.conv == 'static' else '-' + spec.conv}.{form}"
        if not path.exists():
            exporter = get_exporter(form)
            plan = plan_network(network, Target(runtime=exporter.runtime), shape)
            layers = tuple(site.path for site in find_sites(network, shape))
            lowered = lower(network, plan)
            exporter(lowered, path, ExportRequest(shape, layers=layers))
            exporter.attach_metadata(
                path,
                {
                    "schema_version": 1,
                    "name": path.stem,
                    "format": form,
                    "precision": "fp32",
                    "architecture": spec.to_dict(),
                    "plan": plan.to_list(),
                },
            )
        written.append(path)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with options.csv.open(newline="", encoding="utf-8") as file:
        networks = sorted({(row["model"], row["width"], row["input_px"]) for row in csv.DictReader(file)})
    for model, width, input_px in networks:
        fields = spec_for(model, width, input_px)
        if fields is not None:
            for path in write(fields, options.out):
                print(path, flush=True)


if __name__ == "__main__":
    main()
