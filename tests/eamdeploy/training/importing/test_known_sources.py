"""Weights of known libraries come in as the function that the library computes, to within rounding."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.spec import ARCHITECTURES, ArchSpec
from eamdeploy.training.importing.session import ImportResult, Said, import_weights
from eamdeploy.training.importing.states import is_average
from tests.eamdeploy.training.importing import torchvision_like
from tests.foreign.timm_package import randomised, timm

PX = 96
SHAPE = (2, 3, PX, PX)
TIMM = (
    "mobilenetv1_100", "mobilenetv1_100h", "mobilenetv1_125", "mobilenetv2_035", "mobilenetv2_050", "mobilenetv2_075",
    "mobilenetv2_100", "mobilenetv2_110d", "mobilenetv2_120d", "mobilenetv2_140", "mobilenetv3_large_075",
    "mobilenetv3_large_100", "mobilenetv3_large_150d", "mobilenetv3_rw", "mobilenetv3_small_050", "mobilenetv3_small_075",
    "mobilenetv3_small_100", "tf_mobilenetv3_large_075", "tf_mobilenetv3_large_100", "tf_mobilenetv3_large_minimal_100",
    "tf_mobilenetv3_small_075", "tf_mobilenetv3_small_100", "tf_mobilenetv3_small_minimal_100",
)  # fmt: skip
QUICK = ("mobilenetv2_035", "mobilenetv3_small_050")


def arch_of(name: str) -> ArchSpec:
    arch = next(a for key, a in (("v1", "mobilenet_v1"), ("v2", "mobilenet_v2"), ("", "mobilenet_v3")) if key in name)
    if arch == "mobilenet_v3":
        arch += "_small" if "small" in name else "_large"
    width = re.search(r"_(\d{3})", name)
    return ArchSpec(arch, int(width[1]) / 100 if width else 1.0, "static", input_px=PX)


def answers(network: nn.Module) -> torch.Tensor:
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores: torch.Tensor = network(x)
    return scores


def imported(state: dict[str, Any], spec: ArchSpec, path: Path, statements: Said | None = None) -> ImportResult:
    if path.suffix == ".safetensors":
        save_file({name: value.contiguous().clone() for name, value in state.items()}, path)
    else:
        torch.save(state, path)
    return import_weights(path, spec, path.with_name("out.safetensors"), function_options=statements or Said())


def relative(result: ImportResult, expected: torch.Tensor) -> float:
    actual = answers(load_checkpoint(result.checkpoint).network)
    return float((actual - expected).norm() / expected.norm())


@pytest.mark.parametrize("suffix", [".pth", pytest.param(".safetensors", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in TIMM]
)
def test_timms_mobilenets_are_the_same_function(name: str, suffix: str, tmp_path: Path) -> None:
    network = randomised(timm().create_model(name))
    result = imported(network.state_dict(), arch_of(name), tmp_path / f"{name}{suffix}")
    assert relative(result, answers(network)) < 1e-4
    assert result.source == ("timm-tf" if name.startswith("tf_") else "timm")
    assert (result.match.missing, result.match.unused) == ([], [])
    published = network.pretrained_cfg
    assert result.function.mean == pytest.approx(published["mean"])
    assert result.function.std == pytest.approx(published["std"])


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("arch", ["mobilenet_v2", "mobilenet_v3_small"])
def test_torchvisions_mobilenets_are_the_same_function(arch: str, suffix: str, tmp_path: Path) -> None:
    network = randomised(getattr(torchvision_like, arch)(classes=7))
    result = imported(network.state_dict(), ArchSpec(arch, conv="static", input_px=PX), tmp_path / f"weights{suffix}")
    assert result.source == "torchvision"
    assert relative(result, answers(network)) < 1e-5
    assert len(load_checkpoint(result.checkpoint).classes) == 7


def in_tensorflow(network: Network, epsilon: float) -> dict[str, np.ndarray]:
    """Slim's names and layouts for a V1 of ours, whose batch norms take up the difference in epsilon."""
    arrays: dict[str, np.ndarray] = {}

    def unit(path: str, name: str) -> None:
        module = network.get_submodule(path)
        conv, bn = module.conv, module.bn
        kernel = conv.weight.detach().numpy()
        if conv.groups > 1:
            arrays[f"{name}/depthwise_weights"] = kernel.transpose(2, 3, 0, 1)
        else:
            arrays[f"{name}/weights"] = kernel.transpose(2, 3, 1, 0)
        arrays[f"{name}/BatchNorm/gamma"] = bn.weight.detach().numpy()
        arrays[f"{name}/BatchNorm/beta"] = bn.bias.detach().numpy()
        arrays[f"{name}/BatchNorm/moving_mean"] = bn.running_mean.numpy()
        arrays[f"{name}/BatchNorm/moving_variance"] = bn.running_var.numpy() + 1e-5 - epsilon

    unit("stem", "MobilenetV1/Conv2d_0")
    for index in range(13):
        unit(f"blocks.{index}.depthwise", f"MobilenetV1/Conv2d_{index + 1}_depthwise")
        unit(f"blocks.{index}.pointwise", f"MobilenetV1/Conv2d_{index + 1}_pointwise")
    weight = network.classifier.weight.detach().numpy()
    arrays["MobilenetV1/Logits/Conv2d_1c_1x1/weights"] = weight.T[None, None]
    arrays["MobilenetV1/Logits/Conv2d_1c_1x1/biases"] = network.classifier.bias.detach().numpy()
    return arrays


