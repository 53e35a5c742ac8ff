"""What cannot be brought in is refused in one sentence that names the place, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.base.errors import DataError, EamdeployError, UsageError
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.training.importing.network.session import import_factory, import_network
from eamdeploy.training.importing.network.tracing.factory import is_factory
from tests.eamdeploy.training.importing.foreign_layers import ForeignNetwork, foreign_network


class Layer(nn.Module):
    """A layer that is a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def from_the_whole_batch(x: Tensor) -> Tensor:
    kernel = x.mean((0, 2, 3)).view(16, 1, 1, 1).expand(16, 16, 3, 3)
    return F.conv2d(x, kernel, padding=1)


REFUSED = {
    "dropout": (lambda x: F.dropout(x, 0.1), "drops values at random"),
    "noise": (lambda x: x + torch.randn_like(x), "draws random numbers"),
    "branch": (lambda x: 2 * x if x.mean() > 0 else x, "decides by the values of its tensors"),
    "statistics": (lambda x: F.batch_norm(x, None, None, training=True), "statistics of the batch"),
    "batch": (from_the_whole_batch, "computed from the whole batch"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_depends_on_more_than_the_image_is_refused_with_its_line(kind: str) -> None:
    function, sentence = REFUSED[kind]
    with pytest.raises(DataError, match=sentence) as caught:
        import_network(ForeignNetwork(Layer(function), 16).eval(), torch.randn(3, 3, 16, 16))
    assert "test_refusals.py:" in str(caught.value)


def test_several_outputs_are_refused() -> None:
    with pytest.raises(DataError, match=r"returns a tuple of 2 tensors \(3x3, 3x3x8x8\)"):
        import_network(Layer(lambda x: (x.mean((2, 3)), x)), torch.randn(3, 3, 8, 8))  # type: ignore[return-value]
    with pytest.raises(DataError, match="a row of scores for each image"):
        import_network(Layer(lambda x: x), torch.randn(3, 3, 8, 8))


FACTORIES = """
import torch
from torch import nn
from tests.eamdeploy.training.importing.foreign_layers import foreign_network

def plain():
    return foreign_network("plain-full")

def broken():
    raise RuntimeError("no weights here")

def needy(width, depth=2):
    return plain()

def tuple_():
    return plain(), 1

number = 3
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of factories, and the process in it."""
    (tmp_path / "factories_of_mine.py").write_text(FACTORIES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("broken", r"the factory failed \(factories_of_mine.py:10, in broken\): RuntimeError: no weights here"),
        ("needy", r"the factory needs arguments \(width\)"),
        ("tuple_", "the factory gave a tuple"),
        ("number", "the factory is not a function"),
        ("plein", "the module has no 'plein'.*plain"),
    ],
)
def test_a_factory_that_gives_no_network_is_told_so(name: str, sentence: str, factories: Path) -> None:
    with pytest.raises(EamdeployError, match=sentence):
        import_factory(f"factories_of_mine:{name}", (3, 16, 16), factories / "out")
    assert not list(factories.glob("*.safetensors"))


def test_a_module_that_is_not_there_is_told_so(factories: Path) -> None:
    with pytest.raises(UsageError, match="there is no module 'nowhere'"):
        import_factory("nowhere:net", (3, 16, 16), factories / "out")


def test_weights_that_do_not_fit_are_told_so(factories: Path) -> None:
    state = foreign_network("plain-full").state_dict()
    torch.save({name: value for name, value in state.items() if name != "head.bias"}, "short.pt")
    with pytest.raises(DataError, match=r"1 tensors are missing, the first 'head\.bias'"):
        import_factory("factories_of_mine:plain", (3, 16, 16), factories / "out", weights=Path("short.pt"))
    state["head.bias"] = torch.zeros(3)
    torch.save(state, "other.pt")
    with pytest.raises(DataError, match=r"head.bias is \(3,\) in the file and \(10,\) in the network"):
        import_factory("factories_of_mine:plain", (3, 16, 16), factories / "out", weights=Path("other.pt"))


def test_weights_of_a_wrapped_network_fit(factories: Path) -> None:
    other = foreign_network("plain-full")
    nn.init.normal_(other.head.weight)
    wrapped = {f"_orig_mod.module.{name}": value for name, value in other.state_dict().items()}
    torch.save({"state_dict": {**wrapped, "n_averaged": torch.tensor(3)}}, "wrapped.pt")
    imported_network = import_factory(
        "factories_of_mine:plain", (3, 16, 16), factories / "out", weights=Path("wrapped.pt")
    )
    assert torch.equal(load_checkpoint(imported_network.checkpoint.path or "").network.head.weight, other.head.weight)


def test_a_file_is_no_factory(tmp_path: Path) -> None:
    assert is_factory("package.module:net")
    assert not is_factory("weights.safetensors")
    assert not is_factory("C:/weights.pt")
