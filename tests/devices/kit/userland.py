"""Whole userlands as boards have them, under this machine's kernel: a board whose programs are 32-bit, or use musl."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import platformdirs
import pytest
from filelock import FileLock

from devices.transports.emulated.image.sources import mirror
from tests.devices.kit.sshd_board import SshdBoard

_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_DEBIAN = "python3,bash,dash,coreutils,libc-bin,grep,procps"
_PLACE = "/board"  # where the test's folder is seen from inside
_ENTER = """
mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --bind "$1" "$0$2" || exit 1
exec chroot "$0" /usr/bin/env "HOME=$2/home" "TMPDIR=$2/tmp" "EAMDEPLOY_LOCK_DIR=$2/tmp" \\
  "PATH=$2/tools:/usr/local/bin:/usr/bin:/bin" /bin/sh -c 'cd; exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
"""


class UserlandBoard(SshdBoard):
    """A board whose logins see the userland in ``root`` and nothing of this machine's but /proc and /dev."""

    def __init__(self, folder: Path, root: Path) -> None:
        namespaces = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
        enter = ["unshare", *namespaces, "--mount", "sh", "-c"]
        if shutil.which("unshare") is None or subprocess.run([*enter, "true"], check=False).returncode:
            pytest.skip("needs the right to change the root folder (unshare --mount)")
        super().__init__(folder, forced=f"exec {shlex.join([*enter, _ENTER, str(root), str(folder), _PLACE])}")
        self.work = f"{_PLACE}/tmp"


def cached_folder(name: str) -> Path:
    """Where a userland is kept from one run of the tests to the next."""
    folder = platformdirs.user_cache_path("eamdeploy-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def debian_32_bit() -> Path:
    """A Debian whose programs are 32-bit, Python among them; unpacked from its packages, no script of which runs."""
    root = cached_folder("debian-12-i386")
    with FileLock(f"{root}.lock"):
        if not (root / "board").is_dir():
            debian(root, arch="i386", packages=_DEBIAN)
            (root / "bin/sh").unlink(missing_ok=True)
            (root / "bin/sh").symlink_to("dash")
            (root / "board").mkdir()
    if subprocess.run(["chroot", root, "/bin/true"], capture_output=True, check=False).returncode:
        pytest.skip("this kernel runs no 32-bit programs, or this user may not change the root folder")
    return root


def debian(root: Path, *, arch: str, packages: str, suite: str = "bookworm") -> None:
    """Unpack packages of a Debian release into a folder; no script of theirs runs."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("needs mmdebstrap (apt-get install)")
    shutil.rmtree(root, ignore_errors=True)
    command = ["mmdebstrap", "--quiet", "--variant=extract", "--mode=chrootless", f"--arch={arch}"]
    command += ["--format=directory", f"--include={packages}", suite, str(root)]
    source = mirror()
    command += [f"deb [signed-by={_KEYS}] {source} {suite} main"] if source else [f"--keyring={_KEYS}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(root, ignore_errors=True)
        pytest.skip(f"no Debian for {arch} could be fetched: {done.stderr.strip().splitlines()[-1:]}")
