"""How long a board may take for each thing that it is asked; a board that talks without answering is given up then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devices.transports.limits import transfer_s

START_S = 120.0
WORKDIR_S = 60.0
_SHORT_S = 60.0
_LOAD_S = 600.0
_SHARD_S = 1200.0
_SLACK_S = 300.0  # the first inference, and the last one that had begun
_PROFILED_S = 30.0  # for each inference
_USUAL_SILENCE_S = 60.0


@dataclass(frozen=True)
class Deadlines:
    """Deadlines of one board.

    Attributes:
        factor: how many times slower than a real board it may be; an emulated one is.
    """

    factor: float = 1.0

    @classmethod
    def for_silence(cls, silence_s: float) -> Deadlines:
        """A board that may be silent for long may also take long."""
        return cls(max(1.0, silence_s / _USUAL_SILENCE_S))

    def start_s(self) -> float:
        """From starting the runner to its first word."""
        return START_S * self.factor

    def workdir_s(self) -> float:
        """Making a folder."""
        return WORKDIR_S * self.factor

    def push_s(self, size_bytes: int) -> float:
        """Bringing a file there, over the slowest link that is of use."""
        return transfer_s(size_bytes) * self.factor

    def request_s(self, operation: str, request: Mapping[str, Any]) -> float:
        """One answer of the runner."""
        if operation == "measure":
            limits = request.get("limits", {})
            sampling = float(limits.get("max_seconds", 60.0)) + float(limits.get("warmup_seconds", 3.0))
            return (sampling + _SLACK_S) * self.factor
        if operation == "profile":
            return (_SLACK_S + _PROFILED_S * float(request.get("inferences", 1))) * self.factor
        return {"load": _LOAD_S, "infer": _SHARD_S, "once": _LOAD_S}.get(operation, _SHORT_S) * self.factor
