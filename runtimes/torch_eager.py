"""PyTorch as the reference on the host: a checkpoint, eager, on the CPU or a GPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eamdeploy.base.errors import MissingDependency, UsageError
from runtimes.protocol import FLOAT32, OperatorTime, RuntimeOptions, TensorInfo
from runtimes.support.affinity import Pinned

if TYPE_CHECKING:
    from runtimes.protocol import Array, Float32


class TorchEager:
    """Runs checkpoints (.safetensors) with PyTorch as it is."""

    name = "torch"
    suffixes: tuple[str, ...] = (".safetensors",)
    arithmetics: tuple[str, ...] = (FLOAT32,)
    compiled = False

    def available(self) -> bool:
        """Whether torch is installed."""
        return importlib.util.find_spec("torch") is not None

    def version(self) -> str:
        """For example ``torch 2.13.0``."""
        return f"torch {_module().__version__}"

    def load(self, path: Path, options: RuntimeOptions) -> TorchSession:
        """Load a checkpoint; see `Runtime.load`."""
        return TorchSession(Path(path), options, compiled=self.compiled)


class TorchSession:
    """A checkpoint's network in evaluation mode."""

    def __init__(self, path: Path, options: RuntimeOptions, *, compiled: bool = False) -> None:
        torch = _module()
        from eamdeploy.networks.checkpoint import load_checkpoint

        if options.provider not in (None, "cpu", "cuda"):
            raise UsageError("PyTorch runs on cpu or cuda", where=options.provider)
        if options.provider == "cuda" and not torch.cuda.is_available():
            raise MissingDependency("PyTorch sees no CUDA device here", hint="leave `provider` out to run on the CPU")
        self._torch, self._path = torch, path
        self._device = torch.device(options.provider or "cpu")
        self._threads_before = torch.get_num_threads()
        self._pinned = Pinned(options.affinity)
        torch.set_num_threads(options.threads)
        try:
            checkpoint = load_checkpoint(path)
        except BaseException:
            self.close()
            raise
        spec = checkpoint.spec
        network = checkpoint.network.eval().to(self._device)
        self._network = torch.compile(network) if compiled else network
        self._profile = options.profile
        self.inputs = (TensorInfo("input", (None, *spec.input_shape), "float32"),)
        self.outputs = (TensorInfo("logits", (None, spec.classes), "float32"),)

    def run(self, batch: Float32) -> list[Array]:
        """See `Session.run`."""
        return self.raw_run({"input": batch})

    def raw_run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """See `Session.raw_run`."""
        if set(feeds) != {"input"}:
            why = f"given {', '.join(sorted(feeds)) or 'nothing'}"
            raise UsageError("a checkpoint has one input called 'input'", where=self._path, why=why)
        output: Array = self.timed_call(feeds)()
        return [output]

    def timed_call(self, feeds: Mapping[str, Array]) -> Callable[[], Any]:
        """See `Session.timed_call`."""
        torch, network, device = self._torch, self._network, self._device
        tensor = torch.from_numpy(np.ascontiguousarray(feeds["input"], dtype=np.float32))
        self._last = tensor

        def call() -> Array:
            with torch.inference_mode():
                output: Array = network(tensor.to(device)).cpu().numpy()
            return output

        return call

    def operator_times(self) -> Sequence[OperatorTime]:
        """Time per kind of ATen operator over five inferences of the last input; see `Session.operator_times`."""
        if not self._profile:
            raise UsageError("this session keeps no profile", hint="load it with RuntimeOptions(profile=True)")
        calls = 5
        call = self.timed_call({"input": self._last.numpy()})
        with self._torch.profiler.profile() as profile:
            for _ in range(calls):
                call()
        return [
            OperatorTime(event.key, event.key, event.self_cpu_time_total / 1000 / calls, calls, str(self._device))
            for event in profile.key_averages()
        ]

    def close(self) -> None:
        """See `Session.close`; gives PyTorch its former number of threads back."""
        self._pinned.release()
        self._torch.set_num_threads(self._threads_before)
        self.__dict__.pop("_network", None)


def _module() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingDependency.extra("torch", extra="train") from error
    return torch
