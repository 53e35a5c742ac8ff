"""A user's module as it is run here, and as it was afterwards: no copy of it would carry what its hooks and functions refer to."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from eamdeploy.base.errors import UsageError


@contextmanager
def borrowed(module: nn.Module, dtype: torch.dtype = torch.float32) -> Iterator[nn.Module]:
    """``module`` itself, in evaluation mode, its fractions in ``dtype``: those that are plain attributes or in lists as well."""
    modes = [(layer, layer.training) for layer in module.modules()]
    tensors = [(tensor, tensor.data) for tensor in _tensors(module) if tensor.is_floating_point()]
    try:
        for tensor, values in tensors:
            tensor.data = values.to(dtype, copy=True)
        yield module.eval()
    finally:
        for tensor, values in tensors:
            tensor.data = values
        for layer, training in modes:
            layer.training = training


@contextmanager
def in_double_precision() -> Iterator[None]:
    """Where code says single precision (``.float()``, ``torch.zeros``), it has double precision meanwhile."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _DoubleForSingle():
            yield
    finally:
        torch.set_default_dtype(before)


class _DoubleForSingle(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        arguments = pytree.tree_map(_double_for_single, (args, kwargs or {}))
        return func(*arguments[0], **arguments[1])


def _double_for_single(argument: Any) -> Any:
    return torch.float64 if argument is torch.float32 else argument


def _tensors(module: nn.Module) -> list[Tensor]:
    leaves = (leaf for layer in module.modules() for leaf in pytree.tree_leaves(vars(layer)))
    return list({id(leaf): leaf for leaf in leaves if isinstance(leaf, Tensor)}.values())


def copied(module: nn.Module) -> nn.Module:
    """A deep copy, also of a module that keeps computed tensors as attributes, as ``torch.nn.utils.weight_norm`` does.

    Raises:
        UsageError: when it holds what cannot be copied, such as a lock or an open file.
    """
    computed: dict[int, Any] = {
        id(tensor): tensor.detach().clone() for tensor in _tensors(module) if not tensor.is_leaf
    }
    try:
        return copy.deepcopy(module, computed)
    except (TypeError, RuntimeError) as error:
        raise UsageError("the network cannot be copied", why=error, hint="keep what is no tensor out of it") from error


def raise_if_scripted(module: nn.Module) -> None:
    """Raises UsageError when ``module`` or a part of it is TorchScript."""
    for path, layer in module.named_modules():
        if isinstance(layer, torch.jit.ScriptModule):
            raise UsageError(
                f"the network's '{path}' is TorchScript" if path else "the network is TorchScript",
                why="the Python code that it was made from is not in it, and a graph cannot be traced through it",
                hint="let the factory build the plain module, without torch.jit",
            )
