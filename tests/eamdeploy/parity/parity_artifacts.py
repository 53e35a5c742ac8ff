"""Export small networks to real artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eamdeploy.networks.checkpoint import Checkpoint, load_checkpoint
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from export.exporter.registry import get_exporter
from export.exporter.request import ExportRequest
from export.planning.lower import lower
from export.planning.plan import plan_network
from export.planning.target import Batch, Target

SMALL = ArchSpec(width=0.25, input_px=32, classes=10, seed=3)


@dataclass(frozen=True)
class Made:
    """An artifact and what it was made from."""

    path: Path
    checkpoint: Checkpoint


def make_artifact(folder: Path, fmt: str, spec: ArchSpec, batch: Batch = 1) -> Made:
    checkpoint = load_checkpoint(write_random(spec, folder / "net.safetensors"))
    exporter = get_exporter(fmt)
    shape = (spec.in_channels, spec.input_px, spec.input_px)
    plan = plan_network(checkpoint.network, Target(runtime=exporter.runtime, batch=batch), shape)
    layers = tuple(entry.layer for entry in plan.layers)
    request = ExportRequest(shape, batch, layers, simplify=False)
    written = exporter(lower(checkpoint.network, plan), folder / f"net.{fmt}", request)
    document = {
        "schema_version": 1,
        "name": "net",
        "format": fmt,
        "precision": "fp32",
        "architecture": spec.to_dict(),
        "classes": list(checkpoint.classes),
        "preprocessing": checkpoint.preprocessing,
        "plan": plan.to_list(),
        "checkpoint_sha256": checkpoint.sha256,
        "eamdeploy_version": "0",
        "input_layout": exporter.input_layout,
        "tensors": {kind: dict(group) for kind, group in written.tensors.items()},
    }
    exporter.attach_metadata(written.path, document)
    return Made(written.path, checkpoint)