@pytest.mark.parametrize("form", ["npz", "safetensors"])
def test_slims_weights_bring_tensorflows_padding_activation_and_epsilon(form: str, tmp_path: Path) -> None:
    spec = ArchSpec(width=0.25, conv="static", classes=9, input_px=PX)
    network = build(ArchSpec(width=0.25, conv="static", classes=9, input_px=PX, padding="tf-same", activation="relu6"))
    randomised(network)
    arrays = in_tensorflow(network, 1e-3)
    path = tmp_path / f"weights.{form}"
    if form == "npz":
        np.savez(path, **arrays)
    else:
        save_file({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}, path)
    result = import_weights(path, spec, tmp_path / "out.safetensors", function_options=Said())
    assert (result.source, result.match.transposed) == ("tf-slim", 28)
    assert relative(result, answers(network)) < 1e-4
    loaded = load_checkpoint(result.checkpoint)
    assert (loaded.spec.padding, loaded.spec.activation, loaded.preprocessing["mean"]) == (
        "tf-same",
        "relu6",
        [0.5] * 3,
    )


def test_what_is_said_goes_before_what_is_assumed(tmp_path: Path) -> None:
    network = randomised(timm().create_model("mobilenetv3_small_050"))
    spec = arch_of("mobilenetv3_small_050")
    by_name = imported(network.state_dict(), spec, tmp_path / "a.pth", Said(source="timm-tf"))
    assert (by_name.function.epsilon, by_name.function.padding) == (1e-3, "tf-same")
    part = imported(network.state_dict(), spec, tmp_path / "b.pth", Said(epsilon=1e-3))
    assert (part.function.epsilon, part.function.padding) == (1e-3, "symmetric")
    assert any("timm-tf" in note for note in part.notes)
    with pytest.raises(UsageError, match="not torchvision's"):
        imported(network.state_dict(), spec, tmp_path / "c.pth", Said(source="torchvision"))


STATIC = ArchSpec("mobilenet_v2", 0.35, "static", input_px=PX)


@pytest.fixture(scope="module")
def plain() -> dict[str, torch.Tensor]:
    return dict(randomised(timm().create_model("mobilenetv2_035")).state_dict())


