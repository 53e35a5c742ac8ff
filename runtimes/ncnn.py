"""ncnn: ``NAME.ncnn.param`` with ``NAME.ncnn.bin`` beside it, on the CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eamdeploy.base.errors import MissingDependency, UsageError
from runtimes.batching import image_input, run_in_chunks
from runtimes.protocol import ARITHMETICS, OperatorTime, RuntimeOptions, TensorInfo
from runtimes.readers.ncnn_file import NcnnParam, read_param, weights_path
from runtimes.support.affinity import Pinned

if TYPE_CHECKING:
    from runtimes.protocol import Array, Float32


class Ncnn:
    """Runs ncnn networks with the package ``ncnn``."""

    name = "ncnn"
    suffixes: tuple[str, ...] = (".param",)
    arithmetics: tuple[str, ...] = ARITHMETICS

    def available(self) -> bool:
        """Whether ncnn is installed."""
        return importlib.util.find_spec("ncnn") is not None

    def version(self) -> str:
        """For example ``ncnn 1.0.20261020``."""
        return f"ncnn {_module().__version__}"

    def load(self, path: Path, options: RuntimeOptions) -> NcnnSession:
        """Load a .param file and its .bin file; see `Runtime.load`."""
        return NcnnSession(Path(path), options)


class NcnnSession:
    """A network with its weights in memory.

    ncnn computes one image at a time and has no batch dimension; the sessions's tensors have one of size 1, so that it
    looks like every other runtime.
    """

    def __init__(self, path: Path, options: RuntimeOptions) -> None:
        ncnn = _module()
        if not path.is_file():
            raise UsageError("no such artifact", where=path)
        if options.provider not in (None, "cpu"):
            raise UsageError("ncnn runs on the CPU here", where=options.provider, hint="leave `provider` out")
        self._ncnn, self._path = ncnn, path
        param = read_param(path)
        _check_weights(path, param)
        self._pinned = Pinned(options.affinity)
        self._net = ncnn.Net()
        try:
            _apply(self._net.opt, options)
            if self._net.load_param(str(path)) != 0:
                raise _rejected(path, "it could not read the .param file")
            if self._net.load_model(str(weights_path(path))) != 0:
                raise _rejected(path, "it could not read the .bin file")
            self.inputs = tuple(_input(layer.name, layer.outputs[0], layer.parameters) for layer in param.inputs)
            self._names = param.outputs
            self.outputs = self._describe_outputs()
        except BaseException:
            self.close()
            raise

    def run(self, batch: Float32) -> list[Array]:
        """See `Session.run`."""
        tensor = image_input(self.inputs, self._path)
        return run_in_chunks(
            batch, tensor, "NCHW", self._path, lambda piece: self.raw_run({tensor.name: piece.astype(np.float32)})
        )

    def raw_run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """See `Session.raw_run`."""
        missing = [tensor.name for tensor in self.inputs if tensor.name not in feeds]
        if missing:
            raise UsageError("an input of the artifact was not given", where=self._path, why=missing[0])
        return self._once({name: np.ascontiguousarray(value, dtype=np.float32) for name, value in feeds.items()})

    def timed_call(self, feeds: Mapping[str, Array]) -> Callable[[], Any]:
        """See `Session.timed_call`."""
        ready = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in feeds.items()}
        return lambda: self._once(ready)

    def operator_times(self) -> Sequence[OperatorTime]:
        """See `Session.operator_times`."""
        raise MissingDependency(
            "ncnn's package cannot tell how long its layers take",
            why="it is built without NCNN_BENCHMARK",
            hint="profile the same network in another runtime, or time single layers with 'eamdeploy export CKPT --measure'",
        )

    def close(self) -> None:
        """See `Session.close`."""
        self._pinned.release()
        net = self.__dict__.pop("_net", None)
        if net is not None:
            net.clear()

    def _once(self, feeds: Mapping[str, Array]) -> list[Array]:
        extractor = self._net.create_extractor()
        for name, value in feeds.items():
            # a copy of ncnn's own: a layer that works in place would write into the array, whose memory is not aligned
            extractor.input(name, self._ncnn.Mat(value[0]).clone())
        outputs = []
        for name in self._names:
            status, value = extractor.extract(name)
            if status != 0:
                raise UsageError(
                    "ncnn could not run the artifact", where=self._path, why=f"no {name} (status {status})"
                )
            outputs.append(np.array(value)[np.newaxis])
        return outputs

    def _describe_outputs(self) -> tuple[TensorInfo, ...]:
        """Name and shape of each output; ncnn knows shapes after a run only, and other converters leave the input's out."""
        if any(None in tensor.shape for tensor in self.inputs):
            return tuple(TensorInfo(name, (1, None), "float32") for name in self._names)
        feeds = {tensor.name: np.zeros([size or 1 for size in tensor.shape], np.float32) for tensor in self.inputs}
        values = self._once(feeds)
        return tuple(TensorInfo(name, value.shape, "float32") for name, value in zip(self._names, values))


def _module() -> Any:
    try:
        import ncnn
    except ImportError as error:
        if importlib.util.find_spec("ncnn") is None:
            raise MissingDependency.extra("ncnn", extra="ncnn") from error
        hint = "reinstall ncnn and numpy so that they fit each other"
        raise MissingDependency("ncnn is installed but does not load", why=error, hint=hint) from error
    return ncnn


def _apply(opt: Any, options: RuntimeOptions) -> None:
    opt.num_threads = options.threads
    opt.use_vulkan_compute = False
    half = options.arithmetic == "fp16"
    # ncnn computes in fp16 by default where the CPU can: here it is asked for
    opt.use_fp16_packed = opt.use_fp16_storage = opt.use_fp16_arithmetic = half
    opt.use_bf16_storage = opt.use_bf16_packed = False


def _input(name: str, blob: str, parameters: Mapping[int, Any]) -> TensorInfo:
    del name
    width, height, channels = (parameters.get(key) or None for key in (0, 1, 2))
    return TensorInfo(blob, (1, channels, height, width), "float32")


def _check_weights(path: Path, param: NcnnParam) -> None:
    weights = weights_path(path)
    if not weights.is_file():
        hint = "copy it there; an ncnn network is two files"
        raise UsageError("the artifact's weights are missing", where=weights, why=f"{path.name} needs them", hint=hint)
    expected = (param.metadata or {}).get("weights", {}).get("bytes")
    if expected is not None and weights.stat().st_size != expected:
        why = f"{path.name} was written with {expected:,} bytes of weights, and there are {weights.stat().st_size:,}"
        raise UsageError(
            "the artifact's two files do not belong together", where=weights, why=why, hint="export it again"
        )


def _rejected(path: Path, why: str) -> UsageError:
    return UsageError("ncnn does not accept the artifact", where=path, why=why, hint="export it again")
