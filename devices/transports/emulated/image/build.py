"""Builds images and keeps them: the same recipe is built once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from devices.transports.emulated.image.kernel import kernel_image, ram_disk
from devices.transports.emulated.image.keys import generate_keys
from devices.transports.emulated.image.recipe import ImageRecipe
from devices.transports.emulated.image.rootfs import furnish, unpack_packages
from devices.transports.emulated.image.wheels import unhashed
from devices.transports.emulated.tools import check_build_tools, run_tool, tool
from eamdeploy.base.decoding import decode, read_limited
from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import SILENT, Progress

_LOCK_WAIT_S = 900
_RUN = {"vmlinuz", "init.gz", "disk.img", "id_ed25519", "host_key.pub"}
_DESCRIPTION_LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Image:
    """An image in the cache: kernel, RAM disk, disk and keys are files of ``folder``."""

    folder: Path

    @property
    def kernel(self) -> Path:
        """The kernel."""
        return self.folder / "vmlinuz"

    @property
    def ram_disk(self) -> Path:
        """The initial RAM disk."""
        return self.folder / "init.gz"

    @property
    def disk(self) -> Path:
        """The raw ext4 disk; never written, machines write to snapshots."""
        return self.folder / "disk.img"

    @property
    def identity(self) -> Path:
        """The private key that logs in."""
        return self.folder / "id_ed25519"

    @property
    def host_public(self) -> str:
        """The public host key, in known_hosts form."""
        return (self.folder / "host_key.pub").read_text(encoding="ascii").strip()

    @property
    def packages(self) -> dict[str, str]:
        """Python packages in the image and their versions."""
        return _description(self.folder).packages


def cache_folder() -> Path:
    """Where images are kept: ``EAMDEPLOY_CACHE``, else the user's cache folder."""
    import platformdirs

    folder_name = os.environ.get("EAMDEPLOY_CACHE")
    return (Path(folder_name) if folder_name else platformdirs.user_cache_path("eamdeploy")) / "emulated"


def cached_image(recipe: ImageRecipe | None = None) -> Image | None:
    """The finished image of a recipe, or None when it is still to be built or no longer what was built."""
    name = (recipe or ImageRecipe()).content_hash
    folder = cache_folder() / name
    return Image(folder) if (folder / "image.json").is_file() and _is_of(folder, name) else None


@dataclass
class _Described:
    packages: dict[str, str]
    recipe: str = ""
    sha256: dict[str, str] = field(default_factory=dict)


def _is_of(folder: Path, recipe: str) -> bool:
    """Whether an image was built by this recipe, and every file of it has the digest that it was built with."""
    try:
        description = _description(folder)
        digests = description.sha256
        whole = description.recipe == recipe and digests.keys() >= _RUN
        return whole and all(_digest(folder / name) == digest for name, digest in digests.items())
    except (UsageError, OSError):
        return False


def _description(folder: Path) -> _Described:
    content = read_limited(folder / "image.json", _DESCRIPTION_LIMIT_BYTES)
    return decode(_Described, content, where=folder / "image.json")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build_image(recipe: ImageRecipe | None = None, *, progress: Progress = SILENT) -> Image:
    """The image of a recipe, from the cache or built now; several processes may ask at once.

    Args:
        recipe: what is in it; the default has Python 3.11 and both runtimes.
        progress: receives what is being done.

    Raises:
        MissingDependency: a program is missing, or packages cannot be fetched.
    """
    import filelock

    recipe = recipe or ImageRecipe()
    if image := cached_image(recipe):
        return image
    check_build_tools()
    base = cache_folder()
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    with filelock.FileLock(base / f"{recipe.content_hash}.lock", timeout=_LOCK_WAIT_S):
        if image := cached_image(recipe):  # another process was faster
            return image
        with tempfile.TemporaryDirectory(prefix=".building-", dir=base, ignore_cleanup_errors=True) as scratch:
            finished = _build(recipe, Path(scratch), progress)
            target = base / recipe.content_hash
            shutil.rmtree(target, ignore_errors=True)
            finished.rename(target)
    return Image(target)


def _build(recipe: ImageRecipe, scratch: Path, progress: Progress) -> Path:
    root, out = scratch / "root", scratch / "image"
    out.mkdir(mode=0o700)
    keys = generate_keys()
    progress.stage("fetching Debian packages")
    unpack_packages(recipe, root)
    shutil.copyfile(kernel_image(root), out / "vmlinuz")
    (out / "init.gz").write_bytes(ram_disk(root, recipe.modules))
    unhashed_lines = unhashed(recipe.requirements)
    checked = "each by its hash"
    if unhashed_lines:
        checked = f"without their hashes, as none is known of {', '.join(unhashed_lines)}"
    progress.stage(f"installing the runtimes' aarch64 wheels, {checked}")
    furnish(recipe, root, keys)
    progress.stage("writing the disk")
    _write_disk(root, out / "disk.img", recipe.free_mb)
    _write_private(out / "id_ed25519", keys.client_private)
    (out / "host_key.pub").write_text(keys.host_public + "\n", encoding="ascii")
    digests = {path.name: _digest(path) for path in sorted(out.iterdir())}
    described = {
        "recipe": recipe.content_hash,
        "suite": recipe.suite,
        "python": recipe.python_version,
        "packages": _versions(root),
        "sha256": digests,
    }
    (out / "image.json").write_text(json.dumps(described, indent=1), encoding="utf-8")
    return out


def _write_disk(root: Path, disk: Path, free_mb: int) -> None:
    used = sum(_blocks(path) for path in root.rglob("*"))
    size_mb = used // (1 << 20) + free_mb
    # -E lazy...: nothing left for the guest to initialise; ^metadata_csum etc. stay at mke2fs's defaults
    options = "lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
    argv = [tool("mke2fs"), "-q", "-F", "-t", "ext4", "-E", options, "-d", str(root), str(disk), f"{size_mb}M"]
    run_tool(argv, doing="writing the emulated board's disk")


def _blocks(path: Path) -> int:
    block = 4096
    size = 0 if path.is_symlink() else path.stat().st_size if path.is_file() else 0
    return block + -(-size // block) * block


def _versions(root: Path) -> dict[str, str]:
    versions = {}
    for info in sorted(root.glob("usr/local/lib/python*/dist-packages/*.dist-info")):
        name, version = info.name.removesuffix(".dist-info").split("-", 1)
        versions[name.replace("_", "-").lower()] = version
    return versions


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
