"""Every network, kind of convolution and selection, both input sizes, every format: the file loads and is the same function.

A covering subset runs with the other tests: every value of every dimension at least once. ``make matrix`` runs all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from eamdeploy.data import embedded_sample
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions, export_checkpoint
from runtimes.readers.artifact_files import artifact_bytes

ARCHITECTURES = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")
KINDS = (
    ("static", "rcr"),
    ("dynet", "rcr"),
    *(("eam", s) for s in ("rcr", "cgr-random", "cgr-max", "interval", "adjacent-2")),
)
COVERING = (
    ("mobilenet_v1", "eam", "rcr", 32, "onnx"),
    ("mobilenet_v1", "eam", "cgr-max", 32, "tflite"),
    ("mobilenet_v1", "eam", "interval", 224, "onnx"),
    ("mobilenet_v2", "eam", "cgr-random", 32, "onnx"),
    ("mobilenet_v2", "dynet", "rcr", 32, "tflite"),
    ("mobilenet_v3_small", "eam", "cgr-max", 32, "onnx"),
    ("mobilenet_v3_small", "static", "rcr", 224, "tflite"),
    ("mobilenet_v3_large", "eam", "adjacent-2", 32, "onnx"),
    ("mobilenet_v1", "eam", "rcr", 32, "ncnn"),
    ("mobilenet_v2", "dynet", "rcr", 32, "ncnn"),
    ("mobilenet_v3_small", "eam", "cgr-max", 32, "ncnn"),
    ("mobilenet_v3_large", "static", "rcr", 224, "ncnn"),
    ("mobilenet_v1", "eam", "cgr-max", 32, "mnn"),
    ("mobilenet_v3_small", "eam", "interval", 32, "mnn"),
)
ALL = tuple(
    (arch, conv, select, side, form)
    for arch, (conv, select), side, form in itertools.product(
        ARCHITECTURES, KINDS, (32, 224), ("onnx", "tflite", "ncnn", "mnn")
    )
)
Case = tuple[str, str, str, int, str]


def _check(case: Case, folder: Path) -> None:
    arch, conv, select, side, form = case
    spec = ArchSpec(arch=arch, width=0.25, conv=conv, select=select, input_px=side, classes=10)
    checkpoint = load_checkpoint(write_random(spec, folder / "net.safetensors"))
    (artifact,) = export_checkpoint(checkpoint, folder, ExportOptions(formats=(form,)), dataset=embedded_sample())
    assert artifact_bytes(artifact.path) == artifact.bytes
    assert artifact.parity.passed
    assert artifact.parity.images >= 100
    assert artifact.parity.flips_above_rounding == 0
    assert len(artifact.plan.layers) == len(checkpoint.network.dynamic_layers())
    # a dynamic network's mixing weights were seen inside the file and compared, layer by layer
    assert len(artifact.parity.attention) == len(artifact.plan.layers)


def _name(case: Case) -> str:
    return "-".join(str(part) for part in case)


@pytest.fixture
def folder(tmp_path: Path, _network_is_deterministic: None) -> Path:
    return tmp_path


@pytest.fixture
def _network_is_deterministic() -> None:
    import torch

    torch.manual_seed(0)


@pytest.mark.slow
@pytest.mark.parametrize("case", COVERING, ids=_name)
def test_covering_subset(case: Case, folder: Path) -> None:
    _check(case, folder)


@pytest.mark.matrix
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("case", [case for case in ALL if case not in COVERING], ids=_name)
def test_matrix(case: Case, folder: Path) -> None:
    _check(case, folder)


def test_the_subset_covers() -> None:
    """Each value of each dimension, so that the subset cannot silently shrink."""
    covered: Callable[[int], set[object]] = lambda position: {case[position] for case in COVERING}  # noqa: E731
    assert [covered(position) for position in range(5)] == [{case[position] for case in ALL} for position in range(5)]
