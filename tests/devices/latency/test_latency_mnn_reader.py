"""An MNN file's operators: the same work as the ONNX file that it was converted from."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from devices.latency.graph.extract import extract_features
from eamdeploy.base.errors import UsageError

pytest.importorskip("MNN")


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory):
    """An .onnx and an .mnn file of one lowered network."""

    @cache
    def write(conv: str) -> tuple[Path, Path]:
        from eamdeploy.networks.architectures.build import build
        from eamdeploy.networks.spec import ArchSpec
        from export.exporter.registry import get_exporter
        from export.exporter.request import ExportRequest
        from export.planning.lower import lower
        from export.planning.plan import plan_network
        from export.planning.sites import find_sites
        from export.planning.target import Target

        spec = ArchSpec(arch="mobilenet_v2", width=0.35, input_px=48, classes=10, conv=conv)
        network, shape = build(spec), (3, 48, 48)
        plan = plan_network(network, Target(runtime="mnn"), shape)
        request = ExportRequest(shape, layers=tuple(site.path for site in find_sites(network, shape)))
        folder, paths = tmp_path_factory.mktemp("twins"), []
        for form in ("onnx", "mnn"):
            exporter = get_exporter(form)
            path = folder / f"net.{form}"
            exporter(lower(network, plan), path, request)
            exporter.attach_metadata(
                path, {"format": form, "architecture": spec.to_dict(), "plan": plan.to_list(), "precision": "fp32"}
            )
            paths.append(path)
        return paths[0], paths[1]

    return write


@pytest.mark.slow
@pytest.mark.parametrize("conv", ["static", "eam"])
def test_an_mnn_file_has_the_work_of_the_onnx_file_it_was_made_from(twins, conv: str) -> None:
    onnx, mnn = (extract_features(path) for path in twins(conv))
    assert mnn.format == "mnn"
    assert mnn.is_dynamic == (conv == "eam")
    for kinds in (("pointwise", "matmul", "full"), ("depthwise",), ("aggregation",)):
        work = [sum(r.macs for r in f.records if r.kind in kinds) for f in (onnx, mnn)]
        assert work[1] == pytest.approx(work[0], rel=0.02), kinds
    assert mnn.input_px == onnx.input_px == 48


def test_a_grouped_convolution_that_became_one_for_each_group_has_its_work(tmp_path: Path) -> None:
    import torch

    from export.exporter.registry import get_exporter
    from export.exporter.request import ExportRequest

    network = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 1), torch.nn.Conv2d(32, 32, 3, 1, 1, groups=4)).eval()
    path = tmp_path / "grouped.mnn"
    get_exporter("mnn")(network, path, ExportRequest((3, 16, 16)))
    features = extract_features(path)
    assert features.macs == 16 * 16 * (3 * 32 + 32 * 8 * 9)


def test_a_cut_mnn_file_is_refused_with_a_reason(twins, tmp_path: Path) -> None:
    _, whole = twins("static")
    cut = tmp_path / "cut.mnn"
    cut.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(UsageError, match="MNN"):
        extract_features(cut)
