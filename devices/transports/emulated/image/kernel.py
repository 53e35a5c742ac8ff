"""Takes the kernel and the modules for the root disk out of an unpacked Debian tree."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

from devices.transports.emulated.image.cpio import ArchiveEntry, initramfs
from devices.transports.emulated.image.recipe import guest_file
from eamdeploy.base.errors import MissingDependency

# what finds and mounts the disk, and the network; ext4 wants a crc32c that no "depends" names
_MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "crc32c_generic", "ext4")
_DEPENDS = re.compile(rb"(?:^|\0)depends=([^\0]*)\0")


def kernel_image(root: Path) -> Path:
    """The kernel in the tree.

    Raises:
        MissingDependency: there is none.
    """
    kernels = sorted((root / "boot").glob("vmlinuz-*"))
    if not kernels:
        raise MissingDependency("the emulated board's kernel is not in its packages", where=root / "boot")
    return kernels[-1]


def ram_disk(root: Path, modules: tuple[str, ...] = ()) -> bytes:
    """An initial RAM disk with busybox and the modules, in the order in which they are to be loaded.

    Args:
        root: the unpacked tree.
        modules: more than what the disk and the network need.
    """
    files = {
        path.name.split(".ko")[0].replace("-", "_"): path for path in sorted((root / "lib" / "modules").rglob("*.ko*"))
    }
    order: dict[str, bytes] = {}
    for name in (*_MODULES, *modules):
        _add_with_needs(name, files, order)
    busybox = (root / "bin" / "busybox").read_bytes()
    entries = [ArchiveEntry.folder(path) for path in ("bin", "dev", "proc", "disk", "modules")]
    entries += [
        ArchiveEntry.program("bin/busybox", busybox),
        ArchiveEntry.program("init", guest_file("initramfs_init").encode()),
    ]
    entries += [ArchiveEntry(f"modules/{name}.ko", content) for name, content in order.items()]
    entries.append(ArchiveEntry("modules/order", "".join(f"{name}.ko\n" for name in order).encode()))
    return initramfs(entries)


def _add_with_needs(name: str, files: dict[str, Path], order: dict[str, bytes]) -> None:
    if name in order or name not in files:  # one that has no file is built into the kernel
        return
    path = files[name]
    content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    match = _DEPENDS.search(content)
    for need in match[1].decode().split(",") if match else []:
        if need:
            _add_with_needs(need.replace("-", "_"), files, order)
    order[name] = content
