"""What the host says about things that go wrong on the board."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from msgspec import UNSET

from devices.session.messages import Failed
from eamdeploy.base.errors import (
    DataError,
    EamdeployError,
    InternalError,
    MeasurementError,
    MissingDependency,
    UsageError,
)

_FROM_BOARDS: dict[str, type[EamdeployError]] = {
    "EamdeployError": InternalError,
    "InternalError": InternalError,
    "UsageError": UsageError,
    "DataError": DataError,
    "MeasurementError": MeasurementError,
    "MissingDependency": MissingDependency,
}
LOCAL = "host"  # what the local transport calls this machine
_NO_PROGRAM = (126, 127)
_SIGNALS = {
    signal.SIGKILL: (
        "the kernel does that when memory runs out",
        "close other programs on the board, add swap, or run a smaller model",
    ),
    signal.SIGILL: (
        "the runtime uses instructions that this CPU does not have",
        "install a build for it; 'eamdeploy devices check' lists the CPU's features",
    ),
    signal.SIGSEGV: ("the runtime crashed", "try another version of the runtime, or turn `xnnpack` off"),
    signal.SIGBUS: ("a file vanished or the memory failed", "check the board's disk and memory"),
    signal.SIGABRT: ("the runtime gave up", "see its message above, or try another version of the runtime"),
}


def from_answer(message: Failed, board: str, names: Mapping[str, str]) -> EamdeployError:
    """The error that the runner met, as its own class, with the user's file names in place of the board's."""
    # what a board may say went wrong there; that a check failed or a gate did is not for a board to say
    kind = _FROM_BOARDS.get(message.type, MeasurementError)
    parts = {key: _renamed(getattr(message, key), names) for key in ("what", "where", "why", "hint")}
    where = f"on {board}" if not parts["where"] else f"{parts['where']} on {board}"
    if kind is MissingDependency and board != LOCAL and (parts["hint"] or "").startswith("install it with: pip"):
        parts["hint"] = f"'eamdeploy devices setup {board}' installs what is missing, if the board can run it"
    error = kind(parts["what"] or "the runner failed", where=where, why=parts["why"], hint=parts["hint"])
    if message.traceback is not UNSET:
        error.add_note(message.traceback)
    return error


def worker_ended(board: str, status: int, stderr: str) -> EamdeployError:
    """A worker that ended before it answered."""
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        guess, hint = _SIGNALS.get(signal.Signals(-status), ("", "")) if -status in set(signal.Signals) else ("", "")
        why = f"{name}{'; ' + guess if guess else ''}{_tail(stderr)}"
        return MeasurementError("the process that ran the model was killed", where=board, why=why, hint=hint or None)
    if status == 0:
        return MeasurementError("the process that ran the model ended too early", where=board, why=_last(stderr))
    return InternalError("the runner failed on the board", where=board, why=_last(stderr) or f"exit status {status}")


def runner_ended(board: str, status: int, stderr: str, noise: Sequence[str]) -> EamdeployError:
    """The runner itself ended while it was needed."""
    last_line = _last(stderr) or _last("\n".join(noise))
    if status in _NO_PROGRAM:
        hint = "install python3 there, or name the one to use: eamdeploy devices add … --python PATH"
        return MissingDependency("Python could not be started on the board", where=board, why=last_line, hint=hint)
    if "needs Python 3.9" in stderr:
        return MissingDependency(
            "the board's Python is too old", where=board, why=last_line, hint="install Python 3.9 or later"
        )
    if status < 0 or status > 128:
        number = -status if status < 0 else status - 128
        return MeasurementError(
            "the runner was killed on the board", where=board, why=f"signal {number}{_tail(stderr)}"
        )
    return MeasurementError("the runner ended too early", where=board, why=last_line or f"exit status {status}")


def _renamed(text: object, names: Mapping[str, str]) -> str | None:
    if text is None:
        return None
    result = str(text)
    for remote, local in names.items():
        result = result.replace(remote, local)
    return result


def _last(text: str) -> str | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else None


def _tail(stderr: str) -> str:
    last = _last(stderr)
    return f"; it last said: {last}" if last else ""
