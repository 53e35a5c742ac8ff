"""Holds a board's lock while its standard input stays alive; runs on the board, Python 3.9, standard library only.

The kernel's own file lock is the truth: it ends with this process, so a lock can never outlive its holder. What is
written in the file only says who holds it. When the host is done, gone (end of input) or silent, everything that runs
out of the job's folder is killed and the folder removed.

    python3 -c SOURCE LABEL SILENCE_S
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path

MARK = "@eamdeploy "
NAME = "eamdeploy-board.lock"
PREFIX = "eamdeploy."
FOLDERS = ("/run/lock", "/var/lock", "/tmp", "/dev/shm")  # noqa: S108 - the same for every user of the board
WORK_BASES = (None, "/var/tmp", str(Path("~").expanduser()), "/dev/shm")  # noqa: S108 - mkdtemp makes it private


def open_lock() -> int:
    """The lock file's descriptor; the file is made if need be, open to every user of the board."""
    chosen = os.environ.get("EAMDEPLOY_LOCK_DIR")
    problem: OSError | None = None
    for folder in (chosen,) if chosen else FOLDERS:
        try:
            return open_or_make(Path(folder, NAME))
        except OSError as error:
            problem = error
    raise SystemExit(f"the lock file cannot be made: {problem}")


def open_or_make(path: Path) -> int:
    """Open the file without following links, or make it."""
    try:
        # without O_CREAT first: in a sticky folder it is refused for somebody else's file
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        except FileExistsError:  # somebody else made it just now
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        os.fchmod(descriptor, 0o666)
        return descriptor


def make_work_root() -> str:
    """A private folder for the job."""
    problem: OSError | None = None
    for base in WORK_BASES:
        try:
            return tempfile.mkdtemp(prefix=PREFIX, dir=base)
        except OSError as error:
            problem = error
    raise SystemExit(f"no folder of the board can be written: {problem}")


def remove(root: str) -> None:
    """Kill what runs out of the folder, whichever way it was started, and delete it."""
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == own:
            continue
        try:
            if root.encode() in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
    shutil.rmtree(root, ignore_errors=True)


def remove_leftover(root: str) -> None:
    """Clear what a killed job left, if it is what it claims to be: everybody may write into the lock file."""
    try:
        status = os.lstat(root)
    except OSError:
        return
    if Path(root).name.startswith(PREFIX) and stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
        remove(root)


def say(**message: object) -> None:
    """One line to the host."""
    os.write(1, (MARK + json.dumps(message) + "\n").encode())


def read_label(descriptor: int) -> dict[str, object] | None:
    """What the last holder wrote, or None."""
    try:
        label = json.loads(os.pread(descriptor, 4096, 0).decode() or "null")
    except ValueError:
        return None
    return label if isinstance(label, dict) else None


def wait_for_end(silence_s: float) -> None:
    """Return when the input ends or is silent for too long."""
    heard = time.monotonic()
    while time.monotonic() - heard < silence_s:
        if select.select([0], [], [], 1.0)[0]:
            if not os.read(0, 4096):
                return
            heard = time.monotonic()


def stop(_number: int, _frame: object) -> None:
    """A signal ends the job as the end of the input does."""
    raise SystemExit(1)


def main() -> None:
    """Take the lock or say who has it."""
    label, silence_s = json.loads(sys.argv[1]), float(sys.argv[2])
    ends = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    for number in ends:
        signal.signal(number, stop)
    descriptor = open_lock()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        say(event="busy", holder=read_label(descriptor))
        return
    stale = read_label(descriptor)
    root = make_work_root()
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(dict(label, root=root)).encode(), 0)
        if stale is not None:
            remove_leftover(str(stale.get("root")))
        say(event="held", root=root, stale=stale)
        wait_for_end(silence_s)
    finally:
        for number in ends:
            signal.signal(number, signal.SIG_IGN)
        remove(root)
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


main()
