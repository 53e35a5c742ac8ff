"""Find the state dict in what ``torch.load`` gives: wrappers, averaged weights beside plain ones, counters of profilers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from eamdeploy.base.errors import DataError, UsageError, did_you_mean

# what profilers and batch norms count, and no layer computes with
_AVERAGES = {"ema", "swa", "avg", "average", "averaged", "shadow"}
_COUNTERS = ("total_ops", "total_params", "num_batches_tracked", "n_averaged")


def state_dicts(loaded: Any, path: str = "", depth: int = 3) -> dict[str, dict[str, Tensor]]:
    """Every state dict in nested mappings, by the keys that lead to it; ``""`` is the file itself."""
    if not isinstance(loaded, Mapping) or not depth:
        return {}
    tensors = {str(name): value for name, value in loaded.items() if isinstance(value, Tensor)}
    found: dict[str, dict[str, Tensor]] = {}
    if sum(value.ndim > 1 for value in tensors.values()) > 1:
        found[path] = tensors
    for name, value in loaded.items():
        found |= state_dicts(value, f"{path}.{name}" if path else str(name), depth - 1)
    return found


def choose_state(
    found: Mapping[str, dict[str, Tensor]], said: str | None, where: str
) -> tuple[dict[str, Tensor], str | None]:
    """One of several, and a note on what was left: the one that is said, else the first that is no average.

    Raises:
        DataError: when there is none.
        UsageError: when there is none of the name that is said.
    """
    if not found:
        raise DataError("the file is not a state dict", where=where, hint="save model.state_dict()")
    if said is not None:
        if said not in found:
            raise UsageError(f"the file has no state dict '{said}'", where=where, hint=did_you_mean(said, found))
        return found[said], None
    plain = [name for name in found if not is_average(name)] or list(found)
    others = [f"'{name}'" for name in found if name != plain[0]]
    note = f"'{plain[0]}' is taken; the file also holds {', '.join(others)}" if others else None
    return found[plain[0]], note


def is_average(name: str) -> bool:
    """Whether a key speaks of averaged weights."""
    words = re.split(r"[^a-z]+", name.lower())
    return any(word in _AVERAGES or (word.endswith("ema") and word != "schema") for word in words)


def without_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that layers compute with."""
    return {name: value for name, value in tensors.items() if not name.endswith(_COUNTERS) and value.ndim}
