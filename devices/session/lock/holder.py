"""Holds a board's lock while its standard input stays alive; runs on the board, Python 3.9, standard library only.

The kernel's own file lock is the truth: it ends with this process, so a lock can never outlive its holder. Nothing that
another user of the board could have written is believed: the lock file is only locked, never read; who holds it stands in
a file that belongs to the holder's user; and which folders and processes are a dead job's is recorded in a private file
of this user's. When the host is done, gone (end of input) or silent, the job's processes are killed and its folder removed.

    python3 -I -c SOURCE LABEL SILENCE_S
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import select
import shutil
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MARK = "@eamdeploy "
NAME = "eamdeploy-board.lock"
LABEL_NAME = "eamdeploy-board.%d.json"  # of a user; only files that belong to this user are read
PREFIX = "eamdeploy."
JOB_VARIABLE = "EAMDEPLOY_JOB"  # in the environment of everything that a job runs
FOLDERS = ("/run/lock", "/var/lock", "/tmp", "/dev/shm")  # noqa: S108 - the same for every user of the board
WORK_BASES = (None, "/var/tmp", str(Path("~").expanduser()), "/dev/shm")  # noqa: S108 - mkdtemp makes it private
KILL_TRIES, KILL_WAIT_S = 40, 0.02
LABEL_LIMIT_BYTES = 4096
RECORD_LIMIT_BYTES = 1 << 20
Entry = dict[str, Any]


def open_lock() -> tuple[int, Path]:
    """The lock file's descriptor and folder; the file is made if need be. Everybody may lock it, nobody need write it."""
    folder_name = os.environ.get("EAMDEPLOY_LOCK_DIR")
    problem: OSError | None = None
    for folder in (folder_name,) if folder_name else FOLDERS:
        try:
            return open_or_make(Path(folder, NAME)), Path(folder)
        except OSError as error:
            problem = error
    raise SystemExit(f"the lock file cannot be made: {problem}")


def open_or_make(path: Path) -> int:
    """Open the file for reading, which is all that a lock needs, without following links; or make it."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):  # somebody else made it just now
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
            os.chmod(path, 0o644)  # noqa: PTH101 - whatever the umask: others must be able to lock it
        descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not an ordinary file")
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


def remove(entry: Entry) -> bool:
    """Kill what carries the job's marker, and delete its folder if it is still the one that was made; True if it was."""
    for _ in range(KILL_TRIES):  # what was just started by a process that was just killed
        if not kill_marked(str(entry.get("marker"))):
            break
        time.sleep(KILL_WAIT_S)
    root = str(entry.get("root"))
    try:
        status = os.lstat(root)
    except (OSError, ValueError):
        return False
    identity = (entry.get("device"), entry.get("inode"), os.getuid())
    if not stat.S_ISDIR(status.st_mode) or (status.st_dev, status.st_ino, status.st_uid) != identity:
        return False
    shutil.rmtree(root, ignore_errors=True)
    return True


def kill_marked(marker: str) -> bool:
    """Kill this user's processes whose environment holds the marker; True if there were any."""
    marker_entry, any_killed = f"{JOB_VARIABLE}={marker}".encode(), False
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            ours = process.stat().st_uid == os.getuid()
            if ours and marker_entry in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
                any_killed = True
        except OSError:  # it ended meanwhile
            continue
    return any_killed


def record_path() -> Path:
    """The private file of this user's in which jobs are recorded."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(base, "eamdeploy", "board-jobs.json")


def read_record() -> list[Entry]:
    """The jobs of this user on this machine that did not end; empty when the file is not private."""
    try:
        descriptor = os.open(record_path(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
            return []
        try:
            entries = json.loads(file.read(RECORD_LIMIT_BYTES))
        except (ValueError, RecursionError):
            return []
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def write_record(entries: list[Entry]) -> None:
    """Replace the record; where no private file can be written, a killed job's folder stays until somebody removes it."""
    with contextlib.suppress(OSError):
        path = record_path()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # 0600
        with os.fdopen(descriptor, "w") as file:
            json.dump(entries, file)
        os.replace(temporary, path)


def dead(entry: Entry) -> bool:
    """Whether the process that held this job's lock, on this machine, is gone."""
    return entry.get("machine") == platform.node() and started_at(entry.get("holder")) != entry.get("started")


def started_at(process_id: object) -> str | None:
    """When a process was started, in the kernel's ticks: with the number it names a process for good."""
    if not isinstance(process_id, int):
        return None
    try:
        return Path("/proc", str(process_id), "stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def say(**message: object) -> None:
    """One line to the host."""
    os.write(1, (MARK + json.dumps(message) + "\n").encode())


def read_label(folder: Path, user: int) -> dict[str, object] | None:
    """What a user wrote about the job; None if the file is not this user's own."""
    try:
        descriptor = os.open(folder / (LABEL_NAME % user), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != user:
            return None
        try:
            label = json.loads(file.read(LABEL_LIMIT_BYTES))
        except (ValueError, RecursionError):
            return None
    return label if isinstance(label, dict) else None


def write_label(folder: Path, label: dict[str, object]) -> None:
    """Tell others what runs; a job runs without it too."""
    path = folder / (LABEL_NAME % os.getuid())
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps(label))
        os.chmod(path, 0o644)  # noqa: PTH101


def holder_of(descriptor: int, folder: Path) -> dict[str, object] | None:
    """Who the kernel says holds the lock, with what this user wrote about the job."""
    status = os.fstat(descriptor)
    lock_identity = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if "FLOCK" in words and lock_identity in words and "->" not in words:
                user = os.stat(f"/proc/{words[4]}").st_uid  # noqa: PTH116
                return read_label(folder, user) or {"who": f"user {user}"}
    except (OSError, IndexError):
        pass
    labels = [read_label(folder, path.stat().st_uid) for path in folder.glob("eamdeploy-board.*.json")]
    return next((label for label in labels if label), None)


def wait_for_end(silence_s: float) -> None:
    """Return when the input ends or is silent for too long."""
    last_message_s = time.monotonic()
    while time.monotonic() - last_message_s < silence_s:
        if select.select([0], [], [], 1.0)[0]:
            if not os.read(0, 4096):
                return
            last_message_s = time.monotonic()


def stop(_number: int, _frame: object) -> None:
    """A signal ends the job as the end of the input does."""
    raise SystemExit(1)


def main() -> None:
    """Take the lock or say who has it."""
    label, silence_s = json.loads(sys.argv[1]), float(sys.argv[2])
    marker = label.pop("marker")
    ends = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    for number in ends:
        signal.signal(number, stop)
    descriptor, folder = open_lock()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        say(event="busy", holder=holder_of(descriptor, folder))
        return
    removed = [remove(entry) for entry in read_record() if dead(entry)]
    stale = read_label(folder, os.getuid()) if any(removed) else None
    root = make_work_root()
    root_status = os.lstat(root)
    entry = {
        "root": root, "device": root_status.st_dev, "inode": root_status.st_ino, "marker": marker,
        "machine": platform.node(), "holder": os.getpid(), "started": started_at(os.getpid()),
    }  # fmt: skip
    try:
        write_record([*(other for other in read_record() if not dead(other)), entry])
        write_label(folder, label)
        say(event="held", root=root, stale=stale)
        wait_for_end(silence_s)
    finally:
        for number in ends:
            signal.signal(number, signal.SIG_IGN)
        remove(entry)
        write_record([other for other in read_record() if other.get("marker") != marker])
        with contextlib.suppress(OSError):
            (folder / (LABEL_NAME % os.getuid())).unlink()
        os.close(descriptor)


main()
