"""The emulated board's file tree: Debian packages unpacked, accounts and start-up written by hand.

No package script runs, so nothing has to be emulated and an ordinary user can do it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from devices.transports.emulated.image.bytecode import compile_for_board
from devices.transports.emulated.image.keys import BoardKeys
from devices.transports.emulated.image.recipe import ImageRecipe, guest_file
from devices.transports.emulated.image.sources import apt_options, mirror
from devices.transports.emulated.image.wheels import install_for_board
from devices.transports.emulated.tools import keyring, run_tool, tool

BOARD_USER = "board"
BOARD_UID = 4711
_ACCOUNTS = (("root", 0, "/root", "/bin/bash"), (BOARD_USER, BOARD_UID, f"/home/{BOARD_USER}", "/bin/sh"))
_SYSTEM = (("sshd", 101, "/run/sshd"), ("nobody", 65534, "/nonexistent"))
# a board needs none of these: 400 MB less to write and to read
_PRUNED = (
    "boot", "lib/modules", "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/perl",
    "usr/lib/aarch64-linux-gnu/perl", "usr/lib/aarch64-linux-gnu/gconv", "usr/share/i18n", "var/cache/apt",
    "var/lib/apt", "lib/systemd", "lib/udev",
)  # fmt: skip


def unpack_packages(recipe: ImageRecipe, root: Path) -> None:
    """Fetch and unpack the Debian packages into the empty folder ``root``."""
    source = mirror()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as options:
        options.write(apt_options())
        options.flush()
        # "extract" runs no package's scripts, so there is nothing that "chrootless" would have to keep from this system
        argv = [tool("mmdebstrap"), "--variant=extract", "--mode=chrootless", "--arch=arm64", "--format=directory"]
        argv += [f"--include={','.join(recipe.packages)}", f"--aptopt={options.name}"]
        if source is not None:
            argv += [recipe.suite, str(root), f"deb [signed-by={keyring()}] {source} {recipe.suite} main"]
        else:
            argv += [f"--keyring={keyring()}", recipe.suite, str(root)]
        run_tool(argv, doing="fetching the emulated board's Debian packages")


def furnish(recipe: ImageRecipe, root: Path, keys: BoardKeys) -> None:
    """Write accounts, keys and start-up, install the runtimes, drop what no board needs."""
    for name in _PRUNED:
        shutil.rmtree(root / name, ignore_errors=True)
    for name in ("boot", "dev", "proc", "sys", "run", "tmp", "root", f"home/{BOARD_USER}", "etc/eamdeploy", "var/tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    _write_accounts(root / "etc")
    _link(root / "bin/sh", "dash")
    _link(root / "sbin/init", "/bin/busybox")
    _write(root / "etc/inittab", guest_file("inittab"))
    _write(root / "etc/eamdeploy/rc", guest_file("rc"), mode=0o755)
    _write(root / "etc/ssh/sshd_config", guest_file("sshd_config"))
    _write(root / "etc/ssh/ssh_host_ed25519_key", keys.host_private, mode=0o600)
    _write(root / "etc/ssh/authorized_keys", keys.client_public)
    packages = f"usr/local/lib/python{recipe.python_version}/dist-packages"
    install_for_board(
        recipe.requirements,
        root / packages,
        python_version=recipe.python_version,
        machine="aarch64",
        glibc=recipe.glibc,
    )
    library = f"usr/lib/python{recipe.python_version}"
    compile_for_board(root, [packages, library], python_version=recipe.python_version)


def _write_accounts(etc: Path) -> None:
    passwd = [f"{name}:x:{uid}:{uid}::{home}:{shell}" for name, uid, home, shell in _ACCOUNTS]
    passwd += [f"{name}:x:{uid}:65534::{home}:/usr/sbin/nologin" for name, uid, home in _SYSTEM]
    group = [f"{name}:x:{uid}:" for name, uid, _, _ in _ACCOUNTS] + ["tty:x:5:", "nogroup:x:65534:"]
    # a "*" keeps passwords off and keys on; a "!" would lock the account
    shadow = [f"{name}:*:19000:0:99999:7:::" for name, *_ in (*_ACCOUNTS, *_SYSTEM)]
    _write(etc / "passwd", "\n".join(passwd) + "\n")
    _write(etc / "group", "\n".join(group) + "\n")
    _write(etc / "shadow", "\n".join(shadow) + "\n", mode=0o600)
    _write(etc / "hostname", "emulated-board\n")
    _write(etc / "hosts", "127.0.0.1 localhost emulated-board\n")
    _write(etc / "nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
