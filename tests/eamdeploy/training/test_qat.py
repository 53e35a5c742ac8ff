"""Quantization-aware training: the arithmetic of the int8 export, in an ordinary training run with an ordinary result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from eamdeploy.data import open_dataset
from eamdeploy.errors import UsageError
from eamdeploy.exporting import ExportOptions, card_of, export_checkpoint
from eamdeploy.networks.build import build
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.dynamic_conv import DynamicConv2d
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.preprocessing import Preprocessing
from eamdeploy.quantizing import QuantizeOptions, quantize_artifact
from eamdeploy.training.qat import FakeQuantDynamicConv2d, prepare_qat, ranges_of
from eamdeploy.training.session import TrainingResult, run_training
from runtimes.protocol import RuntimeOptions
from runtimes.registry import runtime_for
from tests.eamdeploy.training.runs import SPEC, request


def run(tree: Path, out: Path, **changes: object) -> TrainingResult:
    return run_training(request(tree, out, **{"epochs": 2, "batch": 16, **changes}))


@pytest.fixture(scope="module")
def trained(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float checkpoint that knows the stripes."""
    return run(tree, tmp_path_factory.mktemp("float"), epochs=14).checkpoint


@settings(max_examples=30, deadline=None)
@given(kernel=st.sampled_from([1, 3]), groups=st.sampled_from([1, 8]), seed=st.integers(0, 2**16))
def test_the_computed_kernel_is_whole_codes_of_the_guaranteed_scale(kernel: int, groups: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer = next(iter(build(ArchSpec(width=0.25, classes=3, input_px=32)).dynamic_layers().values()))
    conv = DynamicConv2d(8, 8, kernel, attention=layer.attention, groups=groups, padding=kernel // 2)
    rounded = FakeQuantDynamicConv2d.of(conv)
    alpha = torch.softmax(torch.randn(1, 4), dim=1)
    # ones at a single place, one channel at a time, read the kernel out of the layer
    side = 2 * kernel + 1
    probes = torch.zeros(8, 8, side, side)
    probes[torch.arange(8), torch.arange(8), side // 2, side // 2] = 1.0
    answers = rounded.mix(probes, alpha.expand(8, -1))
    scale = conv.bank.detach().abs().amax(dim=(0, 2, 3, 4)) / 127 * (1 + 4 / 510)
    codes = (answers / scale[:, None, None]).detach()
    assert float((codes - codes.round()).abs().max()) < 1e-3
    assert float(codes.abs().max()) <= 127
    exact = conv.mix(probes, alpha.expand(8, -1)).detach()
    # bank, weights and kernel are each rounded: half a code, k halves of 1/255, half a code
    assert (
        float(((answers - exact).abs() / scale[:, None, None]).detach().max()) <= 0.5 + 0.5 + 4 * 0.5 * 127 / 255 + 0.1
    )


def test_names_stay_and_gradients_pass_the_rounding() -> None:
    network = build(ArchSpec(arch="mobilenet_v3_small", width=0.25, classes=3, input_px=32))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    prepare_qat(network).train()
    assert {name: value.shape for name, value in network.state_dict().items()} == {
        name: value.shape for name, value in before.items()
    }
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert sum(float(layer.bank.grad.abs().sum()) > 0 for layer in network.dynamic_layers().values()) == len(  # type: ignore[union-attr]
        network.dynamic_layers()
    )


def test_it_computes_what_the_exported_file_computes(tree: Path, trained: Path, tmp_path: Path) -> None:
    """On the same images, the fake-quantized network is nearer to the int8 file than the float network is."""
    checkpoint = load_checkpoint(str(trained))
    data = open_dataset(tree, "test", checkpoint.classes)
    (made,) = export_checkpoint(checkpoint, tmp_path, ExportOptions(formats=("onnx",)), dataset=data)
    target = tmp_path / "q.onnx"
    training = open_dataset(tree, "train", checkpoint.classes)
    quantize_artifact(
        made.path,
        target,
        QuantizeOptions("int8", max_drop=100, method="minmax"),
        card=card_of(checkpoint),
        calibration=training,
        check=data,
    )
    preprocessing = Preprocessing.from_dict(checkpoint.preprocessing)
    feed = np.stack([preprocessing.apply(data.image(index)) for index in range(len(data))])
    session = runtime_for(target).load(target, RuntimeOptions())
    file = np.concatenate([session.run(feed[index : index + 1])[0] for index in range(len(feed))])
    session.close()
    network = checkpoint.network.eval()
    with torch.no_grad():
        exact = network(torch.from_numpy(feed)).numpy()
        prepare_qat(network).eval()
        network(torch.from_numpy(np.stack([preprocessing.apply(training.image(i)) for i in range(len(training))])))
        simulated = network(torch.from_numpy(feed)).numpy()
    distance = lambda a, b: float(np.sqrt(np.mean((a - b) ** 2)))  # noqa: E731
    assert distance(simulated, exact) > 0
    assert distance(simulated, file) < distance(exact, file)


def test_a_tuned_checkpoint_is_an_ordinary_one_and_quantizes(tree: Path, trained: Path, tmp_path: Path) -> None:
    tuned = run(tree, tmp_path / "tuned", start=str(trained), qat="int8", recipe="finetune", lr=0.005)
    assert tuned.top1 > 70  # measured in the rounded arithmetic
    checkpoint = load_checkpoint(str(tuned.checkpoint))
    assert checkpoint.meta["qat"] == "int8"
    assert not torch.equal(load_file(tuned.checkpoint)["classifier.weight"], load_file(trained)["classifier.weight"]), (
        "nothing was trained"
    )
    data = open_dataset(tree, "test", checkpoint.classes)
    (made,) = export_checkpoint(checkpoint, tmp_path, ExportOptions(formats=("onnx",)), dataset=data)
    target = tmp_path / "tuned-int8.onnx"
    training = open_dataset(tree, "train", checkpoint.classes)
    quantized = quantize_artifact(
        made.path,
        target,
        QuantizeOptions("int8", max_drop=6),
        card=card_of(checkpoint),
        calibration=training,
        check=data,
    )
    assert target.is_file()
    assert quantized.report.outcome.top1 is not None
    assert quantized.report.outcome.top1 > 65


def test_a_stopped_run_goes_on_with_the_same_ranges(tree: Path, trained: Path, tmp_path: Path) -> None:
    whole = run(tree, tmp_path / "whole", start=str(trained), qat="int8", lr=0.005, epochs=2)

    class Stop(Exception):
        """Ends the run in its second epoch."""

    def stop(step: object) -> None:
        if getattr(step, "epoch", 0) == 2:
            raise Stop

    asked = request(tree, tmp_path / "cut", start=str(trained), qat="int8", lr=0.005, epochs=2, batch=16)
    with pytest.raises(Stop):
        run_training(asked, stop)
    resumed = run_training(asked)
    ours, theirs = load_file(resumed.checkpoint), load_file(whole.checkpoint)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert resumed.history == whole.history


def test_ranges_are_those_of_the_maps() -> None:
    network = prepare_qat(build(replace(SPEC, classes=3))).train()
    images = torch.rand(2, 3, 32, 32) * 5 - 1
    network(images)
    low, high = ranges_of(network)["stem.pad"].tolist()
    assert low == pytest.approx(float(images.min()))
    assert high == pytest.approx(float(images.max()))


def test_it_needs_a_trained_start_and_a_known_precision(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="starts from a float checkpoint"):
        run(tree, tmp_path, qat="int8")
    with pytest.raises(UsageError, match=r"nothing can be trained for 'int7'.*int8"):
        prepare_qat(build(replace(SPEC, classes=3)), "int7")
