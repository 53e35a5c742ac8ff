"""int8 and int8 weights for MNN: of constant kernels smaller and as good; of computed ones refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import eamdeploy
from eamdeploy.base.errors import ParityError, UsageError
from eamdeploy.data import embedded_sample
from eamdeploy.data.dataset import take
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import load_checkpoint, save_checkpoint
from eamdeploy.pipeline.export import ExportOptions
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from export.quantize.formats import open_quantizer
from export.rewrites.attention_stats import attention_statistics
from export.rewrites.choice import RewriteChoice, rewrite_network

pytestmark = pytest.mark.slow
CLASS_MAP = {name.replace("/", "-"): index for index, name in enumerate(embedded_sample().classes)}
NETWORK = "fashion-mnist-v1x0.25-eam-rcr"


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network with all its computed kernels: a plan of its own gives small maps constant ones."""
    options = ExportOptions(lowering="aggregate")
    (artifact,) = eamdeploy.export(NETWORK, tmp_path_factory.mktemp("dynamic"), formats=["mnn"], options=options)
    return artifact.path


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network with every layer collapsed."""
    folder = tmp_path_factory.mktemp("constant")
    checkpoint = load_checkpoint(NETWORK)
    preprocessing = Preprocessing.from_dict(checkpoint.preprocessing)
    images = take(embedded_sample(), 50)
    pixels = np.stack([preprocessing.apply(images.image(index)) for index in range(len(images))])
    statistics = attention_statistics(checkpoint.network, [torch.from_numpy(pixels)])
    choices = {path: RewriteChoice("collapse") for path in checkpoint.network.dynamic_layers()}
    save_checkpoint(
        folder / "constant.safetensors",
        rewrite_network(checkpoint.network, choices, statistics),
        preprocessing=checkpoint.preprocessing,
        classes=checkpoint.classes,
        meta={"data": "a shipped network, collapsed"},
    )
    options = ExportOptions(images=20)
    (artifact,) = eamdeploy.export(folder / "constant.safetensors", folder, formats=["mnn"], options=options)
    return artifact.path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    images = embedded_sample()
    for index in range(len(images)):
        name = images.classes[images.label(index)].replace("/", "-")
        (folder / name).mkdir(exist_ok=True)
        images.image(index).save(folder / name / f"{index:03}.png")
    return folder


@pytest.mark.parametrize("precision", ["int8", "int8-weights"])
def test_constant_kernels_shrink_and_answer_alike(
    constant: Path, pictures: Path, tmp_path: Path, precision: str
) -> None:
    options = QuantizeOptions(max_drop=2.0)
    (artifact,) = eamdeploy.quantize(
        constant, tmp_path, precisions=precision, calibration=pictures, class_map=CLASS_MAP, options=options
    )
    assert artifact.bytes < 0.4 * constant.stat().st_size
    assert artifact.report.outcome.drop_points <= 2.0
    assert artifact.report.outcome.flips < 20


def test_computed_kernels_are_refused_in_int8(dynamic: Path, tmp_path: Path) -> None:
    quantizer = open_quantizer(dynamic)
    with pytest.raises(UsageError, match="27 convolutions have one"):
        quantizer.write(tmp_path / "net.mnn", "int8")
    assert list(tmp_path.iterdir()) == []


def test_a_bank_does_not_shrink_by_int8_weights(dynamic: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="did not shrink"):
        eamdeploy.quantize(dynamic, tmp_path, precisions="int8-weights", calibration=pictures, class_map=CLASS_MAP)
    assert list(tmp_path.glob("*.mnn")) == []
