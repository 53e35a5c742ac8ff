"""timm without torchvision: serves the names that it imports from there, for tests alone."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any


class _Named(type):
    """A class whose every attribute is its own name."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Named(name, (object,), {})


class TorchvisionNames(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``torchvision`` and everything under it, and has nothing there but names."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        del path, target
        return (
            importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] == "torchvision" else None
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        del module


def timm() -> Any:
    """The package."""
    if not any(isinstance(finder, TorchvisionNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchvisionNames())
    import timm as package

    return package
