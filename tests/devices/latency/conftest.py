from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _no_calibrations_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own calibrations are no part of a test."""
    monkeypatch.setenv("EAMDEPLOY_CALIBRATIONS", str(tmp_path / "calibrations"))


@pytest.fixture(scope="session")
def export_network(tmp_path_factory: pytest.TempPathFactory):
    """Export a seeded network to ONNX; the same request gives the same file."""
    folder = tmp_path_factory.mktemp("artifacts")

    def write(conv: str = "static", lowering: str = "auto", batch: int | str = 1, **fields: object) -> Path:
        from eamdeploy.networks.architectures.build import build
        from eamdeploy.networks.spec import ArchSpec
        from export.exporter.registry import get_exporter
        from export.exporter.request import ExportRequest
        from export.planning.lower import lower
        from export.planning.plan import plan_network
        from export.planning.sites import find_sites
        from export.planning.target import Target

        spec = ArchSpec(
            **{"arch": "mobilenet_v1", "width": 0.25, "input_px": 32, "classes": 10, "conv": conv, **fields}
        )
        path = folder / f"{spec.arch}-{spec.width}-{spec.input_px}-{conv}-{lowering}-{batch}.onnx"
        if not path.exists():
            network, shape = build(spec), (spec.in_channels, spec.input_px, spec.input_px)
            plan = plan_network(network, Target(runtime="onnxruntime", batch=batch), shape, lowering=lowering)
            exporter = get_exporter("onnx")
            layers = tuple(site.path for site in find_sites(network, shape))
            exporter(lower(network, plan), path, ExportRequest(shape, batch=batch, layers=layers, simplify=False))
            exporter.attach_metadata(
                path,
                {
                    "format": "onnx",
                    "precision": "fp32",
                    "architecture": spec.to_dict(),
                    "plan": plan.to_list(),
                },
            )
        return path

    return write


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
