"""ONNX Runtime: CPU everywhere, CUDA and TensorRT where the installed build has them."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eamdeploy.base.errors import MissingDependency, UsageError, did_you_mean
from runtimes.batching import as_input, image_input, input_layout, run_in_chunks
from runtimes.protocol import FLOAT32, OperatorTime, RuntimeOptions, TensorInfo
from runtimes.readers.artifact_files import artifact_sha256, external_files
from runtimes.readers.metadata import read_metadata
from runtimes.support import tensorrt_cache
from runtimes.support.affinity import Pinned
from runtimes.support.ort_profile import operator_times

if TYPE_CHECKING:
    from runtimes.protocol import Array, Float32

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}
_ERRORS_ONLY = 3  # onnxruntime's severity: warnings about a graph are no business of who measures it


class OnnxRuntime:
    """Runs .onnx files with the package ``onnxruntime`` (or one of its GPU builds)."""

    name = "onnxruntime"
    suffixes: tuple[str, ...] = (".onnx",)
    arithmetics: tuple[str, ...] = (FLOAT32,)

    def available(self) -> bool:
        """Whether onnxruntime is installed."""
        return importlib.util.find_spec("onnxruntime") is not None

    def version(self) -> str:
        """For example ``onnxruntime 1.32.0``."""
        return f"onnxruntime {_module().__version__}"

    def load(self, path: Path, options: RuntimeOptions) -> OnnxSession:
        """Load an .onnx file; see `Runtime.load`."""
        return OnnxSession(Path(path), options)


class OnnxSession:
    """An .onnx file in an ``InferenceSession``.

    Attributes:
        engine_build_ms: how long TensorRT took to build its engine; None where it was there, or is not used.
    """

    def __init__(self, path: Path, options: RuntimeOptions) -> None:
        ort = _module()
        if not path.is_file():
            raise UsageError("no such artifact", where=path)
        provider = _provider(ort, options.provider)
        self._path = path
        self._layout = read_metadata(path).input_layout
        self._profile: Path | None = None
        self.engine_build_ms: float | None = None
        self._scratch = tempfile.TemporaryDirectory(prefix="eamdeploy-") if options.profile else None
        self._pinned = Pinned(options.affinity)
        try:
            self._session = self._start(ort, options, provider)
        except Exception as error:
            self.close()
            raise _rejected(ort, path, error) from error
        if self._session.get_providers()[0] != provider:
            # onnxruntime falls back to the CPU without a word when a provider's libraries do not load
            used = self._session.get_providers()[0]
            self.close()
            hint = "check the CUDA, cuDNN and TensorRT libraries that this onnxruntime was built for"
            raise MissingDependency(f"{provider} did not start and onnxruntime took {used}", where=path, hint=hint)
        self.inputs = tuple(_tensor(value) for value in self._session.get_inputs())
        self.outputs = tuple(_tensor(value) for value in self._session.get_outputs())

    def _start(self, ort: Any, options: RuntimeOptions, provider: str) -> Any:
        """The session; with TensorRT once more from the engine's file where the engine had to be built first."""
        providers: list[Any] = list(_with_fallback(provider))
        path = self._path
        if provider == PROVIDERS["tensorrt"]:
            path = tensorrt_cache.kept_artifact(path, external_files(path), artifact_sha256(path))
            folder = tensorrt_cache.engine_folder(path)
            folder.mkdir(parents=True, exist_ok=True)
            providers[0] = (provider, tensorrt_cache.provider_options(folder))
            if not tensorrt_cache.has_engine(folder):
                begin = time.perf_counter_ns()
                ort.InferenceSession(str(path), self._session_options(ort, options), providers=providers)
                self.engine_build_ms = (time.perf_counter_ns() - begin) / 1e6
        return ort.InferenceSession(str(path), self._session_options(ort, options), providers=providers)

    def run(self, batch: Float32) -> list[Array]:
        """See `Session.run`."""
        tensor = image_input(self.inputs, self._path)
        layout = input_layout(tensor, self._layout, "NCHW")
        return run_in_chunks(
            batch,
            tensor,
            layout,
            self._path,
            lambda piece: self.raw_run({tensor.name: as_input(piece, tensor.dtype, self._path)}),
        )

    def raw_run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """See `Session.raw_run`."""
        try:
            outputs: list[Array] = self._session.run(None, dict(feeds))
        except Exception as error:
            raise _failed(self._path, error) from error
        return outputs

    def timed_call(self, feeds: Mapping[str, Array]) -> Callable[[], Any]:
        """See `Session.timed_call`."""
        session, tensors = self._session, dict(feeds)
        return lambda: session.run(None, tensors)

    def operator_times(self) -> Sequence[OperatorTime]:
        """See `Session.operator_times`; ends the profiling of this session."""
        if self._scratch is None:
            raise UsageError("this session keeps no profile", hint="load it with RuntimeOptions(profile=True)")
        if self._profile is None:
            self._profile = Path(self._session.end_profiling())
        return operator_times(self._profile)

    def close(self) -> None:
        """See `Session.close`."""
        self._pinned.release()
        session = self.__dict__.pop("_session", None)
        if self._scratch is not None:
            if session is not None and self._profile is None:
                with contextlib.suppress(Exception):
                    session.end_profiling()  # otherwise onnxruntime writes it into a folder that is gone
            self._scratch.cleanup()
            self._scratch = None

    def _session_options(self, ort: Any, options: RuntimeOptions) -> Any:
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.threads
        settings.inter_op_num_threads = 1
        settings.log_severity_level = _ERRORS_ONLY
        if options.spinning is not None:
            settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(options.spinning)))
        if self._scratch is not None:
            settings.enable_profiling = True
            settings.profile_file_prefix = str(Path(self._scratch.name, "profile"))
        return settings


