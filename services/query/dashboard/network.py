"""Who gives to whom: organizations on a map that stays as it is, and their ties."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypedDict

from mutua.enum_words import words_by_number
from mutua.v1.query_service_pb2 import Organization, Question
from mutua.v1.types_pb2 import OrganizationType
from services.measures.map_layout import Place
from services.query.dashboard.asker import Asker
from services.query.dashboard.directory import Directory, Party, shorten
from services.query.dashboard.filters import unfiltered
from services.query.dashboard.view import Choices, View, ViewContent

ATTRIBUTES: Final = {
    "type": "Type",
    "sector": "Sector",
    "region": "Region",
    "core_system": "Core system",
    "strategic_group": "Strategic group",
    "size": "Size",
    "role": "Role",
}
MAX_GROUPS: Final = 5
"""Groups with a colour and a shape of their own: more could not be told apart."""
_TYPES: Final = words_by_number(OrganizationType.items())


class NetworkNode(TypedDict):
    """An organization at x and y, 0 to 1. `group` is an index of `groups`."""

    id: str
    label: str
    x: float
    y: float
    given: float
    received: float
    exchange_count: int
    group: int


class Group(TypedDict):
    """Organizations with the same value of the attribute."""

    label: str
    count: int


class NetworkData(TypedDict):
    """`ties` are giver and receiver as indexes of `nodes`, weight and exchanges, strongest first.

    `largest_total` and `largest_weight` are those of the whole history, so that months compare.
    `shelf` are organizations that never had a tie, by name.
    """

    nodes: list[NetworkNode]
    ties: list[tuple[int, int, float, int]]
    largest_total: float
    largest_weight: float
    groups: list[Group]
    attribute: str
    attributes: list[dict[str, str]]
    shelf: list[Party]


class NetworkAnswers(NamedTuple):
    """The answers that the view is made from; `history` is the network without filters."""

    network: Any
    history: Any
    organizations: Any
    places: Mapping[str, Place]


async def ask_network(asker: Asker, _: Choices) -> NetworkAnswers:
    """Also asks for the whole history, which places and scales rest on."""
    everything: Question = unfiltered(asker.question)
    everything.lens = asker.question.lens
    network, history, organizations = await asyncio.gather(
        asker.ask("GetNetwork"),
        asker.ask("GetNetwork", everything),
        asker.ask_organizations(),
    )
    places = await asker.places.find(asker.question.programme_id, history.edges)
    return NetworkAnswers(network, history, organizations, places)


def make_network(answers: NetworkAnswers, choices: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    attribute = choices["color"] if choices["color"] in ATTRIBUTES else "type"
    members = {each.organization_id: each for each in answers.network.nodes}
    names = sorted({each.organization_id for each in answers.history.nodes} & answers.places.keys())
    values = {name: find_value(directory.organizations.get(name), attribute) for name in names}
    groups = choose_groups(values)
    numbers = {label: number for number, (label, _) in enumerate(groups)}
    nodes = [
        _make_node(name, members.get(name), directory, answers.places[name], numbers, values[name])
        for name in names
    ]
    index = {name: number for number, name in enumerate(names)}
    ties = [
        (index[each.giver_id], index[each.receiver_id], each.weight, each.exchange_count)
        for each in answers.network.edges
        if each.giver_id in index and each.receiver_id in index
    ]
    ties.sort(key=lambda tie: (-tie[2], -tie[3], tie[0], tie[1]))
    history = answers.history
    data: NetworkData = {
        "nodes": nodes,
        "ties": ties,
        "largest_total": max((each.given + each.received for each in history.nodes), default=0),
        "largest_weight": max((each.weight for each in history.edges), default=0),
        "groups": [{"label": label, "count": count} for label, count in groups],
        "attribute": attribute,
        "attributes": [{"word": word, "label": label} for word, label in ATTRIBUTES.items()],
        "shelf": directory.parties(members.keys() - answers.places.keys()),
    }
    return ViewContent(data, answers.network)


def find_value(organization: Organization | None, attribute: str) -> str:
    """What people call the organization's value of an attribute; "" where it is unknown."""
    if organization is None:
        return ""
    if attribute == "type":
        return _TYPES.get(organization.type, "").replace("-", " ").capitalize()
    return shorten(getattr(organization, attribute))


def choose_groups(values: Mapping[str, str]) -> list[tuple[str, int]]:
    """The most frequent values with their counts, then the rest as one group."""
    counts = Counter(value for value in values.values() if value)
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    groups = ordered[:MAX_GROUPS]
    rest = len(values) - sum(count for _, count in groups)
    return [*groups, ("Other, or not known", rest)] if rest else groups


def _make_node(
    name: str,
    node: Any,
    directory: Directory,
    place: Place,
    numbers: Mapping[str, int],
    value: str,
) -> NetworkNode:
    return {
        "id": name,
        "label": directory.label(name),
        "x": place.x,
        "y": place.y,
        "given": node.given if node else 0.0,
        "received": node.received if node else 0.0,
        "exchange_count": node.exchange_count if node else 0,
        "group": numbers.get(value, len(numbers) - 1),
    }


NETWORK = View(
    name="network",
    title="Network",
    ask=ask_network,
    make=make_network,
    question="Who gives to whom",
    choices=("color",),
)
