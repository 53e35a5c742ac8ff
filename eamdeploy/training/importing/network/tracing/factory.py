"""The user's own code: a factory that makes the network, called as it is named, and its weights."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.training.importing.network.tracing.trace import is_user_code
from eamdeploy.training.importing.weights import read_weights

_COUNTERS = ("n_averaged", "total_ops", "total_params")
_PREFIXES = ("module.", "model.", "network.", "net.", "backbone.")


def is_factory(source: str) -> bool:
    """Whether ``source`` names a factory, ``package.module:function``, and not a file."""
    module, colon, name = source.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), name)) and not Path(source).exists()


def call_factory(source: str) -> nn.Module:
    """Import ``package.module:function`` and call it; this runs the user's code.

    Raises:
        UsageError: when it cannot be imported, is no factory, needs arguments, or gives no ``torch.nn.Module``.
        DataError: when it raises.
    """
    module_name, _, attribute = source.partition(":")
    factory = _attribute(_imported(module_name, source), attribute, source)
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        raise UsageError("the factory is not a function", where=source, why=f"it is a {type(factory).__name__}")
    needed = _needed_arguments(factory)
    if needed:
        raise UsageError(
            f"the factory needs arguments ({', '.join(needed)})",
            where=source,
            hint="write a function without arguments that calls it, and name that one",
        )
    try:
        module = factory()
    except Exception as error:
        raise DataError("the factory failed", where=_line_of(error) or source, why=_reason(error)) from error
    if not isinstance(module, nn.Module):
        raise UsageError(
            f"the factory gave a {type(module).__name__}, not a torch.nn.Module",
            where=source,
            hint="let it return the network alone",
        )
    return module


def _imported(name: str, source: str) -> Any:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        inside = error.name is not None and not name.startswith(error.name)
        if inside:
            raise DataError("the factory's module cannot be imported", where=source, why=error) from error
        raise UsageError(
            f"there is no module '{error.name}'", where=source, hint="run from the folder that holds it, or install it"
        ) from error
    except Exception as error:
        raise DataError(
            "the factory's module cannot be imported", where=_line_of(error) or source, why=_reason(error)
        ) from error


def _attribute(module: Any, name: str, source: str) -> Any:
    if not hasattr(module, name):
        from eamdeploy.base.errors import did_you_mean

        callables = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UsageError(f"the module has no '{name}'", where=source, hint=did_you_mean(name, callables))
    return getattr(module, name)


def _needed_arguments(factory: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def _line_of(error: BaseException) -> str | None:
    walk, location = error.__traceback__, None
    while walk is not None:
        path = walk.tb_frame.f_code.co_filename
        if is_user_code(path):
            location = f"{Path(path).name}:{walk.tb_lineno}, in {walk.tb_frame.f_code.co_name}"
        walk = walk.tb_next
    return location


def _reason(error: BaseException) -> str:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__


def load_weights(module: nn.Module, path: Path) -> int:
    """Load a state dict file into ``module``; how many tensors it filled.

    Raises:
        DataError: when the file cannot be read, or does not fit.
    """
    # torch.compile puts its name between others, and averages and profilers count
    tensors = {
        name.replace("_orig_mod.", ""): tensor
        for name, tensor in read_weights(path).tensors.items()
        if not name.endswith(_COUNTERS)
    }
    own_tensors = {name: tensor for name, tensor in module.state_dict().items() if isinstance(tensor, Tensor)}
    for prefix in ("", *_PREFIXES):
        file_tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
        if set(own_tensors) <= set(file_tensors):
            break
    else:
        file_tensors = tensors
    missing, unexpected = (
        sorted(set(own_tensors) - set(file_tensors)),
        sorted(set(file_tensors) - set(own_tensors)),
    )
    # a counter of batches is no weight
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    misfits = [
        name for name in own_tensors if name in file_tensors and own_tensors[name].shape != file_tensors[name].shape
    ]
    if missing or unexpected or misfits:
        raise DataError(
            "the weights do not fit the network",
            where=path,
            why=_misfit(missing, unexpected, misfits, own_tensors, file_tensors),
        )
    module.load_state_dict(file_tensors, strict=False)
    return len(own_tensors)


def _misfit(
    missing: list[str],
    unexpected: list[str],
    misfits: list[str],
    own_tensors: dict[str, Tensor],
    file_tensors: dict[str, Tensor],
) -> str:
    if misfits:
        name = misfits[0]
        return f"{name} is {tuple(file_tensors[name].shape)} in the file and {tuple(own_tensors[name].shape)} in the network"
    parts = [
        f"{len(names)} tensors {what}, the first '{names[0]}'"
        for names, what in ((missing, "are missing"), (unexpected, "have no place"))
        if names
    ]
    return " and ".join(parts)
