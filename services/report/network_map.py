"""The network as the report draws it: who, where, in which category, and the strongest ties."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mutua.enum_words import words_by_number
from mutua.v1.query_service_pb2 import Edge, Node, Organization
from mutua.v1.types_pb2 import OrganizationType
from services.report.layout import Points, place_organizations
from services.report.text import Names, clean_name

MAX_NODES: Final = 60
MAX_TIES: Final = 160
MAX_CATEGORIES: Final = 4
OTHER: Final = "Other"
_TYPES: Final = words_by_number(OrganizationType.items())


@dataclass(frozen=True, slots=True)
class MapNode:
    """An organization with its place from 0 to 1, and its category by number."""

    organization_id: str
    name: str
    x: float
    y: float
    volume: float
    """What it gave and received together."""
    category: int


@dataclass(frozen=True, slots=True)
class MapTie:
    """What one node, by number, gave another."""

    giver: int
    receiver: int
    weight: float
    is_mutual: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMap:
    """Nodes by falling volume, the strongest ties, and isolates in the order of their names.

    `other_count` organizations with ties have less volume and no node.
    """

    nodes: tuple[MapNode, ...]
    ties: tuple[MapTie, ...]
    tie_count: int
    other_count: int
    categories: tuple[tuple[int, str], ...]
    """Number and name of each that an organization here has."""
    isolates: tuple[tuple[str, int], ...]
    """Name and category."""


def map_network(
    nodes: Sequence[Node],
    edges: Sequence[Edge],
    organizations: Sequence[Organization],
    names: Names,
) -> NetworkMap:
    """Places the organizations with ties; the others stand on a shelf."""
    categories, category_of = categorize(organizations)
    volumes = defaultdict[str, float](float)
    for edge in edges:
        volumes[edge.giver_id] += edge.weight
        volumes[edge.receiver_id] += edge.weight
    ids = sorted(volumes, key=lambda each: (-volumes[each], each))[:MAX_NODES]
    number = {each: place for place, each in enumerate(ids)}
    drawn = [each for each in edges if number.keys() >= {each.giver_id, each.receiver_id}]
    places = _place(sorted(ids), drawn)
    mutual = {(edge.receiver_id, edge.giver_id) for edge in edges}
    strongest = sorted(drawn, key=lambda each: (-each.weight, each.giver_id, each.receiver_id))
    isolates = names.sort(node.organization_id for node in nodes if node.isolate)
    present = {category_of.get(each, 0) for each in (*ids, *isolates)}
    return NetworkMap(
        nodes=tuple(
            MapNode(each, names[each], *places[each], volumes[each], category_of.get(each, 0))
            for each in ids
        ),
        ties=tuple(
            MapTie(
                number[edge.giver_id],
                number[edge.receiver_id],
                edge.weight,
                (edge.giver_id, edge.receiver_id) in mutual,
            )
            for edge in strongest[:MAX_TIES]
        ),
        tie_count=len(edges),
        other_count=len(volumes) - len(ids),
        categories=tuple(
            (number, name) for number, name in enumerate(categories) if number in present
        ),
        isolates=tuple((names[each], category_of.get(each, 0)) for each in isolates),
    )


def categorize(organizations: Sequence[Organization]) -> tuple[tuple[str, ...], Mapping[str, int]]:
    """The names of categories and the category of each organization, by number.

    Categories are sectors, else types; the most frequent have a number, the rest is "Other". There
    is none where all organizations would be of one.
    """
    for words in (
        {each.organization_id: each.sector for each in organizations},
        {each.organization_id: _TYPES.get(each.type, "") for each in organizations},
    ):
        counts = Counter(word for word in words.values() if word)
        if len(counts) > 1:
            common = sorted(counts, key=lambda word: (-counts[word], word))[:MAX_CATEGORIES]
            has_other = any(word not in common for word in words.values())
            labels = [clean_name(word.replace("-", " ").capitalize(), 30) for word in common]
            numbers = {
                each: common.index(word) if word in common else len(common)
                for each, word in words.items()
            }
            return (*labels, *([OTHER] if has_other else [])), numbers
    return (), {}


def _place(ids: Sequence[str], edges: Sequence[Edge]) -> dict[str, tuple[float, float]]:
    number = {each: place for place, each in enumerate(ids)}
    ties = [
        # A tie without a known minute still connects.
        (number[edge.giver_id], number[edge.receiver_id], max(edge.weight, 1e-3))
        for edge in edges
    ]
    points: Points = place_organizations(len(ids), ties)
    return {each: (float(x), float(y)) for each, (x, y) in zip(ids, points, strict=True)}
