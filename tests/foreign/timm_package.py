"""timm's own MobileNets, without torchvision: timm's data package asks it for names that no network uses."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn


class _Names(type):
    """A class whose attributes are their own names, as an enumeration's are."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return f"{cls.__name__}.{name}"


class _Anything(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Names(name, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        del path, target
        ours = name.split(".")[0] == "torchvision"
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if ours else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Anything(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to run."""


@contextmanager
def _torchvision_served() -> Iterator[None]:
    finder = _Finder()
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]


def timm() -> Any:
    """The package; the test is skipped where it is not installed."""
    if "timm" in sys.modules:
        return sys.modules["timm"]
    if importlib.util.find_spec("timm") is None:
        pytest.skip("timm is not installed")
    with _torchvision_served(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("timm")


def randomised(network: nn.Module, seed: int = 1) -> nn.Module:
    """With statistics and scales that differ everywhere, so that an exchanged tensor shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.2)
        elif value.ndim == 1 and name.endswith("weight"):
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.8)
        elif value.ndim == 1 and value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    return network.eval()
