"""Find a TFLite interpreter: ai-edge-litert, else tflite-runtime, else TensorFlow's own."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from eamdeploy.base.errors import MissingDependency

# import name of the interpreter's module, distribution that brings it; in order of preference
CANDIDATES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
    ("tensorflow.lite.python.interpreter", "tensorflow"),
)


@dataclass(frozen=True)
class InterpreterModule:
    """The interpreter that was found.

    Attributes:
        module: has ``Interpreter``, ``OpResolverType``, ``load_delegate``.
        package: the distribution's name.
        version: its version.
    """

    module: Any
    package: str
    version: str

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers, for comparisons."""
        return tuple(int(part) for part in self.version.split(".")[:2] if part.isdigit())


def installed() -> list[str]:
    """The distributions with an interpreter that are here, in order of preference; imports none of them."""
    return [package for name, package in CANDIDATES if importlib.util.find_spec(name.partition(".")[0]) is not None]


def find_interpreter() -> InterpreterModule:
    """Import the first interpreter that works.

    Raises:
        MissingDependency: none is installed, or those that are do not load; the message says why for each.
    """
    failures = []
    for name, package in CANDIDATES:
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            continue
        try:
            _check_numpy(package)
            return InterpreterModule(importlib.import_module(name), package, _version(package))
        except ImportError as error:
            failures.append(f"{package}: {error}")
    if failures:
        raise MissingDependency("no TFLite interpreter loads", why="; ".join(failures))
    raise MissingDependency.extra("ai-edge-litert", extra="litert")


def _check_numpy(package: str) -> None:
    # tflite-runtime 2.14, the last there is, was built for numpy 1: under numpy 2 it imports and then fails at
    # Interpreter(...) with "_ARRAY_API not found"
    if package != "tflite-runtime":
        return
    import numpy as np

    if int(np.__version__.split(".", maxsplit=1)[0]) >= 2:
        raise ImportError(
            f"it was built for numpy 1 and this is numpy {np.__version__}; install 'numpy<2', or ai-edge-litert"
        )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
