"""The measured networks' operators: from exported files where the project builds one, else from written lists."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.latency.graph.records import OperatorRecord
from devices.latency.model.measurements import Network
from devices.latency.model.terms import term_matrix

Array = npt.NDArray[np.float64]
NETWORKS = Path(__file__).parents[1] / "data" / "networks.json.gz"
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
    "element_bytes",
)
FORMATS = ("onnx", "tflite", "tflite-int8")
# which operators stand in for a format that a network was not exported to
STAND_INS = {"onnx": ("list",), "tflite": ("list",), "tflite-int8": ("tflite", "list")}


def pack(records: Sequence[OperatorRecord]) -> list[list[Any]]:
    """Records as rows of `FIELDS`."""
    return [[getattr(r, name) for name in FIELDS] for r in records]


def unpack(rows: Sequence[Sequence[Any]]) -> list[OperatorRecord]:
    """What `pack` wrote."""
    return [OperatorRecord(**dict(zip(FIELDS, row, strict=False))) for row in rows]


def read_document() -> dict[str, Any]:
    """The gathered networks, as they are stored."""
    document: dict[str, Any] = json.loads(gzip.decompress(NETWORKS.read_bytes()))
    return document


def exported_operators(form: str) -> dict[Network, tuple[OperatorRecord, ...]]:
    """The operators of the files that this project exported in one format."""
    return {
        (e["model"], e["width"], e["input_px"]): tuple(unpack(e["operators"][form]))
        for e in read_document()["networks"]
        if form in e["operators"]
    }


def load_networks(document: Mapping[str, Any] | None = None) -> dict[Network, dict[str, Array]]:
    """Totals of all terms by network and format, from the gathered file or from one in memory."""
    loaded: dict[Network, dict[str, Array]] = {}
    for entry in (document or read_document())["networks"]:
        key = (entry["model"], entry["width"], entry["input_px"])
        totals = {form: term_matrix(unpack(entry["operators"][form])).sum(0) for form in entry["operators"]}
        loaded[key] = {
            form: next(totals[k] for k in (form, *STAND_INS[form], *totals) if k in totals) for form in FORMATS
        }
    return loaded
