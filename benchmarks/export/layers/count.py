"""Instructions and bytes read of every form of a layer of each kind, alone, on an emulated board, in every runtime; kept as data.

    python -m benchmarks.export.layers.count --out benchmarks/export/layers/pi4.json [--device pi4]
        [--runtime onnxruntime litert ncnn mnn] [--layer stem depthwise pointwise "small pointwise"]

Each form of a layer is an artifact of its own, with the attention and an activation; ``static`` is a constant convolution in its
place. Rows of other boards, runtimes and layers that --out holds already are kept, so that the table can be made in parts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

import eamdeploy
from benchmarks.export.instructions import read_bytes
from eamdeploy.base.files import atomic_write_text
from eamdeploy.networks.layers.rewritten import collapsed_conv
from eamdeploy.networks.random_init import random_network
from eamdeploy.networks.spec import ArchSpec
from export.exporter.registry import get_exporter
from export.exporter.request import ExportRequest
from export.lowerings.base import LayerSite
from export.lowerings.fold import fold_batchnorm
from export.planning.costs import measure_layer
from export.planning.sites import find_sites
from export.planning.target import RUNTIME_FORMATS, Target
from export.registry import get_lowering, lowering_names
from runtimes.readers.formats import FORMATS

STATIC = "static"
LARGE, SMALL = ArchSpec(arch="mobilenet_v1", classes=100), ArchSpec(arch="mobilenet_v1", width=0.25, input_px=32)
# of MobileNetV1 x1.0 at 224 px one of each kind, and the last of x0.25 at 32 px
LAYERS = {
    "stem": (LARGE, "stem.conv"),
    "depthwise": (LARGE, "blocks.4.depthwise.conv"),
    "pointwise": (LARGE, "blocks.7.pointwise.conv"),
    "small pointwise": (SMALL, "blocks.12.pointwise.conv"),
}


class ArtifactKeeper:
    """A timer that times nothing and keeps the artifacts."""

    where, machine = "an emulated board", "aarch64"

    def __init__(self, folder: Path, prefix: str) -> None:
        self.folder, self.prefix = folder, prefix
        self.artifacts: dict[str, Path] = {}

    def identity(self, runtime: str) -> Mapping[str, str]:
        """Nothing: no times are remembered."""
        del runtime
        return {}

    def time(self, artifacts: Mapping[str, Path], target: Target, rounds: int) -> dict[str, float]:
        """Copy the files."""
        del rounds
        form = FORMATS[RUNTIME_FORMATS[target.runtime]]
        for name, path in artifacts.items():
            copy = self.folder / form.file_name(f"{self.prefix}-{name}")
            shutil.copyfile(path, copy)
            if target.runtime == "ncnn":
                shutil.copyfile(path.with_suffix(".bin"), copy.with_suffix(".bin"))
            self.artifacts[name] = copy
        return dict.fromkeys(artifacts, 0.0)


def layer_site(title: str) -> LayerSite:
    """One of `LAYERS`."""
    spec, path = LAYERS[title]
    sites = find_sites(fold_batchnorm(random_network(spec)), (3, spec.input_px, spec.input_px))
    return next(site for site in sites if site.path == path)


def write_forms(site: LayerSite, target: Target, folder: Path, prefix: str) -> dict[str, Path]:
    """Every form that serves the layer, and a constant convolution."""
    keeper = ArtifactKeeper(folder, prefix)
    serving = tuple(name for name in lowering_names() if get_lowering(name).applies(site, target) is None)
    measure_layer(site, target, serving, 1, keeper)
    layer, exporter = site.layer, get_exporter(RUNTIME_FORMATS[target.runtime])
    path = folder / FORMATS[exporter.format].file_name(f"{prefix}-{STATIC}")
    module = nn.Sequential(collapsed_conv(layer), nn.ReLU()).eval().requires_grad_(False)
    shape = (layer.in_channels, *site.input_hw)
    exporter(module, path, ExportRequest(shape, batch=1, simplify=False, machine=target.machine))
    return {STATIC: path, **keeper.artifacts}


def count(device: str, runtimes: Sequence[str], titles: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each runtime, layer and form."""
    with tempfile.TemporaryDirectory() as name:
        forms = []
        for title in titles:
            site = layer_site(title)
            for runtime in runtimes:
                prefix = f"{runtime}-{title.replace(' ', '-')}"
                target = Target(runtime, machine="aarch64")
                written = write_forms(site, target, Path(name), prefix)
                forms += [(runtime, title, site, form, path) for form, path in written.items()]
        report = eamdeploy.bench([path for *_, path in forms], device, accuracy=False, instructions=True, keep=False)
        counted = {Path(run.artifact).name: run for run in report.runs}
        if len(counted) != len(forms):
            raise SystemExit(f"not every form ran: {report.failures}")
        return [
            {
                "device": device,
                "runtime": f"{runtime} {counted[path.name].provenance.runtime_version}",
                "layer": title,
                "bank": list(site.layer.bank.shape),
                "input": list(site.input_hw),
                "stride": max(site.layer.stride),
                "form": form,
                "instructions": counted[path.name].instructions,
                "read_bytes": read_bytes(path),
            }
            for runtime, title, site, form, path in forms
        ]


def merged(before: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both, a new row in the place of an old one of the same board, runtime, layer and form."""

    def by_key(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
        return {(row["device"], row["runtime"], row["layer"], row["form"]): row for row in rows}

    return list((by_key(before) | by_key(new)).values())


def table(rows: Sequence[Mapping[str, Any]], device: str) -> list[str]:
    """The lines of a Markdown table: millions of instructions of each form; nothing where a form does not serve."""
    of_device = [row for row in rows if row["device"] == device]
    forms = [form for form in (STATIC, *lowering_names()) if any(row["form"] == form for row in of_device)]
    lines = [f"| layer | runtime | {' | '.join(forms)} |", "|---" * (2 + len(forms)) + "|"]
    for layer, runtime in sorted(
        {(row["layer"], row["runtime"]) for row in of_device}, key=lambda pair: (list(LAYERS).index(pair[0]), pair[1])
    ):
        counts = {r["form"]: r["instructions"] for r in of_device if (r["layer"], r["runtime"]) == (layer, runtime)}
        cells = [f"{counts[form] / 1e6:.2f}" if form in counts else "" for form in forms]
        lines.append(f"| {layer} | {runtime} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="pi4")
    parser.add_argument("--runtime", nargs="+", default=list(RUNTIME_FORMATS), choices=list(RUNTIME_FORMATS))
    parser.add_argument("--layer", nargs="+", default=list(LAYERS), choices=list(LAYERS))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    before = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.is_file() else []
    rows = merged(before, count(arguments.device, arguments.runtime, arguments.layer))
    atomic_write_text(arguments.out, json.dumps(rows, indent=1) + "\n")
    print("\n".join(table(rows, arguments.device)))


if __name__ == "__main__":
    main()
