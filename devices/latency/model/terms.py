"""The terms a latency is a sum of, each counted per operator, and the structures that choose among them.

A structure is one hypothesis of what time goes into. Three are fitted to every calibration and their geometric mean is
the prediction: where they disagree, nothing measured so far decides between them, and the interval widens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from devices.latency.graph.records import OperatorRecord

Array = npt.NDArray[np.float64]
MILLION = 1e-6
_PLAIN = ("pointwise", "fc", "matmul", "aggregation", "attention")
_CONVOLVING = ("pointwise", "full", "grouped", "matmul", "fc", "aggregation", "attention")
TERMS = (
    "macs",  # millions, of everything but the four below
    "winograd_macs",  # 3x3, stride 1, at least 16 channels in
    "grouped_macs",
    "depthwise_macs",
    "patches",  # millions of elements gathered for kernels larger than 1x1
    "conv_in",  # millions of elements read by convolutions and products
    "conv_out",
    "activations",  # millions of computed elements read and written, by any operator
    "element",  # the same, by operators without weights
    "weights",  # millions of constant elements read
    "powers",  # millions of elements through a power function (response normalisation)
    "windows",  # millions of elements looked at by pooling windows
    "pooled",  # millions of elements read and written by pools, which `element` has too
    "operators",
)
INDEX = {name: i for i, name in enumerate(TERMS)}
# log milliseconds per unit, relative to a MAC: where a fit starts, and what it falls back to for a term without data
PRIOR = {
    "macs": 0.0, "winograd_macs": -0.7, "grouped_macs": 1.5, "depthwise_macs": 1.2, "patches": 0.3, "conv_in": 1.5,
    "conv_out": 2.0, "activations": 2.0, "element": 3.0, "weights": 1.5, "powers": 5.0, "windows": 0.5,
    "pooled": 3.0, "operators": -1.0,
}  # fmt: skip
# what a small operator around a dynamic kernel costs of an ordinary operator's overhead: measured on dynamic networks
# (docs/latency-model.md, "Dynamic layers"); they neither pack operands nor wake threads
SMALL_OPERATOR = 0.4
SMALL_PARTS = ("attention", "aggregation")
PRIOR_SCALE = -2.5  # log milliseconds per million MACs, of a slow board; every calibration has its own scale
STRUCTURES: dict[str, tuple[str, ...]] = {
    "traffic": ("macs", "grouped_macs", "patches", "depthwise_macs", "activations", "weights", "operators"),
    "elementwise": ("macs", "grouped_macs", "patches", "depthwise_macs", "activations", "element", "operators"),
    "packing": ("macs", "grouped_macs", "conv_in", "conv_out", "depthwise_macs", "element", "weights", "operators"),
}


def structure_terms(structure: str, *, winograd: bool, legacy: bool) -> tuple[str, ...]:
    """The terms of a structure for a runtime.

    Args:
        structure: a key of `STRUCTURES`.
        winograd: whether the runtime has fast 3x3 convolutions.
        legacy: whether measurements of networks with response normalisation and many pools are in the fit.
    """
    terms = (
        (*STRUCTURES[structure], "windows") + (("winograd_macs",) if winograd else ()) + (("powers",) if legacy else ())
    )
    return tuple(sorted(terms, key=TERMS.index))


def operator_terms(record: OperatorRecord) -> Array:
    """All terms of one operator, in the order of `TERMS`."""
    x = np.zeros(len(TERMS))
    if record.kind == "quantizer":
        return x  # the measured int8 files have none inside
    macs, moved = record.macs * MILLION, (record.inputs + record.outputs) * MILLION
    if record.kind in _PLAIN or (record.kind == "grouped" and record.kernel == 1):
        x[INDEX["macs"]] = macs
    elif record.kind == "full":
        fast = record.kernel == 9 and record.stride == 1 and record.channels_in >= 16
        x[INDEX["winograd_macs" if fast else "macs"]] = macs
    elif record.kind == "grouped":
        x[INDEX["grouped_macs"]] = macs
    elif record.kind == "depthwise":
        x[INDEX["depthwise_macs"]] = macs
    if record.kind in ("full", "grouped"):
        gathered = record.pixels * record.channels_in * record.kernel * MILLION
        x[INDEX["patches"]] = x[INDEX["conv_in"]] = gathered
    elif record.kind in _CONVOLVING:
        x[INDEX["conv_in"]] = record.inputs * MILLION
    if record.kind in _CONVOLVING:
        x[INDEX["conv_out"]] = record.outputs * MILLION
    elif record.kind != "depthwise" and record.op not in ("lrn", "LRN"):
        x[INDEX["element"]] = moved
    if record.op in ("lrn", "LRN"):
        x[INDEX["powers"]] = record.inputs * MILLION
    if record.kind == "pool":
        x[INDEX["pooled"]] = moved
        # a window of a hundred is a mean over the map: it reads its input once
        x[INDEX["windows"]] = (record.outputs * record.kernel if record.kernel < 100 else record.inputs) * MILLION
    x[INDEX["activations"]] = moved
    x[INDEX["weights"]] = record.weights * MILLION
    x[INDEX["operators"]] = SMALL_OPERATOR if record.part in SMALL_PARTS else 1.0
    return x


def term_matrix(records: Sequence[OperatorRecord]) -> Array:
    """(operators, terms)."""
    return np.stack([operator_terms(r) for r in records]) if records else np.zeros((0, len(TERMS)))


def select(totals: Array, terms: Sequence[str]) -> Array:
    """The columns a structure uses; without a winograd column its MACs are ordinary ones.

    Args:
        totals: (..., all terms).
        terms: those of the structure.
    """
    term_totals: Array = totals[..., [INDEX[t] for t in terms]].copy()
    if "winograd_macs" not in terms:
        term_totals[..., list(terms).index("macs")] += totals[..., INDEX["winograd_macs"]]
    return term_totals


def coordinates(totals: Array) -> Array:
    """Where a network stands: log of its MACs, elements moved, operators, weights. (..., terms) -> (..., 4)."""
    macs = totals[..., [INDEX[t] for t in ("macs", "winograd_macs", "grouped_macs", "depthwise_macs")]].sum(-1)
    columns = (macs, totals[..., INDEX["activations"]], totals[..., INDEX["operators"]], totals[..., INDEX["weights"]])
    return np.asarray(np.log(np.maximum(np.stack(columns, axis=-1), 1e-6)), dtype=np.float64)
