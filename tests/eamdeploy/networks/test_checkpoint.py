"""Checkpoints keep the function, the random choices and what belongs to them; damaged ones are refused in a sentence."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from eamdeploy.base.errors import DataError
from eamdeploy.networks.checkpoint import load_checkpoint, save_checkpoint
from eamdeploy.networks.random_init import random_network, write_random
from eamdeploy.networks.spec import ArchSpec

SPEC = ArchSpec(width=0.25, select="cgr-random", classes=3, input_px=32, seed=7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_random(SPEC, tmp_path / "net")


def test_a_loaded_network_is_the_same_function(path: Path) -> None:
    loaded = load_checkpoint(path)
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded.network(x), random_network(SPEC)(x))
    assert loaded.spec == SPEC
    assert loaded.classes == ("class 0", "class 1", "class 2")
    assert loaded.preprocessing["size"] == 32


def test_random_choices_come_from_the_file_not_from_the_seed(path: Path, tmp_path: Path) -> None:
    loaded = load_checkpoint(path)
    layer = loaded.network.dynamic_layers()["blocks.0.pointwise.conv"]
    layer.attention.selection.indices.copy_(torch.tensor([7, 5, 1, 0]))
    save_checkpoint(
        tmp_path / "b.safetensors", loaded.network, preprocessing=loaded.preprocessing, classes=loaded.classes
    )
    again = load_checkpoint(tmp_path / "b.safetensors").network.dynamic_layers()["blocks.0.pointwise.conv"]
    assert again.attention.selection.indices.tolist() == [7, 5, 1, 0]


def test_missing_file_names_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such checkpoint.*known"):
        load_checkpoint(tmp_path / "nothing.safetensors")


def test_truncated_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="truncated"):
        load_checkpoint(path)


class EvilCheckpoint:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("evil"),))


def test_pickled_object_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    foreign = tmp_path / "foreign.pt"
    foreign.write_bytes(pickle.dumps(EvilCheckpoint(), protocol=2))
    with pytest.raises(DataError, match="pickled PyTorch file"):
        load_checkpoint(foreign)
    assert not (tmp_path / "evil").exists()


def test_weights_without_architecture_point_to_import(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, tmp_path / "plain.safetensors")
    with pytest.raises(DataError, match="eamdeploy import"):
        load_checkpoint(tmp_path / "plain.safetensors")


def test_wrong_number_of_class_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 class names for a network of 3 classes"):
        save_checkpoint(tmp_path / "x.safetensors", random_network(SPEC), preprocessing={}, classes=["a", "b"])
    assert list(tmp_path.iterdir()) == []
