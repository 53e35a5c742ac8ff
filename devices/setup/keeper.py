"""Keeps an environment that is being built, until it is known to work; runs on the board, Python 3.9, no packages.

The environment in use is what the link ``venv`` leads to. A new one is made beside it; on the word "switch" the link is
turned, in one step, and what it led to before is removed. When the host is done, gone or silent without that word, what
runs out of the new environment is killed and the environment removed, so the one that worked is never touched.

    python3 -I -c SOURCE BASE SILENCE_S
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

MARK = "@eamdeploy "
LINK, ENVIRONMENTS, LOCK = "venv", "environments", "setup.lock"
SCRATCH = "scratch"  # for what installing needs meanwhile: it goes with the environment, whatever happens
EXCHANGE, CURRENT_FOLDER = 2, -100  # linux/fs.h RENAME_EXCHANGE, fcntl.h AT_FDCWD
TRIES = 20


def say(**message: object) -> None:
    """One line to the host."""
    os.write(1, (MARK + json.dumps(message) + "\n").encode())


def make_environment(folder: Path, home: Path) -> Path:
    """An empty virtual environment, as `venv` makes it, on boards too whose Python comes without that module.

    Args:
        folder: empty.
        home: the Python that it is an environment of.
    """
    version = ".".join(map(str, sys.version_info[:2]))
    (folder / "bin").mkdir()
    (folder / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    settings = f"home = {home.parent}\ninclude-system-site-packages = false\nversion = {sys.version.split()[0]}\n"
    (folder / "pyvenv.cfg").write_text(settings)
    python = folder / "bin" / "python"
    python.symlink_to(home)
    return python


def runs_out_of(folder: Path, process: Path) -> bool:
    """Whether a process of ours was started by a program of this folder, or by the set-up with its temporary files there.

    Args:
        process: its folder in /proc. That a command line mentions the folder says nothing: an editor's or a pager's does too.
    """
    if process.stat().st_uid != os.getuid():
        return False
    program = (process / "cmdline").read_bytes().split(b"\0")[0]
    scratch = os.fsencode(f"TMPDIR={folder / SCRATCH}")
    return program.startswith(os.fsencode(f"{folder}/")) or scratch in (process / "environ").read_bytes().split(b"\0")


def remove(folder: Path) -> None:
    """End what runs out of a folder and delete it; once more where something was still writing into it."""
    for _ in range(TRIES):
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):  # it ended meanwhile, or is somebody else's
                    if runs_out_of(folder, entry):
                        os.kill(int(entry.name), signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def sweep(base: Path) -> None:
    """Remove what a setup left that was killed without a chance to clear up; nobody else builds while we hold the lock."""
    link = base / LINK
    if not os.path.lexists(link):
        for before in (base / ENVIRONMENTS).glob("before-*"):  # cut off between the two steps of `switch`
            before.rename(link)
            break
    for each in [*(base / ENVIRONMENTS).iterdir(), *base.glob(".link-*")]:
        if each.is_symlink():
            each.unlink()
        elif not (link.exists() and each.samefile(link)):
            remove(each)


def switch(base: Path, folder: Path) -> None:
    """Turn the link to ``folder``."""
    link, fresh_link = base / LINK, base / f".link-{os.getpid()}"
    fresh_link.symlink_to(Path(ENVIRONMENTS, folder.name))
    if link.is_symlink() or not link.exists():
        fresh_link.replace(link)
        return
    # a folder of an earlier release stands where the link belongs
    before = base / ENVIRONMENTS / f"before-{os.getpid()}"
    if exchanged(fresh_link, link):
        fresh_link.rename(before)
    else:
        link.rename(before)
        fresh_link.replace(link)


def exchanged(first: Path, other: Path) -> bool:
    """Swap two names in one step, where the C library and the file system can."""
    try:
        import ctypes  # which a Python may be built without

        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, ImportError):
        return False
    return bool(call(CURRENT_FOLDER, os.fsencode(first), CURRENT_FOLDER, os.fsencode(other), EXCHANGE) == 0)


def told_to_switch(silence_s: float) -> bool:
    """Wait for the word; False when the input ends, or nothing came for too long."""
    last_message_s, text = time.monotonic(), b""
    while time.monotonic() - last_message_s < silence_s:
        if select.select([0], [], [], 1.0)[0]:
            chunk = os.read(0, 4096)
            if not chunk:
                return False
            last_message_s, text = time.monotonic(), (text + chunk)[-4096:]
            if b"switch\n" in text:
                return True
    return False


def stop(_number: int, _frame: object) -> None:
    """A signal ends the building as the end of the input does."""
    raise SystemExit(1)


def main() -> None:
    """Make the environment, wait, switch or remove."""
    base, silence_s = Path(sys.argv[1]), float(sys.argv[2])
    ends = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    try:
        (base / ENVIRONMENTS).mkdir(parents=True, exist_ok=True)
        lock = os.open(base / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SystemExit(f"{error.filename}: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(event="busy")
        return
    except OSError:  # a network file system that knows no locks: the board's own lock is then all there is
        os.write(2, b"the home folder cannot be locked\n")
    for number in ends:
        signal.signal(number, stop)
    folder = None
    try:
        sweep(base)
        try:
            folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%dT%H%M%S-"), dir=base / ENVIRONMENTS))
            home = Path(getattr(sys, "_base_executable", sys.executable))
            python = make_environment(folder, home)
            (folder / SCRATCH).mkdir()
        except OSError as error:
            raise SystemExit(f"{error.filename}: {error.strerror}") from None
        say(event="building", scratch=str(folder / SCRATCH), home=str(home), python=str(python))
        if told_to_switch(silence_s):
            for number in ends:
                signal.signal(number, signal.SIG_IGN)
            shutil.rmtree(folder / SCRATCH, ignore_errors=True)
            switch(base, folder)
            folder = None
            sweep(base)
            say(event="switched", python=str(base / LINK / "bin" / "python"))
    finally:
        for number in ends:
            signal.signal(number, signal.SIG_IGN)
        if folder is not None:
            remove(folder)


main()
