"""Notices when another package stands in the place of one of ours.

eamdeploy consists of four packages: ``eamdeploy``, ``export``, ``devices`` and ``runtimes``. A user's own ``export.py``
may be found first, for example when Python was started in its folder with ``python -m``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from eamdeploy.base.errors import UsageError

SIBLINGS = ("devices", "export", "runtimes")


def check_siblings() -> None:
    """Make sure that the sibling packages are the ones that were installed with this one.

    Raises:
        UsageError: another file or package of that name is found first.
    """
    root = Path(__file__).resolve().parents[2]
    for name in SIBLINGS:
        spec = importlib.util.find_spec(name)
        place = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if place != root / name / "__init__.py":
            raise UsageError(
                f"another '{name}' is imported in place of eamdeploy's own package",
                where=place or name,
                hint="start the `eamdeploy` command instead of `python -m eamdeploy`, or start it in another folder",
            )
