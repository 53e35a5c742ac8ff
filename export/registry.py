"""Lowerings by name: those shipped here, and third parties' through the entry-point group ``eamdeploy.lowerings``."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from eamdeploy.base.errors import UsageError, did_you_mean
from export.lowerings.aggregate import Aggregate
from export.lowerings.base import Lowering
from export.lowerings.blocked import Blocked
from export.lowerings.experts import Experts
from export.lowerings.im2col import Im2Col
from export.lowerings.inputs import Inputs
from export.lowerings.matmul import MatMul
from export.lowerings.taps import Taps
from export.rewrites.collapse import Collapse
from export.rewrites.low_rank import LowRank
from export.rewrites.mean_residual import MeanResidual

ENTRY_POINT_GROUP = "eamdeploy.lowerings"
BUILTIN: tuple[Lowering, ...] = (Aggregate(), MatMul(), Experts(), Inputs(), Taps(), Im2Col())
# known by name, but chosen only where they are asked for or a budget allows them
REWRITES: tuple[Lowering, ...] = (Blocked(), LowRank(), MeanResidual(), Collapse())


@cache
def _published() -> tuple[EntryPoint, ...]:
    """Other packages' lowerings. The planner asks for every layer, and the answer takes reading every package's metadata."""
    return tuple(entry_points(group=ENTRY_POINT_GROUP))


def lowering_names() -> tuple[str, ...]:
    """Every exact lowering that the planner chooses from, the shipped ones first."""
    builtin = [lowering.name for lowering in BUILTIN]
    return (*builtin, *sorted({point.name for point in _published()} - set(builtin)))


def get_lowering(name: str) -> Lowering:
    """The lowering called ``name``.

    Raises:
        UsageError: for an unknown name; the message lists the known ones.
    """
    for lowering in (*BUILTIN, *REWRITES):
        if lowering.name == name:
            return lowering
    for point in _published():
        if point.name == name:
            loaded: Lowering = point.load()()
            return loaded
    known_lowerings = (*lowering_names(), *(lowering.name for lowering in REWRITES))
    raise UsageError(f"unknown lowering '{name}'", hint=did_you_mean(name, known_lowerings))
