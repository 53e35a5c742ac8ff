"""Where TensorRT's engines are kept: an engine fits one version of TensorRT on one kind of GPU, and takes minutes to build.

Not run on a GPU here: the keys and options are tested, the building is onnxruntime's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_LIBRARIES = ("libnvinfer.so.10", "libnvinfer.so.8", "libnvinfer.so")
_MAJOR, _MINOR = 75, 76  # cuda.h CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*


def kept_artifact(artifact: Path, beside: Sequence[Path], sha256: str) -> Path:
    """A copy of an artifact that outlives the job, so that its engines can lie beside it; made on first use.

    A job's own folder is removed with the job. The copy is in ``~/.cache/eamdeploy/artifacts``, in a folder named after
    the content of all its files. It is no link: a file that is written over would change under its engines.

    Args:
        beside: its other files, in its folder.
        sha256: of all of them.
    """
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    folder = Path(base, "eamdeploy", "artifacts", sha256[:16])
    for file in (*beside, artifact):
        target = folder / file.relative_to(artifact.parent)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _put(file, target)
    return folder / artifact.name


def engine_folder(cache_folder: Path) -> Path:
    """The folder of an artifact's engines, beside it, by TensorRT's version and the GPU."""
    return cache_folder.parent / key(tensorrt_version(), gpu_name())


def _put(file: Path, target: Path) -> None:
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copyfile(file, partial)
    os.replace(partial, target)


def provider_options(folder: Path) -> dict[str, Any]:
    """Options of onnxruntime's TensorRT provider that keep its engines in ``folder``."""
    return {
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(folder),
    }


def has_engine(folder: Path) -> bool:
    """Whether an engine was built there before."""
    return any(folder.glob("*.engine"))


def key(version: str, gpu: str) -> str:
    """A folder's name, for example ``tensorrt-8.5.2-orin-sm87``."""
    return re.sub(r"[^a-z0-9.-]+", "-", f"tensorrt-{version}-{gpu}".lower()).strip("-")


def version_of(number: int) -> str:
    """``8.5.2`` of 8502, and ``10.3.0`` of 100300: the digits moved with TensorRT 10."""
    scale = 100 if number < 100_00 else 100_00
    thousand = 1000 if number < 100_00 else scale
    major, rest = divmod(number, thousand)
    minor, patch = divmod(rest, 100)
    return f"{major}.{minor}.{patch}"


def tensorrt_version() -> str:
    """The installed version, or ``unknown``."""
    import ctypes  # which a Python on a board may lack

    for name in _LIBRARIES:
        with contextlib.suppress(OSError, AttributeError):
            return version_of(int(ctypes.CDLL(name).getInferLibVersion()))
    return "unknown"


def gpu_name() -> str:
    """Name and compute capability of the first GPU, as the driver says them, or ``unknown``."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        driver = ctypes.CDLL("libcuda.so.1")
        device, text = ctypes.c_int(), ctypes.create_string_buffer(100)
        if driver.cuInit(0) == 0 and driver.cuDeviceGet(ctypes.byref(device), 0) == 0:
            driver.cuDeviceGetName(text, len(text), device)
            parts = [ctypes.c_int(), ctypes.c_int()]
            for part, attribute in zip(parts, (_MAJOR, _MINOR)):
                driver.cuDeviceGetAttribute(ctypes.byref(part), attribute, device)
            return f"{text.value.decode(errors='replace')}-sm{parts[0].value}{parts[1].value}"
    return "unknown"
