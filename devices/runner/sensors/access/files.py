"""Read small files of /proc and /sys that may not be there."""

from __future__ import annotations

from pathlib import Path


def text(path: Path) -> str | None:
    """The file's text, stripped, or None when it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def number(path: Path) -> float | None:
    """The number in the file, or None."""
    content = text(path)
    try:
        return None if content is None else float(content)
    except ValueError:
        return None
