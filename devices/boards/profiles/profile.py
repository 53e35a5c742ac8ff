"""The facts of one kind of board."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Cpu:
    """The processor; None where no source gave the fact.

    Attributes:
        core: name of the core.
        cores: how many.
        clock_mhz: highest clock.
        fp32_flop_per_cycle_core: floating-point operations per cycle and core.
        fp16_arithmetic: half-precision arithmetic (``fphp``, ``asimdhp``).
        dot_product: int8 dot product (``asimddp``), without which int8 rarely wins.
        measured_peak_fp32_gflops: all cores.
        measured_peak_int8_gops: all cores.
        l1d: data caches, as described by the source.
        l2: second-level caches.
        l3: third-level cache.
        memcpy_mb_per_s: one thread.
        memset_mb_per_s: one thread.
        stream_mb_per_s: best of STREAM.
    """

    core: str | None = None
    cores: int | None = None
    clock_mhz: int | None = None
    fp32_flop_per_cycle_core: int | None = None
    fp16_arithmetic: bool | None = None
    dot_product: bool | None = None
    measured_peak_fp32_gflops: float | None = None
    measured_peak_int8_gops: float | None = None
    l1d: str | None = None
    l2: str | None = None
    l3: str | None = None
    memcpy_mb_per_s: int | None = None
    memset_mb_per_s: int | None = None
    stream_mb_per_s: int | None = None


@dataclass(frozen=True)
class Emulation:
    """How the board is emulated.

    Attributes:
        cpu: qemu's name of the CPU.
        memory_mb: RAM of the emulated board.
        note: how the emulated CPU differs from the real one.
    """

    cpu: str
    memory_mb: int
    note: str | None = None


@dataclass(frozen=True)
class Profile:
    """A kind of board.

    Attributes:
        name: what ``--device`` takes.
        title: full name.
        family: ``raspberry-pi``, ``jetson`` or ``host``; says which sensors to expect.
        sources: where the facts come from.
        cpu: processor facts.
        emulation: None where there is no emulated board of this kind.
        soc: system on chip.
        ram_mb: RAM, where all boards of this kind have the same.
        gpu: description.
        gpu_fp32_tflops: derived from cores and clock.
        dram_gb_per_s: memory bandwidth by specification.
        caution: what to keep in mind about these facts.
    """

    name: str
    title: str
    family: str
    sources: tuple[str, ...]
    cpu: Cpu
    emulation: Emulation | None = None
    soc: str | None = None
    ram_mb: int | None = None
    gpu: str | None = None
    gpu_fp32_tflops: float | None = None
    dram_gb_per_s: float | None = None
    caution: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data; what is not known is null."""
        return asdict(self) | {"sources": list(self.sources)}
