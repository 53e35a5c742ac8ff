"""Facts of the boards that measurements were made on, and how fast one should be by another's data sheet."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources

from devices.latency.model.instructions import BASE, DOT_PRODUCT

# cores that issue instructions alike: in order; out of order, 128 bits of arithmetic a cycle; out of order, 256 bits
GENERATION = {
    "Cortex-A53": "in order", "Cortex-A55": "in order",
    "Cortex-A57": "narrow", "Cortex-A72": "narrow", "Cortex-A73": "narrow",
    "Cortex-A76": "wide", "Cortex-A78AE": "wide",
}  # fmt: skip


@dataclass(frozen=True)
class BoardHardware:
    """The cluster that inference runs on; None where no source gave the fact."""

    name: str
    profile: str
    core: str
    cores: int
    clock_mhz: float
    flop_per_cycle: float | None
    dot_product: bool
    memcpy_mb_per_s: float | None
    source: str

    @property
    def read_bytes_per_ms(self) -> float | None:
        """One thread's reading: a copy reads and writes every byte it reports once."""
        return None if self.memcpy_mb_per_s is None else 2 * self.memcpy_mb_per_s * 1e3


@cache
def boards() -> dict[str, BoardHardware]:
    """By name, as in the measurements."""
    text = resources.files("devices.latency").joinpath("data/boards.csv").read_text(encoding="utf-8")
    return {r["board"]: _board(r) for r in csv.DictReader(io.StringIO(text))}


def _board(r: dict[str, str]) -> BoardHardware:
    return BoardHardware(
        r["board"],
        r["profile"],
        core=r["core"],
        cores=int(r["cores"]),
        clock_mhz=float(r["clock_mhz"]),
        flop_per_cycle=float(r["fp32_flop_per_cycle"]) if r["fp32_flop_per_cycle"] else None,
        dot_product=r["dot_product"] == "yes",
        memcpy_mb_per_s=float(r["memcpy_mb_per_s"]) if r["memcpy_mb_per_s"] else None,
        source=r["source"],
    )


def board_of(device: str) -> BoardHardware | None:
    """The board of a device profile; None for a profile (such as `host`) that no measurement is of."""
    return next((b for b in boards().values() if b.profile == device), None)


def log_speed_ratio(source: BoardHardware, target: BoardHardware) -> float | None:
    """log(time on target / on source) by cores, clock and operations per cycle; None where a data sheet is silent."""
    work = math.log(source.cores * source.clock_mhz) - math.log(target.cores * target.clock_mhz)
    if source.core == target.core:
        return work
    if source.flop_per_cycle is None or target.flop_per_cycle is None:
        return None
    return work + math.log(source.flop_per_cycle) - math.log(target.flop_per_cycle)


def likeness(source: BoardHardware, target: BoardHardware) -> str:
    """How much two boards' processors have in common."""
    if source.core != target.core:
        return "like core" if GENERATION.get(source.core) == GENERATION.get(target.core) else "other core"
    return "same core and count" if source.cores == target.cores else "same core"


def instruction_set(board: BoardHardware | None) -> str:
    """Which instructions a board's kernels are made of; plain ones for a board of which nothing is known."""
    return DOT_PRODUCT if board is not None and board.dot_product else BASE


def in_order(name: str) -> bool:
    """Whether a board's cores issue instructions in order."""
    board = boards().get(name)
    return board is not None and GENERATION.get(board.core) == "in order"
