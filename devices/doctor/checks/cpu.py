"""What the processor can do, and whether int8 can win on it."""

from __future__ import annotations

from collections.abc import Iterator

from devices.doctor.facts import BoardFacts
from devices.doctor.finding import Diagnosis

# flags of /proc/cpuinfo and what they mean for inference
_ARM = {
    "asimddp": "int8 dot product",
    "fphp": "fp16 arithmetic",
    "asimdhp": "fp16 vectors",
    "i8mm": "int8 matrix product",
}
_X86 = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "int8 dot product", "avx_vnni": "int8 dot product"}
_ARM_MACHINES = ("aarch64", "arm64")


def check_features(facts: BoardFacts) -> Iterator[Diagnosis]:
    """The flags that the runtimes' kernels depend on."""
    if not facts.features:
        yield Diagnosis("CPU", "warning", "flags not readable", "the runtimes may choose slow kernels", "mount /proc")
        return
    names = _ARM if facts.machine in _ARM_MACHINES else _X86
    present = [f"{flag} ({meaning})" for flag, meaning in names.items() if flag in facts.features]
    absent = [flag for flag in names if flag not in facts.features]
    yield Diagnosis("CPU", "ok", f"{facts.cpus or '?'} CPUs; " + (", ".join(present) or "none of " + ", ".join(absent)))


def check_int8(facts: BoardFacts) -> Iterator[Diagnosis]:
    """Whether int8 can win: it needs the dot product."""
    if not facts.features or facts.machine not in _ARM_MACHINES:
        return
    if "asimddp" in facts.features:
        yield Diagnosis("int8", "ok", "can win", "the CPU has the dot product that int8 kernels need")
    else:
        yield Diagnosis(
            "int8", "note", "may lose",
            "without the dot product (asimddp) int8 kernels widen to 16 bits; on such boards int8 has been measured "
            "slower than fp32 (tensorflow#41035: 538 against 332 ms on a Raspberry Pi 3)",
            "measure both before choosing; int8 still makes the file four times smaller",
        )  # fmt: skip
