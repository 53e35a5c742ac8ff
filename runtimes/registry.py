"""The runtimes by name, ours and those that other packages add by the entry point ``eamdeploy.runtimes``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import MissingDependency, UsageError, did_you_mean
from runtimes.protocol import FLOAT32, Runtime

GROUP = "eamdeploy.runtimes"
# module and class of each; loaded on use, so that asking for one doesn't import the others
_BUILTIN = {
    "onnxruntime": "runtimes.ort:OnnxRuntime",
    "litert": "runtimes.litert:LiteRt",
    "ncnn": "runtimes.ncnn:Ncnn",
    "mnn": "runtimes.mnn:Mnn",
    "torch": "runtimes.torch_eager:TorchEager",
    "torch-compile": "runtimes.torch_compile:TorchCompile",
}


def runtime_names() -> list[str]:
    """Every name `get_runtime` knows, ours first."""
    return [*_BUILTIN, *sorted(set(_third_party()) - set(_BUILTIN))]


def get_runtime(name: str) -> Runtime:
    """The runtime called ``name``.

    Raises:
        UsageError: there is none of that name; the message lists those there are.
        MissingDependency: a third party's runtime fails to import.
    """
    if name in _BUILTIN:
        module, _, attribute = _BUILTIN[name].partition(":")
        runtime: Runtime = getattr(importlib.import_module(module), attribute)()
        return runtime
    added = _third_party()
    if name not in added:
        raise UsageError("unknown runtime", where=name, hint=did_you_mean(name, runtime_names()))
    try:
        runtime = added[name]()()
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise MissingDependency("the runtime of another package does not load", where=name, why=why) from error
    return runtime


def runtime_for(path: Path | str) -> Runtime:
    """The runtime that loads files like ``path``, ours before a third party's.

    Raises:
        UsageError: no runtime takes files with that ending.
    """
    suffix = Path(path).suffix.lower()
    suffixes = {}
    for name in runtime_names():
        runtime = get_runtime(name)
        if suffix in runtime.suffixes:
            return runtime
        suffixes.update(dict.fromkeys(runtime.suffixes, name))
    hint = f"known endings: {', '.join(sorted(suffixes))}"
    raise UsageError("no runtime takes a file with this ending", where=path, hint=hint)


def arithmetics_of(runtime: Runtime) -> tuple[str, ...]:
    """What a runtime can be told to compute in; another package's that does not say leaves no choice."""
    return getattr(runtime, "arithmetics", (FLOAT32,))


def chooses_arithmetic(name: str) -> bool:
    """Whether the runtime called ``name`` computes in another number format than the file's when told to; one that
    is not known here does not."""
    is_known = name in _BUILTIN or name in _third_party()
    return is_known and len(arithmetics_of(get_runtime(name))) > 1


def _third_party() -> dict[str, Callable[[], Any]]:
    installed: Any = entry_points()
    # Python 3.9, on a board, has no select()
    group = installed.select(group=GROUP) if hasattr(installed, "select") else installed.get(GROUP, [])
    return {point.name: point.load for point in group}
