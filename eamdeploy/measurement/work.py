"""How much of the work on one board is done, as one share of all of it, so that a bar can show a percentage and the time left."""

from __future__ import annotations

from collections.abc import Hashable

from eamdeploy.base.progress import Progress

_WHOLE = 1000


class BoardWork:
    """Adds up parts of different length; what it reports never goes back.

    Attributes:
        progress: receives the steps.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._seconds: dict[Hashable, float] = {}
        self._shares: dict[Hashable, float] = {}
        self._reported = 0

    def expect(self, part: Hashable, seconds: float) -> None:
        """Say how long a part is expected to take, before it begins or when more is known."""
        self._seconds[part] = max(seconds, 0.0)
        self._shares.setdefault(part, 0.0)

    def reach(self, part: Hashable, share: float) -> None:
        """Say how much of a part is done, from 0 to 1."""
        self._shares[part] = min(max(share, 0.0), 1.0)
        whole = sum(self._seconds.values())
        done = sum(self._seconds.get(name, 0.0) * each for name, each in self._shares.items())
        self._reported = max(self._reported, round(_WHOLE * done / whole) if whole else 0)
        self.progress.step(self._reported, _WHOLE)
