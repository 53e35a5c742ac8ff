"""ONNX Runtime's profile file, summed up by operator."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from runtimes.protocol import OperatorTime

_SUFFIX = "_kernel_time"


def operator_times(profile: Path) -> Sequence[OperatorTime]:
    """Mean time of each node over the inferences after the first, in graph order.

    The first inference is left out where there are others: it allocates. The file is a list of Chrome trace events;
    those of category ``Node`` that end in ``_kernel_time`` carry the duration of one run of one node in microseconds.
    """
    durations: dict[str, list[float]] = {}
    kinds: dict[str, tuple[str, str]] = {}
    for event in json.loads(profile.read_text()):
        name = event.get("name", "")
        if event.get("cat") != "Node" or not name.endswith(_SUFFIX):
            continue
        node = name[: -len(_SUFFIX)]
        arguments = event.get("args", {})
        durations.setdefault(node, []).append(event["dur"] / 1000)
        kinds[node] = (arguments.get("op_name", ""), arguments.get("provider", ""))
    times = []
    for node, values in durations.items():
        warm_values = values[1:] or values
        kind, where = kinds[node]
        times.append(OperatorTime(node, kind, sum(warm_values) / len(warm_values), len(warm_values), where))
    return times
