"""Wherever a network keeps its kernels it is brought in, and is afterwards as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.training.importing.network.session import import_network
from tests.eamdeploy.training.importing.attached_kernels import ATTACHED, Attended
from tests.eamdeploy.training.importing.foreign_layers import ForeignNetwork

IMAGES = torch.randn(3, 3, 12, 16, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("layer", ATTACHED)
def test_kernels_are_found_wherever_they_are_kept(layer: type[Attended]) -> None:
    torch.manual_seed(0)
    network = ForeignNetwork(layer(16, 16), 16).train()
    rewritten = import_network(network, IMAGES).rewritten
    ((_, mixed),) = rewritten.network.dynamic_layers().items()
    assert (tuple(mixed.bank.shape), mixed.bounds.l1, mixed.bounds.convex) == ((4, 16, 16, 3, 3), 1.0, ATTACHED[layer])
    assert network.training
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


class Unsupported(nn.Module):
    """What a graph cannot hold."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.conv = kind, Attended(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "numpy":
            return x * float(x.detach().numpy().std())
        pooled = x.mean((2, 3), keepdim=True).squeeze()  # of one image it takes the images' axis as well
        return self.conv(x) * pooled.softmax(1)[:, :, None, None]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("numpy", "cannot be traced.*NumPy"), ("squeeze", "cannot be traced at a batch of 1 ")],
)
def test_code_that_no_graph_can_hold_is_told_so_with_its_line(kind: str, sentence: str) -> None:
    with pytest.raises(DataError, match=rf"{sentence}") as caught:
        import_network(ForeignNetwork(Unsupported(kind), 16).eval(), IMAGES)
    assert "test_attached_kernels.py:" in str(caught.value)


def test_torchscript_is_told_where_it_is() -> None:
    network = ForeignNetwork(Attended(16, 16), 16).eval()
    network.body.fc = torch.jit.trace(nn.Linear(16, 4), torch.randn(2, 16))
    with pytest.raises(UsageError, match=r"'body\.fc' is TorchScript"):
        import_network(network, IMAGES)
