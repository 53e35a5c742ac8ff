"""LiteRT (TFLite): .tflite files through the interpreter, on the CPU, with or without XNNPACK."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eamdeploy.base.errors import MissingDependency, UsageError
from runtimes.batching import AffineQuantization, as_input, image_input, input_layout, run_in_chunks
from runtimes.protocol import FLOAT32, OperatorTime, RuntimeOptions, TensorInfo
from runtimes.readers.metadata import read_metadata
from runtimes.readers.tflite_old import needs_newer_runtime
from runtimes.support.affinity import Pinned
from runtimes.support.litert_modules import InterpreterModule, find_interpreter, installed
from runtimes.support.quiet import greetings_dropped

if TYPE_CHECKING:
    from runtimes.protocol import Array, Float32


class LiteRt:
    """Runs .tflite files with ai-edge-litert, else tflite-runtime, else TensorFlow's interpreter."""

    name = "litert"
    suffixes: tuple[str, ...] = (".tflite",)
    arithmetics: tuple[str, ...] = (FLOAT32,)

    def available(self) -> bool:
        """Whether one of the packages is installed."""
        return bool(installed())

    def version(self) -> str:
        """For example ``ai-edge-litert 2.3.0``."""
        module = find_interpreter()
        return f"{module.package} {module.version}"

    def load(self, path: Path, options: RuntimeOptions) -> LiteRtSession:
        """Load a .tflite file; see `Runtime.load`."""
        return LiteRtSession(Path(path), options)


class LiteRtSession:
    """A .tflite file in an ``Interpreter`` with its tensors allocated."""

    def __init__(self, path: Path, options: RuntimeOptions) -> None:
        if not path.is_file():
            raise UsageError("no such artifact", where=path)
        if options.provider not in (None, "cpu"):
            raise UsageError("LiteRT runs on the CPU here", where=options.provider, hint="leave `provider` out")
        self._path, self._options = path, options
        self._layout = read_metadata(path).input_layout
        self._module = find_interpreter()
        _check_age(self._module, path)
        self._pinned = Pinned(options.affinity)
        try:
            with greetings_dropped():
                self._interpreter = _interpreter(self._module, path, options)
                self._interpreter.allocate_tensors()
            self._inputs = self._interpreter.get_input_details()
            self._outputs = self._interpreter.get_output_details()
            self.inputs = tuple(_tensor(detail) for detail in self._inputs)
            self.outputs = tuple(_tensor(detail) for detail in self._outputs)
        except (ValueError, RuntimeError, TypeError, LookupError) as error:  # UnicodeError too: a name is any bytes
            self.close()
            raise _rejected(self._module, path, error) from error

    def run(self, batch: Float32) -> list[Array]:
        """See `Session.run`."""
        tensor = image_input(self.inputs, self._path)
        if tensor.shape[0] is None:
            # a signature with an open batch: give it the whole batch at once
            self._resize(len(batch))
        scale = _quantization(self._inputs[0])

        def once(piece: Array) -> list[Array]:
            stored = scale.quantize(piece, tensor.dtype) if scale else as_input(piece, tensor.dtype, self._path)
            values = self.raw_run({tensor.name: stored})
            return [_real(detail, value) for detail, value in zip(self._outputs, values)]

        return run_in_chunks(batch, tensor, input_layout(tensor, self._layout, "NHWC"), self._path, once)

    def raw_run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """See `Session.raw_run`."""
        try:
            for detail in self._inputs:
                self._interpreter.set_tensor(detail["index"], feeds[detail["name"]])
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(detail["index"]) for detail in self._outputs]
        except KeyError as error:
            raise UsageError("an input of the artifact was not given", where=self._path, why=error) from error
        except (ValueError, RuntimeError) as error:
            why = " ".join(str(error).split())[:400]
            raise UsageError("LiteRT could not run the artifact", where=self._path, why=why) from error

    def timed_call(self, feeds: Mapping[str, Array]) -> Callable[[], Any]:
        """See `Session.timed_call`."""
        interpreter = self._interpreter
        pairs = [(detail["index"], feeds[detail["name"]]) for detail in self._inputs]
        indices = [detail["index"] for detail in self._outputs]

        def call() -> list[Any]:
            for index, value in pairs:
                interpreter.set_tensor(index, value)
            interpreter.invoke()
            return [interpreter.get_tensor(index) for index in indices]

        return call

    def operator_times(self) -> Sequence[OperatorTime]:
        """See `Session.operator_times`."""
        from runtimes.support.litert_profile import operator_times

        if not self._options.profile:
            raise UsageError("this session keeps no profile", hint="load it with RuntimeOptions(profile=True)")
        return operator_times(self._module.package, self._path, self._options)

    def close(self) -> None:
        """See `Session.close`."""
        self._pinned.release()
        self.__dict__.pop("_interpreter", None)

    def _resize(self, batch: int) -> None:
        detail = self._inputs[0]
        shape = [batch, *[int(size) for size in detail["shape"][1:]]]
        if list(detail["shape"]) != shape:
            try:
                self._interpreter.resize_tensor_input(detail["index"], shape)
                self._interpreter.allocate_tensors()
            except (ValueError, RuntimeError) as error:
                raise _rejected(self._module, self._path, error) from error
            self._inputs = self._interpreter.get_input_details()
            self._outputs = self._interpreter.get_output_details()


def _interpreter(module: InterpreterModule, path: Path, options: RuntimeOptions) -> Any:
    resolver = module.module.OpResolverType
    kind = resolver.AUTO if options.xnnpack else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with warnings.catch_warnings():
        # TensorFlow's interpreter warns on every construction that it has moved to ai-edge-litert
        warnings.simplefilter("ignore")
        return module.module.Interpreter(
            model_path=str(path), num_threads=options.threads, experimental_op_resolver_type=kind
        )


def _tensor(detail: Mapping[str, Any]) -> TensorInfo:
    signature = detail.get("shape_signature")
    shape = signature if signature is not None and len(signature) else detail["shape"]
    sizes = tuple(int(size) if size > 0 else None for size in shape)
    return TensorInfo(detail["name"], sizes, np.dtype(detail["dtype"]).name)


def _quantization(detail: Mapping[str, Any]) -> AffineQuantization | None:
    scale, zero_point = detail.get("quantization", (0.0, 0))
    if np.dtype(detail["dtype"]).kind not in "iu" or not scale:
        return None
    return AffineQuantization(float(scale), int(zero_point))


def _real(detail: Mapping[str, Any], value: Array) -> Array:
    scale = _quantization(detail)
    return scale.dequantize(value) if scale else value


def _check_age(module: InterpreterModule, path: Path) -> None:
    if module.package != "tflite-runtime":
        return
    reasons = needs_newer_runtime(path)
    if reasons:
        what = f"{module.package} {module.version} would compute this artifact wrongly"
        hint = "install ai-edge-litert on that machine, or use the fp32 artifact"
        raise MissingDependency(what, where=path, why="; ".join(reasons), hint=hint)


def _rejected(module: InterpreterModule, path: Path, error: Exception) -> UsageError | MissingDependency:
    text = " ".join(str(error).split())[:400]
    if "Didn't find op" in text or "unsupported custom op" in text or "Unsupported data type" in text:
        what = f"{module.package} {module.version} lacks an operator, or a version of one, that the artifact uses"
        return MissingDependency(what, where=path, why=text, hint="install a newer ai-edge-litert on that machine")
    hint = "export it again; a quantized file that was written is not yet one that loads"
    return UsageError(f"{module.package} does not accept the artifact", where=path, why=text, hint=hint)
