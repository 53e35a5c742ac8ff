"""timm's CondConv2d without the rest of timm, whose import needs torchvision."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import pytest


def load_cond_conv() -> Any:
    """The class ``timm.layers.cond_conv2d.CondConv2d``; skips the test where timm is not installed."""
    found = importlib.util.find_spec("timm")
    if found is None or not found.submodule_search_locations:
        pytest.skip("timm is not installed")
    root = Path(next(iter(found.submodule_search_locations)))
    for name, folder in (("timm", root), ("timm.layers", root / "layers")):
        if name not in sys.modules:
            package = types.ModuleType(name)
            package.__path__ = [str(folder)]
            sys.modules[name] = package
    return importlib.import_module("timm.layers.cond_conv2d").CondConv2d
