"""The network: arrows from givers to receivers, and names where they have room."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import hypot, sqrt
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
from markupsafe import Markup

from services.ledger.wording import format_count
from services.report.charts.svg import INK, SECONDARY, TIE, add, add_shape, draw, isolate, to_markup
from services.report.layout import Points, separate
from services.report.network_map import MapNode, MapTie, NetworkMap
from services.report.text import shorten


@dataclass(frozen=True, slots=True)
class MapSize:
    """One size of the map in pixels, and how much of it has room."""

    name: str
    width: float
    height: float
    max_nodes: int
    max_ties: int
    max_label: int
    """Characters of a name."""


SIZES: Final = (
    MapSize("wide", 1040, 660, 60, 160, 36),
    MapSize("medium", 660, 600, 50, 110, 28),
    MapSize("narrow", 336, 460, 30, 50, 16),
)
"""For large screens, for paper and small screens, and for phones; the page shows one of them."""
_FEWEST: Final = 0.35
_CROWD: Final = 20
"""The height of a map with few nodes, as a part of the full one, and how fast it grows to that."""
_MARGIN: Final = 20.0
_CHARACTER: Final = 6.9
"""Width of a character of a 12 px label in a wide typeface."""
_LINE_HEIGHT: Final = 15.0
_BEND: Final = 0.14
"""How far a tie bends, as a part of its length, so that both directions are seen."""
Box = tuple[float, float, float, float]


def draw_network(network: NetworkMap, size: MapSize) -> Markup:
    """Ties, then organizations, then as many names as fit, those of most exchange first."""
    nodes = network.nodes[: size.max_nodes]
    size = replace(size, height=size.height * min(1.0, _FEWEST + len(nodes) / _CROWD))
    organizations = format_count(len(network.nodes), "organization")
    label = f"{organizations} and {format_count(network.tie_count, 'tie')}"
    view = f"0 0 {size.width:.0f} {size.height:.0f}"
    svg = draw(f"Network of {label}", viewBox=view, width=size.width, class_=f"map {size.name}")
    ties = [tie for tie in network.ties if max(tie.giver, tie.receiver) < len(nodes)]
    ties = ties[: size.max_ties]
    radii = _measure_radii(nodes, size)
    points = _place(nodes, size, radii)
    largest = max((tie.weight for tie in ties), default=0.0)
    lines = add(svg, "g", stroke=TIE, fill="none", stroke_opacity=0.6)
    arrows = add(svg, "g", fill=SECONDARY)
    for tie in reversed(ties):  # the strongest on top
        _add_tie(lines, arrows, tie, points, radii, largest)
    boxes: list[Box] = []
    for node, (x, y), radius in zip(nodes, points, radii, strict=True):
        shape = add_shape(svg, node.category, x, y, radius)
        shape.set("stroke", "#FFFFFF")
        add(shape, "title", isolate(node.name))
        boxes.append((x - radius, y - radius, x + radius, y + radius))
    names = add(svg, "g", class_="names")
    for node, (x, y), radius in zip(nodes, points, radii, strict=True):
        _add_label(names, shorten(node.name, size.max_label), (x, y), radius, boxes, size)
    return to_markup(svg)


def measure_text(text: str) -> float:
    """A generous width in pixels of 12 px text."""
    return sum(map(_count_columns, text)) * _CHARACTER


def _count_columns(character: str) -> float:
    """The width of a character, where that of most letters is 1."""
    if unicodedata.combining(character):
        return 0.0
    if character in "MW@%" or unicodedata.east_asian_width(character) in "WF":
        return 1.8
    return 1.2 if character.isupper() else 1.0


def _measure_radii(nodes: Sequence[MapNode], size: MapSize) -> list[float]:
    """Areas follow what was given and received, within what the map has room for."""
    room = sqrt(size.width * size.height / max(len(nodes), 1))
    smallest, range_ = (min(4.0, room / 8), min(11.0, room / 7))
    largest = max((node.volume for node in nodes), default=0.0) or 1.0
    return [smallest + range_ * sqrt(node.volume / largest) for node in nodes]


def _place(nodes: Sequence[MapNode], size: MapSize, radii: Sequence[float]) -> Points:
    points = np.array([(node.x, node.y) for node in nodes]).reshape(-1, 2)
    if len(nodes) > 2:  # some of all nodes take the room of all
        low, high = points.min(axis=0), points.max(axis=0)
        points = (points - low) / np.maximum(high - low, 1e-9)
    inner = np.array([size.width - 2 * _MARGIN, size.height - 2 * _MARGIN])
    gaps = np.array(radii) + 6.0
    return separate(points * inner, gaps, (float(inner[0]), float(inner[1]))) + _MARGIN


def _add_tie(
    lines: Element,
    arrows: Element,
    tie: MapTie,
    points: Points,
    radii: Sequence[float],
    largest: float,
) -> None:
    (x1, y1), (x2, y2) = points[tie.giver], points[tie.receiver]
    length = hypot(x2 - x1, y2 - y1) or 1.0
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    start, end = radii[tie.giver] + 1, radii[tie.receiver] + 2
    x1, y1, x2, y2 = x1 + ux * start, y1 + uy * start, x2 - ux * end, y2 - uy * end
    bend = length * _BEND
    cx, cy = (x1 + x2) / 2 - uy * bend, (y1 + y2) / 2 + ux * bend
    width = 0.6 + 4.4 * sqrt(tie.weight / largest) if largest else 0.6
    path = f"M{x1:.1f} {y1:.1f}Q{cx:.1f} {cy:.1f} {x2:.1f} {y2:.1f}"
    add(lines, "path", d=path, stroke_width=width)
    # The arrow lies at 60 % of the curve, where arrows of one receiver do not meet.
    t = 0.6
    mx = (1 - t) ** 2 * x1 + 2 * t * (1 - t) * cx + t * t * x2
    my = (1 - t) ** 2 * y1 + 2 * t * (1 - t) * cy + t * t * y2
    dx = 2 * (1 - t) * (cx - x1) + 2 * t * (x2 - cx)
    dy = 2 * (1 - t) * (cy - y1) + 2 * t * (y2 - cy)
    norm = hypot(dx, dy) or 1.0
    dx, dy = dx / norm, dy / norm
    reach = 3.0 + width * 0.8
    tip = f"{mx + dx * reach:.1f},{my + dy * reach:.1f}"
    left = f"{mx - dx * reach - dy * reach * 0.8:.1f},{my - dy * reach + dx * reach * 0.8:.1f}"
    right = f"{mx - dx * reach + dy * reach * 0.8:.1f},{my - dy * reach - dx * reach * 0.8:.1f}"
    add(arrows, "polygon", points=f"{tip} {left} {right}")


def _add_label(
    names: Element,
    text: str,
    place: tuple[float, float],
    radius: float,
    boxes: list[Box],
    size: MapSize,
) -> None:
    """Puts the name on the first side with room; a name without room is left out."""
    width = measure_text(text)
    for x, y, anchor, box in _list_sides(place, radius, width):
        inside = box[0] >= 0 and box[1] >= 0 and box[2] <= size.width and box[3] <= size.height
        if inside and not any(_overlap(box, other) for other in boxes):
            add(names, "text", isolate(text), x=x, y=y, text_anchor=anchor, fill=INK)
            boxes.append(box)
            return


def _list_sides(
    place: tuple[float, float], radius: float, width: float
) -> Iterator[tuple[float, float, str, Box]]:
    """Right, left, above, below and between: where the text starts, its anchor and its box."""
    x, y = place
    gap, half = radius + 4, _LINE_HEIGHT / 2
    yield x + gap, y + 4, "start", (x + gap, y - half, x + gap + width, y + half)
    yield x - gap, y + 4, "end", (x - gap - width, y - half, x - gap, y + half)
    top = y - gap - _LINE_HEIGHT
    yield x, y - gap, "middle", (x - width / 2, top, x + width / 2, top + _LINE_HEIGHT)
    bottom = y + gap
    box = (x - width / 2, bottom, x + width / 2, bottom + _LINE_HEIGHT)
    yield x, bottom + 11, "middle", box
    for edge in (top, bottom):
        right = (x - radius, edge, x - radius + width, edge + _LINE_HEIGHT)
        yield x - radius, edge + 11, "start", right
        left = (x + radius - width, edge, x + radius, edge + _LINE_HEIGHT)
        yield x + radius, edge + 11, "end", left
    near = radius * 0.7 + 3
    for shift in (-near - 4, near + 4):
        middle = y + shift
        edges = (middle - half, middle + half)
        yield x + near, middle + 4, "start", (x + near, edges[0], x + near + width, edges[1])
        yield x - near, middle + 4, "end", (x - near - width, edges[0], x - near, edges[1])


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
