"""What a runtime is: it loads an artifact, runs it, and can say how long each operator took.

The modules of this package are also what runs on the board, so they keep to Python 3.9, numpy and the one runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eamdeploy.base.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Float32 = NDArray[np.float32]


FLOAT32 = "fp32"
ARITHMETICS = (FLOAT32, "fp16")


@dataclass(frozen=True)
class RuntimeOptions:
    """How to run, for every runtime.

    Attributes:
        threads: threads that compute one inference.
        affinity: CPU numbers to stay on, or None for the system's choice. It binds the loading thread and the
            threads the runtime starts; `Session.close` gives the loading thread its old CPUs back.
        spinning: whether idle worker threads spin (onnxruntime only), or None for the runtime's default.
        xnnpack: whether LiteRT applies its XNNPACK delegate.
        provider: execution provider of onnxruntime: ``"cpu"``, ``"cuda"``, ``"tensorrt"``, or None for cpu.
        profile: collect the time of each operator; slows the run down, so such a run is no latency measurement.
        arithmetic: ``"fp32"``, or ``"fp16"`` for half precision where the CPU computes in it: ncnn and MNN. Outputs then
            differ by what float16 rounds.
    """

    threads: int = 1
    affinity: tuple[int, ...] | None = None
    spinning: bool | None = None
    xnnpack: bool = True
    provider: str | None = None
    profile: bool = False
    arithmetic: str = FLOAT32

    def __post_init__(self) -> None:
        """Check the number format.

        Raises:
            UsageError: it is none that a runtime computes in.
        """
        if self.arithmetic not in ARITHMETICS:
            raise UsageError(
                "unknown arithmetic", where=self.arithmetic, hint=did_you_mean(self.arithmetic, ARITHMETICS)
            )


@dataclass(frozen=True)
class TensorInfo:
    """A tensor that goes in or comes out of an artifact.

    Attributes:
        name: its name in the artifact.
        shape: its dimensions in the artifact's own layout; None where the artifact leaves one open.
        dtype: its numpy type name.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class OperatorTime:
    """The time of one operator of the graph.

    Attributes:
        name: the node's name, as far as the runtime keeps it.
        kind: the operator's type, for example ``Conv``.
        mean_ms: mean time in one inference, in milliseconds.
        calls: inferences it was averaged over.
        where: which part of the runtime ran it, for example ``CPUExecutionProvider`` or ``XNNPACK``.
    """

    name: str
    kind: str
    mean_ms: float
    calls: int
    where: str


class Session(Protocol):
    """An artifact that has been loaded."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The inputs in artifact order."""
        ...

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The outputs in artifact order."""
        ...

    def run(self, batch: Float32) -> list[Array]:
        """Run images through an artifact with one image input.

        Args:
            batch: float32, (B, C, H, W), preprocessed; the artifact's layout, its fixed batch and its input scale
                are taken care of here.

        Returns:
            the outputs in artifact order, first dimension B; quantized outputs as float32.
        """
        ...

    def raw_run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """Run once on tensors in the artifact's own layout and types."""
        ...

    def timed_call(self, feeds: Mapping[str, Array]) -> Callable[[], Any]:
        """Return a call that does one inference: input copied in, computed, output copied out, and nothing else."""
        ...

    def operator_times(self) -> Sequence[OperatorTime]:
        """The time of each operator since loading; needs ``RuntimeOptions(profile=True)``.

        Raises:
            MissingDependency: this runtime, or this build of it, cannot tell.
        """
        ...

    def close(self) -> None:
        """Free what the session holds."""
        ...


class Runtime(Protocol):
    """Something that runs artifacts.

    Attributes:
        name: its name in the registry.
        suffixes: endings of the files it loads, for example ``(".onnx",)``; the first of an artifact's files.
        arithmetics: those of `ARITHMETICS` that it can be told to compute in; see `arithmetics_of`.
    """

    name: str
    suffixes: tuple[str, ...]
    arithmetics: tuple[str, ...]

    def available(self) -> bool:
        """Whether it could be used here; doesn't import it."""
        ...

    def version(self) -> str:
        """The package that does the work and its version, for example ``onnxruntime 1.32.0``.

        Raises:
            MissingDependency: it is not installed.
        """
        ...

    def load(self, path: Path, options: RuntimeOptions) -> Session:
        """Load an artifact.

        Raises:
            MissingDependency: the runtime, or something the artifact needs of it, is not here.
            UsageError: the file is not there or is not an artifact that the runtime accepts.
        """
        ...
