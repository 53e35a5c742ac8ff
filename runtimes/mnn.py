"""MNN: .mnn files through the interpreter, on the CPU."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eamdeploy.base.errors import MissingDependency, UsageError
from runtimes.batching import image_input, input_layout, run_in_chunks
from runtimes.protocol import ARITHMETICS, OperatorTime, RuntimeOptions, TensorInfo
from runtimes.readers.metadata import read_metadata
from runtimes.readers.mnn_file import read_network
from runtimes.support.affinity import Pinned
from runtimes.support.quiet import greetings_dropped

if TYPE_CHECKING:
    from runtimes.protocol import Array, Float32

_PRECISIONS = {"fp32": "high", "fp16": "low"}


class Mnn:
    """Runs .mnn files with the package ``MNN``."""

    name = "mnn"
    suffixes: tuple[str, ...] = (".mnn",)
    arithmetics: tuple[str, ...] = ARITHMETICS

    def available(self) -> bool:
        """Whether MNN is installed."""
        return importlib.util.find_spec("MNN") is not None

    def version(self) -> str:
        """For example ``MNN 3.6.1``."""
        module = _module()
        try:
            return f"MNN {version('MNN')}"
        except PackageNotFoundError:
            return f"MNN {module.version()}"

    def load(self, path: Path, options: RuntimeOptions) -> MnnSession:
        """Load a .mnn file; see `Runtime.load`."""
        return MnnSession(Path(path), options)


class MnnSession:
    """A .mnn file in an ``Interpreter`` with one session."""

    def __init__(self, path: Path, options: RuntimeOptions) -> None:
        mnn = _module()
        if not path.is_file():
            raise UsageError("no such artifact", where=path)
        if options.provider not in (None, "cpu"):
            raise UsageError("MNN runs on the CPU here", where=options.provider, hint="leave `provider` out")
        self._mnn, self._path, self._options = mnn, path, options
        network = read_network(path)
        self._layout = read_metadata(path).input_layout
        self._names = network.outputs
        self._pinned = Pinned(options.affinity)
        self._profile: dict[tuple[str, str], list[float]] = {}
        self._inferences = 0
        config: dict[str, Any] = {
            "backend": "CPU",
            "numThread": options.threads,
            "precision": _PRECISIONS[options.arithmetic],
        }
        if network.extra_outputs:
            config["saveTensors"] = network.extra_outputs
        try:
            with greetings_dropped((1, 2)):
                self._interpreter = mnn.Interpreter(str(path))
                self._session = self._interpreter.createSession(config)
            self._tensors = dict(self._interpreter.getSessionInputAll(self._session))
        except Exception as error:
            self.close()
            why = " ".join(str(error).split())[:300] or type(error).__name__
            raise UsageError("MNN does not accept the artifact", where=path, why=why, hint="export it again") from error
        self.inputs = tuple(_described(name, tensor) for name, tensor in self._tensors.items())
        self.outputs = tuple(self._described_output(name) for name in self._names)

    def run(self, batch: Float32) -> list[Array]:
        """See `Session.run`."""
        tensor = image_input(self.inputs, self._path)
        layout = input_layout(tensor, self._layout, "NCHW")
        return run_in_chunks(batch, tensor, layout, self._path, lambda piece: self.raw_run({tensor.name: piece}))

    def raw_run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """See `Session.raw_run`."""
        missing = [name for name in self._tensors if name not in feeds]
        if missing:
            raise UsageError("an input of the artifact was not given", where=self._path, why=missing[0])
        self._fill({name: self._host(value) for name, value in feeds.items()})
        if self._options.profile:
            self._run_profiled()
        else:
            self._interpreter.runSession(self._session)
        return self._read()

    def timed_call(self, feeds: Mapping[str, Array]) -> Callable[[], Any]:
        """See `Session.timed_call`."""
        ready = {name: self._host(value) for name, value in feeds.items()}

        def call() -> list[Array]:
            self._fill(ready)
            self._interpreter.runSession(self._session)
            return self._read()

        return call

    def operator_times(self) -> Sequence[OperatorTime]:
        """See `Session.operator_times`."""
        if not self._options.profile:
            raise UsageError("this session keeps no profile", hint="load it with RuntimeOptions(profile=True)")
        calls = max(1, self._inferences)
        return [
            OperatorTime(name, kind, sum(times) / calls, calls, "CPU") for (name, kind), times in self._profile.items()
        ]

    def close(self) -> None:
        """See `Session.close`."""
        self._pinned.release()
        for name in ("_tensors", "_session", "_interpreter"):
            self.__dict__.pop(name, None)

    def _host(self, value: Array) -> Any:
        """``value`` as a tensor on MNN's host side; it points into an array that lives as long."""
        array = np.ascontiguousarray(value, dtype=np.float32)
        kind = self._mnn.Halide_Type_Float
        return self._mnn.Tensor(array.shape, kind, array, self._mnn.Tensor_DimensionType_Caffe), array

    def _fill(self, feeds: Mapping[str, Any]) -> None:
        for name, (host, _) in feeds.items():
            self._tensors[name].copyFrom(host)

    def _read(self) -> list[Array]:
        values = []
        for name in self._names:
            tensor = self._interpreter.getSessionOutput(self._session, name)
            shape, kind = tensor.getShape(), tensor.getDataType()
            # sizes and indices are whole numbers, all else is float32
            dtype: type[np.int32 | np.float32] = np.int32 if kind is self._mnn.Halide_Type_Int else np.float32
            host = self._mnn.Tensor(shape, kind, np.zeros(shape, dtype), self._mnn.Tensor_DimensionType_Caffe)
            tensor.copyToHostTensor(host)
            values.append(np.array(host.getNumpyData(), dtype=dtype).reshape(shape))
        return values

    def _run_profiled(self) -> None:
        started = [0]

        def before(_tensors: Any, _operator: Any) -> bool:
            started[0] = time.perf_counter_ns()
            return True

        def after(_tensors: Any, operator: Any) -> bool:
            elapsed_ms = (time.perf_counter_ns() - started[0]) / 1e6
            self._profile.setdefault((operator.getName(), operator.getType()), []).append(elapsed_ms)
            return True

        self._interpreter.runSessionWithCallBackInfo(self._session, before, after)
        self._inferences += 1

    def _described_output(self, name: str) -> TensorInfo:
        tensor = self._interpreter.getSessionOutput(self._session, name)
        return _described(name, tensor)


def _described(name: str, tensor: Any) -> TensorInfo:
    return TensorInfo(name, tuple(int(size) if size > 0 else None for size in tensor.getShape()), "float32")


def _module() -> Any:
    try:
        with greetings_dropped((1, 2)):
            import MNN
    except ImportError as error:
        if importlib.util.find_spec("MNN") is None:
            raise MissingDependency.extra("MNN", extra="mnn") from error
        hint = "reinstall MNN and numpy so that they fit each other"
        raise MissingDependency("MNN is installed but does not load", why=error, hint=hint) from error
    return MNN
