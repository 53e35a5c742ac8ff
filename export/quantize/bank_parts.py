"""How a bank is cut, so that an int8 matrix product mixes it without multiplying zeros.

``(1, k) @ (k, N)`` sums over ``k`` = 4 elements, and int8 products pad what they sum over: to 64 with AMX, to 16 or 8 on Arm, to 4
with VNNI. Cut into ``p`` parts of N / p, the same product is ``(p, p k) @ (p k, N / p)``, with alpha in the diagonal blocks of the
left operand; its rows in turn are the kernel. Which ``p`` is fastest where was measured: docs/how-to/quantization.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.planning.target import host_machine

_PARTS = {("onnx", "x86-64"): 16, ("onnx", "aarch64"): 4, ("tflite", "x86-64"): 16}
_LARGE = 32768  # elements of a kernel from which on it pays


def parts_for(count: int, form: str, machine: str) -> int:
    """Into how many parts a bank of kernels of ``count`` elements is cut in a file of ``form`` for ``machine``."""
    parts = _PARTS.get((form, machine), 1) if count >= _LARGE else 1
    return parts if count % parts == 0 else 1


def cut(bank: npt.NDArray[Any], parts: int) -> npt.NDArray[Any]:
    """``(k, N)`` -> ``(p k, N / p)``."""
    kernels = len(bank)
    return np.ascontiguousarray(bank.reshape(kernels, parts, -1).transpose(1, 0, 2).reshape(parts * kernels, -1))


def diagonal(parts: int) -> npt.NDArray[np.float32]:
    """``(p, p, 1)``: times alpha ``(1, k)`` it is ``(p, p, k)``, which seen as ``(p, p k)`` is the left operand."""
    return np.eye(parts, dtype=np.float32)[..., None]


def machine_of(path: Path) -> str:
    """The kind of CPU that an artifact was made for; this one's where it does not say."""
    from runtimes.readers.metadata import read_metadata

    target = read_metadata(path).raw.get("target") or {}
    return str(target.get("machine") or host_machine())
