"""Quantization-aware training: the arithmetic of the int8 export, in an ordinary training run with an ordinary result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from eamdeploy.base.errors import UsageError
from eamdeploy.data import open_dataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.pipeline.export import ExportOptions, card_of, export_checkpoint
from eamdeploy.pipeline.quantize.options import QuantizeOptions
from eamdeploy.pipeline.quantize.run import quantize_artifact
from eamdeploy.training.loop.options import TrainingResult
from eamdeploy.training.qat import FakeQuantDynamicConv2d, FakeQuantMap, prepare_qat, ranges_of, restore_ranges
from eamdeploy.training.session import run_training
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
    conv = AttentionConv2d(8, 8, kernel, attention=layer.attention, groups=groups, padding=kernel // 2)
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
    assert sum(float(layer.bank.grad.abs().sum()) > 0 for layer in network.dynamic_layers().values()) == len(
        network.dynamic_layers()
    )


@pytest.mark.slow
def test_it_computes_what_the_exported_file_computes(tree: Path, trained: Path, tmp_path: Path) -> None:
    """Under the file's ranges the maps are the file's codes, but for ties, which deep layers then carry on.

    A mixing weight on a tie moves every kernel value of its image, so images are counted, not codes of all images together.
    """
    checkpoint = load_checkpoint(str(trained))
    data = open_dataset(tree, "test", checkpoint.classes)
    lowered = ExportOptions(formats=("onnx",), lowering="aggregate")  # the plan for int8
    (artifact,) = export_checkpoint(checkpoint, tmp_path, lowered, dataset=data)
    target = tmp_path / "q.onnx"
    training = open_dataset(tree, "train", checkpoint.classes)
    options = QuantizeOptions("int8", max_drop=100, method="minmax")
    quantize_artifact(artifact.path, target, options, card=card_of(checkpoint), calibration=training, check=data)
    preprocessing = Preprocessing.from_dict(checkpoint.preprocessing)
    feed = np.stack([preprocessing.apply(data.image(index)) for index in range(len(data))])
    model = onnx.load(str(target))
    file = [maps_of(model, feed[index : index + 1]) for index in range(len(feed))]

    network = prepare_qat(checkpoint.network).eval()
    ranges = code_ranges(model)
    restore_ranges(network, {name: ranges[file_name(name)] for name in ranges_of(network)})
    values_by_name: dict[str, np.ndarray] = {}
    for name, module in network.named_modules():
        if isinstance(module, FakeQuantMap):
            module.register_forward_hook(
                lambda _m, _i, y, name=name: values_by_name.__setitem__(file_name(name), y.numpy())
            )
    with torch.no_grad():
        network(torch.from_numpy(feed))
    for name in ("input", "stem/output", "blocks.0.depthwise/output", "blocks.0.pointwise/output"):
        theirs = np.concatenate([maps[name] for maps in file])
        low, high = ranges[name].tolist()
        codes = np.abs(values_by_name[name] - theirs) / ((high - low) / 255)
        assert np.ptp(theirs) > 0, name
        differing = np.mean(codes > 0.5, axis=(1, 2, 3))  # of each image
        assert np.median(differing) < 0.005, name
        assert np.sum(differing > 0.02) <= 2, name
        assert np.rint(codes.max()) <= 4, name


def file_name(module: str) -> str:
    """What the exporter calls the map that the rounding at ``module`` makes."""
    named = {"stem.pad": "input", "classifier.rounded": "mean"}
    return named.get(module, f"{module.removesuffix('.act')}/output")


def codes_of(model: onnx.ModelProto) -> dict[str, tuple[float, int]]:
    """(scale, zero point) of every quantized map of the file, also where it was seen in another shape since it was made."""
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    codes: dict[str, tuple[float, int]] = {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            scale, zero = (constants[name].reshape(-1)[0] for name in node.input[1:3])
            codes[node.output[0]] = (float(scale), int(zero))
        elif node.op_type in ("Reshape", "Transpose") and node.input[0] in codes:
            codes[node.output[0]] = codes[node.input[0]]
    return {name.removesuffix("/q"): code for name, code in codes.items()}


def code_ranges(model: onnx.ModelProto) -> dict[str, torch.Tensor]:
    """(low, high) of every quantized map of the file."""
    return {
        name: torch.tensor([-scale * zero, scale * (255 - zero)]) for name, (scale, zero) in codes_of(model).items()
    }


def maps_of(model: onnx.ModelProto, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every quantized map of the file for one image, as the runtime computes it."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    codes = {name: code for name, code in codes_of(model).items() if name.endswith("/output") or name == "input"}
    names = [f"{name}/q" for name in codes]
    opened.graph.output.extend(onnx.helper.make_tensor_value_info(name, 2, None) for name in names)  # uint8
    session = onnxruntime.InferenceSession(opened.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(names, {session.get_inputs()[0].name: image})
    return {
        name: (value.astype(np.float32) - zero) * np.float32(scale)
        for (name, (scale, zero)), value in zip(codes.items(), values, strict=True)
    }


@pytest.mark.slow
def test_a_tuned_checkpoint_is_an_ordinary_one_and_quantizes(tree: Path, trained: Path, tmp_path: Path) -> None:
    tuned = run(tree, tmp_path / "tuned", start=str(trained), qat="int8", recipe="finetune", lr=0.005)
    assert tuned.top1 > 70  # measured in the rounded arithmetic
    checkpoint = load_checkpoint(str(tuned.checkpoint))
    assert checkpoint.meta["qat"] == "int8"
    assert not torch.equal(load_file(tuned.checkpoint)["classifier.weight"], load_file(trained)["classifier.weight"]), (
        "nothing was trained"
    )
    data = open_dataset(tree, "test", checkpoint.classes)
    (artifact,) = export_checkpoint(checkpoint, tmp_path, ExportOptions(formats=("onnx",)), dataset=data)
    target = tmp_path / "tuned-int8.onnx"
    training = open_dataset(tree, "train", checkpoint.classes)
    quantized = quantize_artifact(
        artifact.path,
        target,
        QuantizeOptions("int8", max_drop=6),
        card=card_of(checkpoint),
        calibration=training,
        check=data,
    )
    assert target.is_file()
    assert quantized.report.outcome.top1 is not None
    assert quantized.report.outcome.top1 > 65


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_the_same_ranges(tree: Path, trained: Path, tmp_path: Path) -> None:
    whole = run(tree, tmp_path / "whole", start=str(trained), qat="int8", lr=0.005, epochs=2)

    class Stop(Exception):
        """Ends the run in its second epoch."""

    def stop(step: object) -> None:
        if getattr(step, "epoch", 0) == 2:
            raise Stop

    training_request = request(tree, tmp_path / "cut", start=str(trained), qat="int8", lr=0.005, epochs=2, batch=16)
    with pytest.raises(Stop):
        run_training(training_request, stop)
    resumed = run_training(training_request)
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
