"""The measured networks' operators: from exported files where the project builds one, else from written lists."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.latency.graph.records import OperatorRecord
from devices.latency.model.measurements import Network
from devices.latency.model.terms import term_matrix

Array = npt.NDArray[np.float64]
FIELDS = (
    "op",
    "kind",
    "macs",
    "weights",
    "inputs",
    "outputs",
    "kernel",
    "stride",
    "pixels",
    "channels_in",
    "channels_out",
)
FORMATS = ("onnx", "tflite")


def pack(records: Sequence[OperatorRecord]) -> list[list[Any]]:
    """Records as rows of `FIELDS`."""
    return [[getattr(r, name) for name in FIELDS] for r in records]


def unpack(rows: Sequence[Sequence[Any]]) -> list[OperatorRecord]:
    """What `pack` wrote."""
    return [OperatorRecord(**dict(zip(FIELDS, row, strict=True))) for row in rows]


def load_networks(document: Mapping[str, Any] | None = None) -> dict[Network, dict[str, Array]]:
    """Totals of all terms by network and format, from the shipped file or from one in memory."""
    if document is None:
        packed = resources.files("devices.latency").joinpath("data/networks.json.gz").read_bytes()
        document = json.loads(gzip.decompress(packed))
    loaded: dict[Network, dict[str, Array]] = {}
    for entry in document["networks"]:
        key = (entry["model"], entry["width"], entry["input_px"])
        totals = {form: term_matrix(unpack(entry["operators"][form])).sum(0) for form in entry["operators"]}
        loaded[key] = {form: totals.get(form, totals.get("list", next(iter(totals.values())))) for form in FORMATS}
    return loaded