@pytest.mark.parametrize("wrapper", ["state_dict", "net"])
def test_wrappers_prefixes_and_counters_are_seen_through(
    wrapper: str, plain: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    counters = {"total_ops": torch.tensor([1.0]), "blocks.0.0.total_params": torch.tensor([2.0])}
    wrapped = {wrapper: {f"module._orig_mod.{name}": value for name, value in plain.items()} | counters, "epoch": 3}
    result = imported(wrapped, STATIC, tmp_path / "a.pth")
    direct = imported(plain, STATIC, tmp_path / "b.pth")
    expected = answers(load_checkpoint(direct.checkpoint).network)
    assert relative(result, expected) == 0
    assert result.match.unused == []


def test_averaged_weights_beside_plain_ones_are_named_and_can_be_asked_for(
    plain: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    averaged = {name: value * 1.5 if value.is_floating_point() else value for name, value in plain.items()}
    states = {"model_ema": averaged, "model": plain}
    result = imported(states, STATIC, tmp_path / "a.pth")
    assert any("'model' is taken; the file also holds 'model_ema'" in note for note in result.notes)
    ema = imported(states, STATIC, tmp_path / "b.pth", Said(state="model_ema"))
    stem = load_checkpoint(ema.checkpoint).network.state_dict()["stem.conv.weight"]
    assert torch.equal(stem, averaged["conv_stem.weight"])
    with pytest.raises(UsageError, match="no state dict 'swa'"):
        imported(states, STATIC, tmp_path / "c.pth", Said(state="swa"))
    flat = {f"model.{name}": value for name, value in plain.items()} | {f"ema.{k}": v for k, v in averaged.items()}
    mixed = imported(flat, STATIC, tmp_path / "d.pth")
    assert any("'ema.'" in note for note in mixed.notes)
    assert torch.equal(
        load_checkpoint(mixed.checkpoint).network.state_dict()["stem.conv.weight"], plain["conv_stem.weight"]
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("nan", r"NaN or an infinity.*conv_head\.weight"),
        ("shape", r"blocks\.1\.0\.conv_dw\.weight is 48x3x1x3 where the network has 48x1x3x3"),
        ("missing", r"no blocks\.3\.0\.bn2\.running_var"),
        ("int8", "not floating point.*conv_head"),
        ("variance", r"negative variance.*bn1\.running_var"),
        ("unknown", "cannot be told apart.*alphabetical order"),
        ("other", r"names are timm's, and it has no blocks\.0\.0\.conv_pwl\.weight"),
    ],
)
def test_weights_that_do_not_belong_are_refused(
    change: str, words: str, plain: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    state, spec, path = dict(plain), STATIC, tmp_path / "weights.pth"
    head = state["conv_head.weight"]
    if change == "nan":
        state["conv_head.weight"] = torch.full_like(head, float("nan"))
    elif change == "shape":
        # as many elements, and neither PyTorch's nor TensorFlow's layout
        state["blocks.1.0.conv_dw.weight"] = state["blocks.1.0.conv_dw.weight"].reshape(48, 3, 1, 3)
    elif change == "missing":
        del state["blocks.3.0.bn2.running_var"]
    elif change == "int8":
        state["conv_head.weight"] = head.to(torch.int8)
    elif change == "variance":
        state["bn1.running_var"] = -state["bn1.running_var"]
    elif change == "unknown":
        state, path = {f"t{i:03}": v for i, v in enumerate(state.values())}, tmp_path / "weights.safetensors"
    elif change == "other":
        state["conv_stem.weight"] = torch.zeros(24, 3, 3, 3)
    with pytest.raises(DataError, match=words):
        imported(state, spec, path)
    assert not path.with_name("out.safetensors").exists()


@pytest.mark.parametrize("suffix", [".pth", pytest.param(".safetensors", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name",
    [
        "mobilenetv2_035",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("mobilenetv1_100", "mobilenetv3_small_050")),
    ],
)
def test_another_architecture_than_the_files_is_refused(name: str, suffix: str, tmp_path: Path) -> None:
    """Blocks of one kind can be read as another's with every shape fitting, and compute something else."""
    state = dict(timm().create_model(name).state_dict())
    for arch in ARCHITECTURES:
        if arch != arch_of(name).arch:
            with pytest.raises(DataError, match=r"architecture"):
                imported(state, ArchSpec(arch, conv="static", input_px=PX), tmp_path / f"{arch}{suffix}")


def test_the_architecture_that_the_names_speak_of_is_said(tmp_path: Path) -> None:
    state = torchvision_like.mobilenet_v2(classes=7).state_dict()
    with pytest.raises(DataError, match=r"torchvision's of mobilenet_v2, and mobilenet_v3_small was asked for"):
        imported(state, ArchSpec("mobilenet_v3_small", conv="static", input_px=PX), tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("name", "average"),
    [
        ("model_ema", True),
        ("ema_model.", True),
        ("state_dict_ema", True),
        ("modelEMA", True),
        ("swa_model", True),
        ("semantic", False),
        ("schema", False),
        ("model", False),
        ("thematic.state", False),
    ],
)
def test_averages_are_known_by_their_words(name: str, average: bool) -> None:
    assert is_average(name) == average
