"""Foreign weights: by name, by order, folded; warm starts begin as the same function."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from eamdeploy.base.errors import DataError
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.layers.blocks import ConvBnAct
from eamdeploy.networks.random_init import random_network
from eamdeploy.networks.spec import ARCHITECTURES, ArchSpec
from eamdeploy.training.importing.session import import_weights

STATIC = ArchSpec("mobilenet_v1", 0.25, "static", classes=5, input_px=32, seed=3)


def foreign_state(network: Network) -> dict[str, torch.Tensor]:
    """The state dict as another library would name it."""
    return {f"features.{index}": value for index, value in enumerate(network.state_dict().values())}


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("naming", ["own", "foreign"])
def test_a_state_dict_comes_in_by_name_or_by_order(arch: str, naming: str, tmp_path: Path) -> None:
    spec = replace(STATIC, arch=arch)
    network = random_network(spec)
    state = network.state_dict() if naming == "own" else foreign_state(network)
    state = {k: v for k, v in state.items() if v.ndim > 0} if naming == "foreign" else state
    torch.save(state, tmp_path / "weights.pt")
    result = import_weights(tmp_path / "weights.pt", spec, tmp_path / "out.safetensors")
    assert result.match.missing == []
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(load_checkpoint(result.checkpoint).network(x), network(x))


@pytest.mark.parametrize("conv", ["dynet", "eam"])
def test_a_warm_start_begins_as_the_static_network(conv: str, tmp_path: Path) -> None:
    network = random_network(STATIC)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    spec = replace(STATIC, conv=conv)
    exact = import_weights(tmp_path / "weights.pt", spec, tmp_path / "exact.safetensors", noise=0.0)
    noisy = import_weights(tmp_path / "weights.pt", spec, tmp_path / "noisy.safetensors", noise=1e-4)
    x = torch.randn(8, 3, 32, 32)
    with torch.no_grad():
        reference = network(x)
        scale = reference.abs().max()
        assert (load_checkpoint(exact.checkpoint).network(x) - reference).abs().max() < 1e-4 * scale
        drift = (load_checkpoint(noisy.checkpoint).network(x) - reference).abs().max()
    assert 0 < drift < 0.02 * scale
    banks = [layer.bank for layer in load_checkpoint(noisy.checkpoint).network.dynamic_layers().values()]
    assert all(not torch.equal(bank[0], bank[1]) for bank in banks)


def folded_arrays(network: Network) -> dict[str, np.ndarray]:
    """Weights in TFLite layouts with the batch norm folded, as the exporter of another framework would write them."""
    arrays: dict[str, np.ndarray] = {}
    units = [module for module in network.modules() if isinstance(module, ConvBnAct)]
    for index, unit in enumerate(units):
        conv, bn = unit.conv, unit.bn
        assert isinstance(conv, nn.Conv2d)
        scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
        weight = (conv.weight * scale[:, None, None, None]).detach().numpy()
        depthwise = conv.groups > 1
        name = f"{index:02d}_{'depthwise_' if depthwise else ''}conv_2d"
        arrays[f"{name}.weight"] = weight.transpose(1, 2, 3, 0) if depthwise else weight.transpose(0, 2, 3, 1)
        arrays[f"{name}.bias"] = (bn.bias - bn.running_mean * scale).detach().numpy()
    arrays["99_conv_2d.weight"] = network.classifier.weight.detach().numpy()[:, None, None, :]
    arrays["99_conv_2d.bias"] = network.classifier.bias.detach().numpy()
    return arrays


def test_folded_tflite_weights_come_in_as_the_same_function(tmp_path: Path) -> None:
    network = random_network(replace(STATIC, padding="tf-same", activation="relu6"))
    np.savez(tmp_path / "weights.npz", **folded_arrays(network))
    result = import_weights(tmp_path / "weights.npz", STATIC, tmp_path / "out.safetensors")
    loaded = load_checkpoint(result.checkpoint)
    assert (loaded.spec.padding, loaded.spec.activation) == ("tf-same", "relu6")
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(loaded.network(x), network(x), atol=1e-4)


def test_tf_same_padding_puts_the_odd_zeros_last() -> None:
    network = random_network(replace(STATIC, padding="tf-same"))
    assert network.blocks[1].depthwise.pad.padding == (0, 1, 0, 1)


class EvilWeights:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("evil"),))


@pytest.mark.parametrize("kind", ["missing", "pickle", "truncated", "other", "no-tensors"])
def test_files_that_are_no_weights_are_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path, out = tmp_path / "weights.pt", tmp_path / "out.safetensors"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(EvilWeights(), protocol=2))
    elif kind == "truncated":
        torch.save(random_network(STATIC).state_dict(), path)
        path.write_bytes(path.read_bytes()[:9000])
    elif kind == "other":
        torch.save(random_network(replace(STATIC, width=0.5)).state_dict(), path)
    elif kind == "no-tensors":
        torch.save({"epoch": 3}, path)
    with pytest.raises(DataError, match=r"weights\.pt"):
        import_weights(path, STATIC, out)
    assert not out.exists()
    assert not Path("evil").exists()


def test_another_class_count_keeps_the_body(tmp_path: Path) -> None:
    torch.save(random_network(STATIC).state_dict(), tmp_path / "weights.pt")
    result = import_weights(tmp_path / "weights.pt", replace(STATIC, classes=9), tmp_path / "out.safetensors")
    assert result.match.missing == ["classifier.bias", "classifier.weight"]


def test_labels_must_fit(tmp_path: Path) -> None:
    torch.save(random_network(STATIC).state_dict(), tmp_path / "weights.pt")
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match="2 class names for 5 classes"):
        import_weights(tmp_path / "weights.pt", STATIC, tmp_path / "o", labels=tmp_path / "labels.txt")
