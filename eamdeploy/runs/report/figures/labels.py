"""Labels beside points, none over another: greedy, in the order given, the nearest free place first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SIZE = 8.5  # of the font, in points
_WIDTH, _HEIGHT = 0.56 * SIZE, 1.35 * SIZE  # of a character: an estimate, the page chooses the font
_MARKER = 8.0  # half the side of a point's box
_LEADER_FROM = 24.0  # a label this far away gets a line to its point
# shares of the canvas that the axes take up, near enough
_AXES_SHARE = (0.84, 0.76)

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Place:
    """Where a label goes: its offset from the point in points, and whether its end or its beginning is there."""

    dx: float
    dy: float
    alignment: str


def place_labels(axes: Any, points: Sequence[tuple[float, float]], texts: Sequence[str]) -> list[Place]:
    """A place for each text beside its point (data coordinates); the axes' limits must be final.

    Where no place is free the label takes the nearest one, over whatever is there.
    """
    width, height = (72 * share * side for share, side in zip(_AXES_SHARE, axes.figure.get_size_inches(), strict=True))
    where = axes.transLimits.transform(axes.transScale.transform(list(points)))
    spots = [(x * width, y * height) for x, y in where]
    occupied: list[Box] = [(x - _MARKER, y - _MARKER, x + _MARKER, y + _MARKER) for x, y in spots]
    places = []
    for (x, y), text in zip(spots, texts, strict=True):
        options = [(place, _box(x, y, place, text)) for place in _candidates()]
        inside = [(place, box) for place, box in options if box[0] >= 0 and box[2] <= width and 0 <= box[1] <= height]
        free = [(place, box) for place, box in inside if not any(_overlap(box, other) for other in occupied)]
        place, box = (free or inside or options)[0]
        occupied.append(box)
        places.append(place)
    return places


def draw_labels(axes: Any, points: Sequence[tuple[float, float]], texts: Sequence[str], colours: Sequence[str]) -> None:
    """Write ``texts`` beside their ``points``."""
    for place, point, text, colour in zip(place_labels(axes, points, texts), points, texts, colours, strict=True):
        leader = {"arrowstyle": "-", "color": colour, "lw": 0.6, "shrinkB": _MARKER / 2}
        axes.annotate(
            text,
            point,
            xytext=(place.dx, place.dy),
            textcoords="offset points",
            ha=place.alignment,
            va="center",
            fontsize=SIZE,
            color=colour,
            arrowprops=leader if abs(place.dy) >= _LEADER_FROM else None,
            zorder=4,
        )


def _candidates() -> Iterator[Place]:
    for step in range(9):
        for dy in (10.0 + 13 * step, -10.0 - 13 * step):
            yield Place(8.0, dy, "left")
            yield Place(-8.0, dy, "right")


def _box(x: float, y: float, place: Place, text: str) -> Box:
    length = _WIDTH * len(text)
    left = x + place.dx - (length if place.alignment == "right" else 0)
    return left, y + place.dy - _HEIGHT / 2, left + length, y + place.dy + _HEIGHT / 2


def _overlap(first: Box, other: Box) -> bool:
    return first[0] < other[2] and other[0] < first[2] and first[1] < other[3] and other[1] < first[3]
