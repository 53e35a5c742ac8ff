"""What an emulated board's image is made of; two equal recipes share one image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from importlib import metadata, resources
from importlib.resources.abc import Traversable

from devices.transports.emulated.image.wheels import HASHED

# mmdebstrap's "extract" variant brings nothing by itself: a shell and the usual tools are named here
_PACKAGES = (
    "base-files", "bash", "busybox-static", "coreutils", "dash", "findutils", "grep", "libc-bin", "libgomp1",
    "libstdc++6", "linux-image-arm64", "mount", "openssh-server", "procps", "python3", "sed", "tar", "util-linux",
)  # fmt: skip
RUNTIME_PACKAGES = ("onnxruntime", "ai-edge-litert", "ncnn", "MNN")
_GUEST_FILES = ("rc", "sshd_config", "inittab", "initramfs_init")


@dataclass(frozen=True)
class ImageRecipe:
    """The contents of an image.

    Attributes:
        suite: Debian release; bookworm has Python 3.11, for which every runtime has wheels.
        packages: Debian packages.
        python_version: the suite's Python.
        glibc: the suite's C library, which decides which wheels fit.
        requirements: Python packages, installed from aarch64 wheels.
        free_mb: room left on the disk.
        modules: kernel modules that are loaded at start, beside those that find and mount the disk.
    """

    suite: str = "bookworm"
    packages: tuple[str, ...] = _PACKAGES
    python_version: str = "3.11"
    glibc: tuple[int, int] = (2, 36)
    requirements: tuple[str, ...] = field(default_factory=lambda: default_requirements())
    free_mb: int = 512
    modules: tuple[str, ...] = ()

    @property
    def content_hash(self) -> str:
        """A name for what comes out, the same for the same recipe, start-up files, wheels and building code."""
        guest = {name: guest_file(name) for name in _GUEST_FILES}
        builder = {file.name: file.read_text("utf-8") for file in _folder().iterdir() if file.name.endswith(".py")}
        text = json.dumps([builder, asdict(self), guest, HASHED.read_text(encoding="utf-8")], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def default_requirements() -> tuple[str, ...]:
    """Every runtime in the version installed on this host, so that outputs compare like with like."""
    return (*(_like_here(name) for name in RUNTIME_PACKAGES), "numpy", "pillow")


def guest_file(name: str) -> str:
    """The text of a file of the guest's start-up."""
    return _folder().joinpath("guest", name).read_text(encoding="utf-8")


def _folder() -> Traversable:
    return resources.files("devices.transports.emulated.image")


def _like_here(package: str) -> str:
    try:
        return f"{package}=={metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package
