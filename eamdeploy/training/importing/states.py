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
    states: dict[str, dict[str, Tensor]] = {}
    if sum(value.ndim > 1 for value in tensors.values()) > 1:
        states[path] = tensors
    for name, value in loaded.items():
        states |= state_dicts(value, f"{path}.{name}" if path else str(name), depth - 1)
    return states


def choose_state(
    states: Mapping[str, dict[str, Tensor]], state_name: str | None, where: str
) -> tuple[dict[str, Tensor], str | None]:
    """One of several, and a note on what was left: the one that is said, else the first that is no average.

    Raises:
        DataError: when there is none.
        UsageError: when there is none of the name that is said.
    """
    if not states:
        raise DataError("the file is not a state dict", where=where, hint="save model.state_dict()")
    if state_name is not None:
        if state_name not in states:
            raise UsageError(
                f"the file has no state dict '{state_name}'", where=where, hint=did_you_mean(state_name, states)
            )
        return states[state_name], None
    plain = [name for name in states if not is_average(name)] or list(states)
    other_states = [f"'{name}'" for name in states if name != plain[0]]
    note = f"'{plain[0]}' is taken; the file also holds {', '.join(other_states)}" if other_states else None
    return states[plain[0]], note


def is_average(name: str) -> bool:
    """Whether a key speaks of averaged weights."""
    words = re.split(r"[^a-z]+", name.lower())
    return any(word in _AVERAGES or (word.endswith("ema") and word != "schema") for word in words)


def without_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that layers compute with."""
    return {name: value for name, value in tensors.items() if not name.endswith(_COUNTERS) and value.ndim}
