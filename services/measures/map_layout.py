"""Coordinates of organizations on a map, so that those who exchange stand near each other.

Forces as of Fruchterman and Reingold (Software: Practice and Experience 21:1129, 1991): all
organizations push each other away and ties pull. Coordinates lie in the unit square.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Tie = tuple[str, str, float]
"""Two organizations and how strongly they pull, above 0."""

_MARGIN: Final = 0.03
_GRAVITY: Final = 0.4
"""Pull to the centre, so that parts without a tie between them do not drift apart."""
_WHOLE_STEPS: Final = 160
_WHOLE_DISTANCES: Final = 60_000_000
"""Maximum number of distances in all steps, which bounds the time; at least 60 steps are made."""
_NEW_STEPS: Final = 60
_GOLDEN_ANGLE: Final = 2.399963
_BLOCK_ROWS: Final = 256
"""Rows of distances computed at a time, so that memory stays small."""


class Place(NamedTuple):
    """Coordinates, 0 to 1."""

    x: float
    y: float


def place_organizations(ties: Sequence[Tie], placed: Mapping[str, Place]) -> dict[str, Place]:
    """Coordinates of organizations with ties that have none yet; `placed` ones do not move.

    Without `placed` the whole graph is laid out. Otherwise a new organization starts at the
    barycentre of its neighbours and settles among the others. The same input has the same result.
    """
    names = sorted({name for a, b, _ in ties for name in (a, b)} | placed.keys())
    numbers = {name: number for number, name in enumerate(names)}
    is_new = np.array([name not in placed for name in names], dtype=np.bool_)
    if not is_new.any():
        return {}
    pulls = _sum_pulls(ties, numbers)
    points = _start(names, placed)
    if placed:
        _start_at_barycentres(points, is_new, pulls)
    steps = (
        _NEW_STEPS if placed else max(60, min(_WHOLE_STEPS, _WHOLE_DISTANCES // len(names) ** 2))
    )
    points = _settle(points, np.flatnonzero(is_new), pulls, steps)
    if not placed:
        points = _stretch(points)
    inside = np.clip(points, _MARGIN, 1 - _MARGIN)
    return {
        name: Place(round(float(inside[number, 0]), 5), round(float(inside[number, 1]), 5))
        for name, number in numbers.items()
        if is_new[number]
    }


class _Pulls(NamedTuple):
    """Ties as arrays: each pair in both directions."""

    ends: NDArray[np.intp]
    others: NDArray[np.intp]
    strength: NDArray[np.float64]


def _sum_pulls(ties: Sequence[Tie], numbers: Mapping[str, int]) -> _Pulls:
    strengths: dict[tuple[int, int], float] = {}
    for a, b, strength in ties:
        pair = (min(numbers[a], numbers[b]), max(numbers[a], numbers[b]))
        if pair[0] != pair[1]:
            strengths[pair] = strengths.get(pair, 0.0) + strength
    pairs = np.array(sorted(strengths), dtype=np.intp).reshape(-1, 2)
    strength = np.log1p(np.array([strengths[pair] for pair in sorted(strengths)]))
    return _Pulls(
        np.concatenate([pairs[:, 0], pairs[:, 1]]),
        np.concatenate([pairs[:, 1], pairs[:, 0]]),
        np.concatenate([strength, strength]),
    )


def _start(names: Sequence[str], placed: Mapping[str, Place]) -> Points:
    """Known places, and a spiral from the centre for the others."""
    count = len(names)
    turns = np.arange(count) * _GOLDEN_ANGLE
    radius = 0.45 * np.sqrt((np.arange(count) + 0.5) / count)
    points: Points = 0.5 + np.stack([radius * np.cos(turns), radius * np.sin(turns)], axis=1)
    for number, name in enumerate(names):
        if name in placed:
            points[number] = placed[name]
    return points


def _start_at_barycentres(points: Points, is_new: NDArray[np.bool_], pulls: _Pulls) -> None:
    """Moves new organizations to their neighbours that have a place, a little apart."""
    known = ~is_new[pulls.others]
    for number in np.flatnonzero(is_new):
        neighbours = pulls.others[(pulls.ends == number) & known]
        if len(neighbours):
            turn = number * _GOLDEN_ANGLE
            apart = 0.02 * np.array([np.cos(turn), np.sin(turn)])
            points[number] = points[neighbours].mean(axis=0) + apart


def _settle(points: Points, moving: NDArray[np.intp], pulls: _Pulls, steps: int) -> Points:
    """The points after a number of steps, in which only `moving` ones move."""
    points = points.copy()
    spacing = 0.9 / np.sqrt(len(points))
    pulled = np.isin(pulls.ends, moving)
    ends, others, strength = pulls.ends[pulled], pulls.others[pulled], pulls.strength[pulled]
    mean_strength = strength.mean() if len(strength) else 1.0
    force = np.empty_like(points)
    for step in range(steps):
        force[:] = 0
        lengths = (points**2).sum(axis=1)
        for start in range(0, len(moving), _BLOCK_ROWS):
            rows = moving[start : start + _BLOCK_ROWS]
            near = points[rows]
            squared = lengths[rows, None] + lengths[None, :] - 2 * (near @ points.T)
            push = spacing**2 / np.maximum(squared, 1e-6)
            force[rows] = near * push.sum(axis=1)[:, None] - push @ points
        along = points[others] - points[ends]
        distance = np.sqrt((along**2).sum(axis=1))
        pull = along * (distance * strength / mean_strength / spacing)[:, None]
        np.add.at(force, ends, pull)
        force += _GRAVITY * (0.5 - points)
        length = np.sqrt((force[moving] ** 2).sum(axis=1))
        limit = 0.1 * (1 - step / steps) + 0.001
        scale = np.minimum(length, limit) / np.maximum(length, 1e-12)
        points[moving] += force[moving] * scale[:, None]
    return points


def _stretch(points: Points) -> Points:
    """The points with the unit square filled, and apart where they were crowded.

    Half of each coordinate is the place in the order of all, which evens out crowds.
    """
    count = len(points)
    stretched = np.empty_like(points)
    for axis in range(2):
        values = points[:, axis]
        span = values.max() - values.min()
        linear = (values - values.min()) / span if span > 0 else np.full(count, 0.5)
        order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
        even = order / (count - 1) if count > 1 else np.full(count, 0.5)
        stretched[:, axis] = _MARGIN + (1 - 2 * _MARGIN) * (0.5 * linear + 0.5 * even)
    return stretched
