"""The user's own calibrations: one file each, in the user's data folder or where EAMDEPLOY_CALIBRATIONS says."""

from __future__ import annotations

import os
from pathlib import Path

from devices.latency.model.calibration import Calibration, read_calibration


def folder() -> Path:
    """Where they are kept."""
    override = os.environ.get("EAMDEPLOY_CALIBRATIONS")
    if override:
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_data_dir("eamdeploy", appauthor=False)) / "calibrations"


def own_calibrations() -> tuple[Calibration, ...]:
    """All of them; none is no error."""
    where = folder()
    return tuple(read_calibration(p) for p in sorted(where.glob("*.json"))) if where.is_dir() else ()