def _module() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        if importlib.util.find_spec("onnxruntime") is None:
            raise MissingDependency.extra("onnxruntime", extra="onnxruntime") from error
        hint = "reinstall onnxruntime and numpy so that they fit each other"
        raise MissingDependency("onnxruntime is installed but does not load", why=error, hint=hint) from error
    return onnxruntime


def _provider(ort: Any, name: str | None) -> str:
    key = (name or "cpu").lower()
    if key not in PROVIDERS:
        raise UsageError("unknown execution provider", where=name, hint=did_you_mean(key, PROVIDERS))
    provider = PROVIDERS[key]
    if provider not in ort.get_available_providers():
        have = ", ".join(ort.get_available_providers())
        hint = "on a Jetson install NVIDIA's own onnxruntime-gpu wheel for its JetPack; PyPI has none"
        raise MissingDependency(f"this onnxruntime has no {provider}", why=f"it has {have}", hint=hint)
    return provider


def _with_fallback(provider: str) -> list[str]:
    cpu = PROVIDERS["cpu"]
    # operators that a GPU provider doesn't have run on the CPU, as users run them
    return [cpu] if provider == cpu else [provider, cpu]


def _tensor(value: Any) -> TensorInfo:
    shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    return TensorInfo(value.name, shape, _DTYPES.get(value.type, value.type))


def _rejected(ort: Any, path: Path, error: Exception) -> UsageError | MissingDependency:
    text = _message(error)
    if "opset" in text and "support" in text:
        what = f"onnxruntime {ort.__version__} is older than the artifact"
        hint = "install a newer onnxruntime there, or export a lower opset"
        return MissingDependency(what, where=path, why=text, hint=hint)
    return UsageError("onnxruntime does not accept the artifact", where=path, why=text, hint="export it again")


def _failed(path: Path, error: Exception) -> UsageError:
    return UsageError("onnxruntime could not run the artifact", where=path, why=_message(error))


def _message(error: Exception) -> str:
    """What onnxruntime said, without its own source positions and C++ signatures."""
    text = " ".join(str(error).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"^Load model from .*? failed:", "", text)
    return re.sub(r"/onnxruntime_src/\S+:\d+ .*?\) (?=[A-Z][A-Za-z]+ )", "", text)[:300]
