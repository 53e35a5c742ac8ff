"""What is said of stored runs that do not decode: which, why, and how to set them aside."""

from __future__ import annotations

from eamdeploy.cli.views.output import err_console
from eamdeploy.runs.store import Store

_MOST = 5


def note_unreadable(store: Store) -> None:
    """Name the rows that were passed over, on stderr; nothing where all could be read."""
    if not store.unreadable:
        return
    screen = err_console()
    for run_id, why in list(store.unreadable.items())[:_MOST]:
        screen.print(f"note: stored run {run_id} cannot be read: {why}", style="yellow", markup=False, soft_wrap=True)
    count = len(store.unreadable)
    rest = f" ({count} in all)" if count > _MOST else ""
    words = f"note: it was passed over{rest}; set it aside with: eamdeploy history quarantine"
    screen.print(words, style="yellow", markup=False, soft_wrap=True)
