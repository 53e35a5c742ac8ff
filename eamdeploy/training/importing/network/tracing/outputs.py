"""Networks that give their scores inside a tuple, a list or a dictionary."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from eamdeploy.base.errors import DataError
from eamdeploy.training.importing.network.tracing.trace import explain_failure


class _Unpacked(nn.Module):
    """A network as one that gives the single tensor that it has packed up."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """The scores."""
        (scores,) = _tensors(self.network(x))
        scores_tensor: Tensor = scores
        return scores_tensor


def _tensors(answer: object) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(answer) if isinstance(leaf, Tensor)]


@torch.no_grad()
def is_packed(network: nn.Module, images: Tensor) -> bool:
    """Whether ``network`` gives one tensor inside of something else.

    Raises:
        DataError: when it fails, or gives no tensor at all, or several.
    """
    try:
        answer = network(images)
    except Exception as error:
        raise explain_failure(error) from error
    if isinstance(answer, Tensor):
        return False
    tensors = _tensors(answer)
    if len(tensors) == 1:
        return True
    shapes = ", ".join("x".join(map(str, tensor.shape)) for tensor in tensors)
    kind = type(answer).__name__
    what = f"a {kind} of {len(tensors)} tensors ({shapes})" if tensors else f"a {kind} without a tensor"
    raise DataError(
        f"the network returns {what}",
        why="a classifier gives one, a row of scores for each image",
        hint="let the factory wrap it in a module that returns the scores alone",
    )


def unpacked(network: nn.Module) -> nn.Module:
    """``network`` with its one tensor taken out."""
    return _Unpacked(network)
