"""The environment: versions, runtimes, processor, paths and settings, for bug reports."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "numpy", "pillow", "torch", "safetensors", "onnx", "onnxscript", "onnxsim", "onnxruntime", "ai-edge-litert", "litert-torch",
    "ncnn", "MNN", "asyncssh", "pydantic", "scipy", "matplotlib", "jinja2", "typer", "rich",
)  # fmt: skip
# what decides how fast kernels are
_CPU_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "amx_int8",
    "asimd",
    "asimddp",
    "asimdhp",
    "i8mm",
    "sve",
    "bf16",
)


@dataclass(frozen=True)
class Environment:
    """What a maintainer asks for first.

    Attributes:
        version: eamdeploy's.
        python: version and interpreter.
        system: operating system and machine.
        cpu: model of the processor; ``cpu_features`` are those that decide how fast kernels are.
        packages: installed version by package; None where it is absent.
        runtimes: package and version by runtime; None where it is not installed.
        paths: store, boards, settings and cache.
        variables: the ``EAMDEPLOY_*`` variables that are set.
        settings_files: the settings files that apply, the strongest first.
    """

    version: str
    python: str
    system: str
    cpu: str | None
    cpu_features: tuple[str, ...]
    packages: dict[str, str | None]
    runtimes: dict[str, str | None]
    paths: dict[str, str]
    variables: dict[str, str]
    settings_files: tuple[str, ...] = ()


def info(settings_files: tuple[str, ...] = ()) -> Environment:
    """Collect versions, runtimes, CPU features, paths and settings; nothing is imported that is slow to import.

    Example:
        >>> eamdeploy.info().version == eamdeploy.__version__
        True

    Args:
        settings_files: the settings files that the caller found to apply.
    """
    import platformdirs

    import eamdeploy
    from devices.boards.registry import boards_file
    from eamdeploy.runs.store.store import default_path as store_path

    model, features = _cpu()
    return Environment(
        version=eamdeploy.__version__,
        python=f"{platform.python_version()} ({sys.executable})",
        system=f"{platform.system()} {platform.release()} {platform.machine()}, {'-'.join(platform.libc_ver())}",
        cpu=model,
        cpu_features=features,
        packages={name: _installed(name) for name in PACKAGES},
        runtimes=_runtimes(),
        paths={
            "package": str(Path(eamdeploy.__file__).parent),
            "store": str(store_path()),
            "boards": str(boards_file()),
            "settings": str(platformdirs.user_config_path("eamdeploy") / "config.toml"),
            "cache": str(platformdirs.user_cache_path("eamdeploy")),
        },
        variables={name: value for name, value in sorted(os.environ.items()) if name.startswith("EAMDEPLOY_")},
        settings_files=settings_files,
    )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _runtimes() -> dict[str, str | None]:
    from eamdeploy.base.errors import MissingDependency
    from runtimes.registry import get_runtime, runtime_names

    versions: dict[str, str | None] = {}
    for name in runtime_names():
        if name.startswith("torch"):
            versions[name] = _installed("torch")
            continue
        try:
            versions[name] = get_runtime(name).version()
        except MissingDependency:
            versions[name] = None
    return versions


def _cpu() -> tuple[str | None, tuple[str, ...]]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None, ()
    values = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = set((values.get("flags") or values.get("features") or "").split())
    return values.get("model name") or values.get("model"), tuple(flag for flag in _CPU_FLAGS if flag in flags)
