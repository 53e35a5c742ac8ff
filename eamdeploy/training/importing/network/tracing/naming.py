"""Paths for the layers of a program: those of the network they come from, none inside of another."""

from __future__ import annotations

RESERVED = ("spec", "instructions", "attentions", "constants", "rewrites")


class Paths:
    """Hands out paths, each once."""

    def __init__(self) -> None:
        self._used_names: set[str] = set()

    def claim(self, path: str, fallback: str = "layer") -> str:
        """``path`` if it is free, else with a number or ``.fallback`` behind it."""
        base = path or fallback
        if base.split(".")[0] in RESERVED or hasattr(_PLAIN, base.split(".")[0]):
            base = f"network.{base}"
        base = self._beside_leaves(base)
        candidate, count = base, 1
        while self._collides(candidate):
            count += 1
            inside = any(other.startswith(f"{base}.") for other in self._used_names)
            candidate = f"{base}.{fallback}{'' if count == 2 else count - 1}" if inside else f"{base}_{count}"
        self._used_names.add(candidate)
        return candidate

    def _beside_leaves(self, path: str) -> str:
        """``path`` with a number behind each folder that is a layer's own path already: nothing can be inside of that."""
        parts = path.split(".")
        for end in range(1, len(parts)):
            folder, count = parts[end - 1], 1
            while ".".join(parts[:end]) in self._used_names:
                count += 1
                parts[end - 1] = f"{folder}_{count}"
        return ".".join(parts)

    def _collides(self, path: str) -> bool:
        parts = path.split(".")
        above = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
        return bool(above & self._used_names) or any(other.startswith(f"{path}.") for other in self._used_names)


def _plain() -> object:
    from torch import nn

    return nn.Module()


_PLAIN = _plain()
