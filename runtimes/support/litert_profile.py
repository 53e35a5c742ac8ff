"""Time per operator in LiteRT, inside XNNPACK too, through the C interface of ``libLiteRt.so``.

The interpreter's Python interface has no profiler. The wheel of ai-edge-litert also carries LiteRT's C library, whose
compiled model has one (https://github.com/google-ai-edge/LiteRT, ``litert/c/litert_profiler.h``); its summary lists the
nodes in the order they ran.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_int, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import MissingDependency, UsageError
from runtimes.protocol import OperatorTime, RuntimeOptions

_LIBRARY = "libLiteRt.so"
_CPU = 1  # kLiteRtHwAcceleratorCpu
_WARM_UP, _CALLS = 3, 20
_TYPE_BYTES = 512  # larger than LiteRtRankedTensorType, which is only handed on
_SECTION = "Run Order"
_ROW = re.compile(
    r"^\s*(?P<kind>\S.*?)\s+(?P<start>[\d.]+)\s+(?P<first>[\d.]+)\s+(?P<mean>[\d.]+)\s+[\d.]+%\s+[\d.]+%\s+[\d.]+"
    r"\s+(?P<calls>\d+)\s+(?P<name>\[.*\S)\s*$"
)


def operator_times(package: str, path: Path, options: RuntimeOptions) -> Sequence[OperatorTime]:
    """Run the artifact some times with the profiler on.

    Args:
        package: the interpreter's distribution.
        path: of the .tflite file.
        options: threads and XNNPACK are taken over.

    Raises:
        MissingDependency: this package has no such library, or the library lacks the profiler.
        UsageError: the library does not accept the artifact.
    """
    library = _library(package)
    model = _Model(library, path, options)
    try:
        model.run(_WARM_UP)
        return parse_summary(model.profile(_CALLS), _CALLS)
    finally:
        model.close()


def parse_summary(summary: str, inferences: int) -> list[OperatorTime]:
    """The rows of the summary's table in run order; times there are in milliseconds with three decimals.

    The table has one row for the nodes of equal index and kind in all parts of the graph that are delegated: its mean is that
    of a call, of which there can be several in an inference.
    """
    times: list[OperatorTime] = []
    inside = False
    for line in summary.splitlines():
        if "====" in line:
            if inside and times:
                break
            inside = _SECTION in line
        row = _ROW.match(line) if inside else None
        if row:
            kind = row["kind"]
            delegated = kind.startswith("Delegate/")
            times.append(
                OperatorTime(
                    name=f"{len(times)} {row['name']}",
                    kind=kind[len("Delegate/") :] if delegated else kind,
                    mean_ms=float(row["mean"]) * int(row["calls"]) / inferences,
                    calls=int(row["calls"]),
                    where="XNNPACK" if delegated else "LiteRT",
                )
            )
    return times


class _Model:
    """A compiled model and the buffers it runs on."""

    def __init__(self, library: Any, path: Path, options: RuntimeOptions) -> None:
        self._library, self._path = library, path
        self._environment, self._model, self._compiled = c_void_p(), c_void_p(), c_void_p()
        self._profiler, settings = c_void_p(), c_void_p()
        self._call("LiteRtCreateEnvironment", c_int(0), None, byref(self._environment))
        self._call("LiteRtCreateModelFromFile", self._environment, str(path).encode(), byref(self._model))
        self._call("LiteRtCreateOptions", byref(settings))
        self._call("LiteRtSetOptionsHardwareAccelerators", settings, c_int(_CPU))
        self._add(settings, b"runtime_options_string", "enable_profiling = true\n")
        kernels = "xnnpack" if options.xnnpack else "builtin"
        self._add(settings, b"xnnpack", f'kernel_mode = "{kernels}"\nnum_threads = {options.threads}\n')
        self._call("LiteRtCreateCompiledModel", self._environment, self._model, settings, byref(self._compiled))
        library.LiteRtDestroyOptions(settings)
        self._call("LiteRtCompiledModelGetProfiler", self._compiled, byref(self._profiler))
        signature = c_void_p()
        self._call("LiteRtGetModelSignature", self._model, c_size_t(0), byref(signature))
        self._inputs = self._buffers("Input", signature)
        self._outputs = self._buffers("Output", signature)

    def run(self, times: int) -> None:
        """Run the model; what is in its inputs doesn't matter for the time."""
        counts = c_size_t(len(self._inputs)), c_size_t(len(self._outputs))
        for _ in range(times):
            self._call(
                "LiteRtRunCompiledModel",
                self._compiled,
                c_size_t(0),
                counts[0],
                self._inputs,
                counts[1],
                self._outputs,
            )

    def profile(self, times: int) -> str:
        """The summary of some runs."""
        self._call("LiteRtStartProfiler", self._profiler)
        self.run(times)
        self._call("LiteRtStopProfiler", self._profiler)
        summary = c_char_p()
        self._call("LiteRtGetProfileSummary", self._profiler, self._compiled, byref(summary))
        text = (summary.value or b"").decode(errors="replace")
        _libc().free(summary)
        return text

    def close(self) -> None:
        """Free everything."""
        for buffer in [*self._inputs, *self._outputs]:
            self._library.LiteRtDestroyTensorBuffer(c_void_p(buffer))
        self._library.LiteRtDestroyCompiledModel(self._compiled)
        self._library.LiteRtDestroyModel(self._model)
        self._library.LiteRtDestroyEnvironment(self._environment)

    def _buffers(self, side: str, signature: c_void_p) -> Any:
        count = c_size_t()
        self._call(f"LiteRtGetNumSignature{side}s", signature, byref(count))
        buffers = (c_void_p * count.value)()
        for index in range(count.value):
            tensor, needs, buffer = c_void_p(), c_void_p(), c_void_p()
            kind = ctypes.create_string_buffer(_TYPE_BYTES)
            self._call(f"LiteRtGetSignature{side}TensorByIndex", signature, c_size_t(index), byref(tensor))
            self._call("LiteRtGetRankedTensorType", tensor, kind)
            number = c_size_t(index)
            self._call(
                f"LiteRtGetCompiledModel{side}BufferRequirements", self._compiled, c_size_t(0), number, byref(needs)
            )
            self._call("LiteRtCreateManagedTensorBufferFromRequirements", self._environment, kind, needs, byref(buffer))
            buffers[index] = buffer
        return buffers

    def _add(self, settings: c_void_p, identifier: bytes, toml: str) -> None:
        libc, entry = _libc(), c_void_p()
        payload = c_void_p(libc.strdup(toml.encode()))  # the library frees it
        deleter = ctypes.cast(libc.free, c_void_p)
        self._call("LiteRtCreateOpaqueOptions", identifier, payload, deleter, byref(entry))
        self._call("LiteRtAddOpaqueOptions", settings, entry)

    def _call(self, name: str, *arguments: Any) -> None:
        function = getattr(self._library, name, None)
        if function is None:
            hint = "install ai-edge-litert 2.3 or later, or profile with onnxruntime"
            raise MissingDependency(f"this LiteRT has no {name}", hint=hint)
        status = function(*arguments)
        if status != 0:
            raise UsageError("LiteRT could not profile the artifact", where=self._path, why=f"{name} gave {status}")


def _library(package: str) -> Any:
    package_spec = importlib.util.find_spec("ai_edge_litert") if package == "ai-edge-litert" else None
    file = Path(package_spec.origin).with_name(_LIBRARY) if package_spec and package_spec.origin else None
    if file is None or not file.is_file():
        hint = "install ai-edge-litert 2.3 or later"
        raise MissingDependency(f"{package} cannot tell the time of each operator", hint=hint)
    return ctypes.CDLL(str(file))


def _libc() -> Any:
    libc = ctypes.CDLL(None)
    libc.strdup.restype = c_void_p
    libc.strdup.argtypes = [c_char_p]
    libc.free.restype = None
    return libc
