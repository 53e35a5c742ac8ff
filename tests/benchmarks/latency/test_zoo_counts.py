"""Written-down networks have the multiplications that their papers state."""

from __future__ import annotations

import pytest

from benchmarks.latency.zoo import build

BILLION_MACS = {
    ("yolox_nano", "416"): 0.54,
    ("yolox_s", "640"): 13.4,
    ("yolox_l", "640"): 77.8,
    ("yolov8n", "640"): 4.35,
    ("yolov8s", "640"): 14.3,
    ("yolo11n", "640"): 3.25,
    ("yolo11x", "640"): 97.45,
    ("vit_tiny", "224"): 1.25,
    ("ssdlite_mobilenet_v2_coco", "300"): 0.8,
}


@pytest.mark.parametrize(("network", "billions"), BILLION_MACS.items())
def test_macs_are_those_of_the_paper(network: tuple[str, str], billions: float) -> None:
    model, px = network
    assert sum(r.macs for r in build(model, "", px).records) / 1e9 == pytest.approx(billions, rel=0.08)


def test_nas_bench_201_runs_what_its_cells_execute() -> None:
    skeleton, full = (build("nb201", cell, "32").records for cell in ("0-0-0-0", "6-0-0-3"))
    assert sum(r.macs for r in skeleton) == pytest.approx(7.78e6, rel=0.02)  # the benchmark's own count
    assert len(full) - len(skeleton) == 15 * 9
