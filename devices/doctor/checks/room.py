"""Memory, swap and disk."""

from __future__ import annotations

from collections.abc import Iterator

from devices.doctor.facts import BoardFacts
from devices.doctor.finding import Diagnosis

_NO_FILES, _SETUP_FILES = 20, 2500
_LITTLE_MEMORY_MB, _LITTLE_DISK_MB, _NO_DISK_MB, _MUCH_SWAP_MB = 200, 200, 20, 100
_NETWORK = ("nfs", "nfs4", "cifs", "smb2", "fuseblk", "fuse.sshfs")


def check_memory(facts: BoardFacts) -> Iterator[Diagnosis]:
    """A runtime and a model need some."""
    if facts.memory_available_mb is None:
        return
    memory_text = f"{facts.memory_available_mb} of {facts.memory_mb} MB available"
    if facts.memory_available_mb < _LITTLE_MEMORY_MB:
        yield Diagnosis(
            "memory", "warning", memory_text, "the runtime may be killed", "stop other programs, or add swap"
        )
    else:
        yield Diagnosis("memory", "ok", memory_text)


def check_swap(facts: BoardFacts) -> Iterator[Diagnosis]:
    """Swap in use is disk in the figures."""
    if facts.swap_mb is None:
        return
    if facts.swap_used_mb and facts.swap_used_mb > _MUCH_SWAP_MB:
        meaning = "what is swapped out makes inferences wait for the disk"
        yield Diagnosis("swap", "warning", f"{facts.swap_used_mb} of {facts.swap_mb} MB in use", meaning, "free memory")
    else:
        used = f"{facts.swap_used_mb or 0} of {facts.swap_mb} MB in use"
        yield Diagnosis("swap", "ok", used if facts.swap_mb else "none")


def check_disk(facts: BoardFacts) -> Iterator[Diagnosis]:
    """Models and images are pushed to a temporary folder."""
    if facts.work_folder is None:
        yield Diagnosis(
            "disk",
            "problem",
            "no writable folder",
            "nothing can be pushed",
            "make a folder writable and name it in TMPDIR",
        )
        return
    free, files = facts.work_free_mb, facts.work_free_files
    room_text = f"{'?' if free is None else free} MB free in {facts.work_folder}"
    if files is not None and files < _NO_FILES:
        few_text = f"room for {files} more files in {facts.work_folder}"
        meaning = "the file system can hold no more files"
        yield Diagnosis("disk", "problem", few_text, meaning, "remove files there (df -i)")
    elif free is not None and free < _NO_DISK_MB:
        yield Diagnosis("disk", "problem", room_text, "the board's disk is full", "free some space there (df -h)")
    elif free is not None and free < _LITTLE_DISK_MB:
        yield Diagnosis("disk", "warning", room_text, "large models will not fit", "free some space there (df -h)")
    else:
        yield Diagnosis("disk", "ok", room_text)
    if facts.home in facts.noexec:
        room_text = f"{facts.home} is mounted noexec"
        yield Diagnosis(
            "home", "problem", room_text, "nothing installed there can be loaded", "mount it without noexec"
        )
    elif facts.home_type in _NETWORK:
        meaning = "runtimes start slowly from there, and a lost network stops them"
        yield Diagnosis("home", "note", f"{facts.home} is on {facts.home_type}", meaning)
    if facts.home_silent:
        meaning = "it is on a network file system whose server is gone; whatever touches it hangs"
        yield Diagnosis("home", "problem", f"{facts.home} does not answer", meaning, "check the network and the server")
        return
    if facts.home_free_files is not None and facts.home_free_files < _SETUP_FILES:
        room_text = f"room for {facts.home_free_files} more files in {facts.home}"
        meaning = f"'devices setup' makes about {_SETUP_FILES}"
        yield Diagnosis("home", "warning", room_text, meaning, "remove files there (df -i)")
    if not facts.home_exists:
        room_text = f"there is no folder {facts.home}" if facts.home else "none"
        meaning = "runs work from the temporary folder; 'devices setup' cannot install"
        yield Diagnosis("home", "warning", room_text, meaning, "make it, as the user's own")
    elif not facts.home_writable:
        meaning = "runs work from the temporary folder; 'devices setup' cannot install"
        yield Diagnosis("home", "warning", f"{facts.home or 'none'} is read-only", meaning, "make it writable")
