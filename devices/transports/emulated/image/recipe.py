"""What an emulated board's image is made of; two equal recipes share one image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from importlib import metadata, resources

from devices.transports.emulated.image.wheels import HASHED

# raise it when the building code changes what comes out
BUILDER_VERSION = 4

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
    """

    suite: str = "bookworm"
    packages: tuple[str, ...] = _PACKAGES
    python_version: str = "3.11"
    glibc: tuple[int, int] = (2, 36)
    requirements: tuple[str, ...] = field(default_factory=lambda: default_requirements())
    free_mb: int = 512

    @property
    def content_hash(self) -> str:
        """A name for what comes out, the same for the same recipe and start-up files."""
        guest = {name: guest_file(name) for name in _GUEST_FILES}
        text = json.dumps([BUILDER_VERSION, asdict(self), guest, HASHED.read_text(encoding="utf-8")], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def default_requirements() -> tuple[str, ...]:
    """Every runtime in the version installed on this host, so that outputs compare like with like."""
    return (*(_like_here(name) for name in RUNTIME_PACKAGES), "numpy", "pillow")


def guest_file(name: str) -> str:
    """The text of a file of the guest's start-up."""
    return resources.files("devices.transports.emulated.image").joinpath("guest", name).read_text(encoding="utf-8")


def _like_here(package: str) -> str:
    try:
        return f"{package}=={metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package
