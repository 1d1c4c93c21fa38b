"""Places organizations on a plane: stress majorization, the same for equal ties."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import cdist

Points = NDArray[np.float64]
Tie = tuple[int, int, float]
_STEPS: Final = 60
_GAP: Final = 1.3
"""How much farther apart unconnected parts lie than the most distant connected ones."""
_DRAWN_IN: Final = 0.7
"""The power of a distance from the centre at which a point is drawn."""
_MIN_LENGTH, _MAX_LENGTH = 0.5, 2.0


def place_organizations(count: int, ties: Sequence[Tie]) -> Points:
    """Coordinates from 0 to 1, of shape (count, 2): strong ties are short.

    Minimizes the stress sum of (|x_i - x_j| - d_ij)^2 / d_ij^2, d_ij being the length of the
    shortest path, by majorization (E. Gansner, Y. Koren and S. North, Graph Drawing 2004). It
    begins with classical scaling instead of random points, so that equal ties give equal places.
    """
    if count < 3:
        return np.array([[0.3, 0.5], [0.7, 0.5]])[:count] if count != 1 else np.array([[0.5, 0.5]])
    distances = _measure_distances(count, ties)
    points = _scale_classically(distances)
    weights = distances.copy()
    np.fill_diagonal(weights, 1.0)
    weights = weights**-2
    np.fill_diagonal(weights, 0.0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    # The first point is fixed, which makes the rest of the Laplacian positive definite.
    factor = cho_factor(laplacian[1:, 1:])
    for _ in range(_STEPS):
        lengths = cdist(points, points)
        np.fill_diagonal(lengths, 1.0)
        pull = weights * distances / np.maximum(lengths, 1e-9)
        np.fill_diagonal(pull, 0.0)
        target = (np.diag(pull.sum(axis=1)) - pull) @ points
        points = np.vstack([np.zeros((1, 2)), cho_solve(factor, target[1:])])
    return _fit(points)


def separate(points: Points, radii: NDArray[np.float64], size: tuple[float, float]) -> Points:
    """The points moved apart until circles of these radii do not touch, within 0 to `size`."""
    points = points.copy()
    reach = radii[:, None] + radii[None, :]
    for _ in range(80):
        offsets = points[:, None, :] - points[None, :, :]
        lengths = np.sqrt((offsets**2).sum(axis=2))
        overlap = np.maximum(reach - lengths, 0)
        np.fill_diagonal(overlap, 0)
        if not overlap.any():
            break
        # Points in one place are moved apart by their numbers.
        directions = offsets / np.maximum(lengths, 1e-6)[:, :, None]
        same = np.argwhere(np.triu(lengths < 1e-6, 1))
        directions[same[:, 0], same[:, 1]] = (1.0, 0.0)
        directions[same[:, 1], same[:, 0]] = (-1.0, 0.0)
        points += (directions * (overlap / 2)[:, :, None]).sum(axis=1) * 0.6
        points = np.clip(points, radii[:, None], np.array(size) - radii[:, None])
    return points


def _measure_distances(count: int, ties: Sequence[Tie]) -> Points:
    """Shortest paths along ties whose length falls with the square root of their weight."""
    if not ties:
        return np.ones((count, count)) - np.eye(count)
    first, second, weight = (np.array(column) for column in zip(*ties, strict=True))
    graph = coo_array((weight, (first, second)), shape=(count, count)).toarray()
    graph = graph + graph.T
    present = graph > 0
    typical = np.median(graph[present])
    lengths = np.zeros_like(graph)
    lengths[present] = np.clip(np.sqrt(typical / graph[present]), _MIN_LENGTH, _MAX_LENGTH)
    distances = shortest_path(lengths, directed=False)
    apart = ~np.isfinite(distances)
    distances[apart] = distances[~apart].max() * _GAP
    return np.asarray(distances)


def _scale_classically(distances: Points) -> Points:
    """The two leading coordinates of classical scaling, each with its longer tail on the right."""
    squares = distances**2
    centered = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    values, vectors = np.linalg.eigh(-centered / 2)
    points: Points = vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 1e-9))
    signs = np.where((points**3).sum(axis=0) < 0, -1.0, 1.0)
    # Points that scaling puts in one place are set apart on a small spiral.
    turns = np.arange(len(points)) * 2.399963
    spiral = np.column_stack([np.cos(turns), np.sin(turns)]) * 0.02
    return points * signs + spiral


def _fit(points: Points) -> Points:
    """The points along their longest axis, from 0 to 1 in both directions.

    Distances from the centre are drawn in, so that a few distant points leave room for the others.
    """
    centered = points - np.median(points, axis=0)
    lengths = np.hypot(centered[:, 0], centered[:, 1])[:, None]
    centered = centered * np.maximum(lengths, 1e-9) ** (_DRAWN_IN - 1)
    _, _, axes = np.linalg.svd(centered, full_matrices=False)
    turned = centered @ axes.T
    signs = np.where((turned**3).sum(axis=0) < 0, -1.0, 1.0)
    turned = turned * signs
    low, high = turned.min(axis=0), turned.max(axis=0)
    fitted: Points = (turned - low) / np.maximum(high - low, 1e-9)
    return fitted
