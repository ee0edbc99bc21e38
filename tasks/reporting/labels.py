"""Placing the names of points that lie close together, so that none covers another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.reporting.svg import FONT_SIZE, text_width

DISTANCES = (11.0, 20.0, 32.0, 46.0, 62.0, 80.0, 100.0)
ANGLES = (0, 180, 270, 90, 330, 30, 210, 150, 300, 240, 60, 120)
"""Degrees, clockwise from the right; earlier ones are liked better."""
COST_OF_OVERLAP = 50.0
COST_OF_A_POINT = 400.0
COST_OF_DISTANCE = 0.35


@dataclass(frozen=True)
class Box:
    """A rectangle from (left, top) to (right, bottom)."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def inside(self, other: Box) -> bool:
        """Whether all of it lies within `other`."""
        return (
            self.left >= other.left
            and self.top >= other.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True)
class Label:
    """Where a name goes: its box, and the distance from its point."""

    box: Box
    distance: float


def place_labels(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    sheet: Box,
    obstacles: Sequence[Box] = (),
    radius: float = 6.0,
) -> list[Label]:
    """A place for each point's name, the earlier points choosing first.

    Greedy over candidate places around the point (Christensen, Marks & Shieber 1995, "An
    Empirical Study of Algorithms for Point-Feature Label Placement"): free of other names and of
    points first, near second.
    """
    marks = [Box(x - radius, y - radius, x + radius, y + radius) for x, y in points]
    taken: list[Box] = []
    placed: list[Label] = []
    for (x, y), name in zip(points, names, strict=True):
        best = min(
            _candidates(x, y, name),
            key=lambda each: _cost(each, sheet, taken, marks, obstacles),
        )
        taken.append(best.box)
        placed.append(best)
    return placed


def _candidates(x: float, y: float, name: str) -> list[Label]:
    width, height = text_width(name) + 4, FONT_SIZE + 4
    found: list[Label] = []
    for distance in DISTANCES:
        for angle in ANGLES:
            across, down = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            left = x + distance * across - (width if across < -0.1 else 0)
            left -= width / 2 if abs(across) <= 0.1 else 0
            middle = y + distance * down
            box = Box(left, middle - height / 2, left + width, middle + height / 2)
            found.append(Label(box, distance))
    return found


def _cost(
    label: Label, sheet: Box, taken: Sequence[Box], marks: Sequence[Box], obstacles: Sequence[Box]
) -> float:
    if not label.box.inside(sheet):
        return math.inf
    cost = COST_OF_DISTANCE * label.distance
    cost += COST_OF_OVERLAP * sum(label.box.overlap(other) for other in taken)
    cost += COST_OF_A_POINT * sum(label.box.overlap(mark) > 0 for mark in marks)
    return cost + sum(label.box.overlap(other) for other in obstacles)
