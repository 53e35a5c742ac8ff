"""A measurement that took minutes is not lost because the store's disk is full: it is kept in a file of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from eamdeploy.base.errors import EamdeployError, UsageError
from eamdeploy.base.files import atomic_write_text
from eamdeploy.base.results import Run
from eamdeploy.runs.store.transfer_format import lines_of


def rescue(error: EamdeployError, entries: Sequence[tuple[Run, str | None]]) -> Path | None:
    """Write the runs in the format of ``history export`` where there is room, and say so in the error's hint.

    Returns:
        The file, or ``None`` where no folder could be written (the hint says that too).
    """
    if not entries:
        return None
    text = "".join(f"{line}\n" for line in lines_of(entries))
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        target = folder / f"eamdeploy-run-{_plain(entries[0][0].id)}.jsonl"
        try:
            atomic_write_text(target, text, private=True)
        except UsageError:
            continue
        rescue_text = f"the run is kept in {target}, add it with: eamdeploy history import {target}"
        error.hint = f"{error.hint}; {rescue_text}" if error.hint else rescue_text
        return target
    error.hint = f"{error.hint}; the run could not be kept in a file either" if error.hint else None
    return None


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in text)[:80]
