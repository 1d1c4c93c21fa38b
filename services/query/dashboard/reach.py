"""Whom the exchange reaches: who has not received yet, who came, who stopped, what goes outside."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypedDict

from mutua.frames import to_day
from mutua.v1.query_service_pb2 import LENS_COUNT, Balance, Organization, Programme, Question
from services.ledger.wording import format_count
from services.query.dashboard.asker import Asker
from services.query.dashboard.directory import Directory, Party, isolate, shorten
from services.query.dashboard.filters import with_filters
from services.query.dashboard.members import describe_outside, find_members
from services.query.dashboard.overview import STOPPED_DAYS, Total, make_total
from services.query.dashboard.view import Choices, View, ViewContent, read_choice
from services.query.dashboard.windows import find_end, find_extent, with_window
from services.query.dashboard.wording import describe_day, describe_window

MAX_TOPICS: Final = 60
"""Topics in the view, the most used ones. Each is a question of its own."""
ORDERS: Final = ("name", "fewest")


class NotedParty(Party):
    """An organization, and what else to know of it."""

    note: str


class TopicReach(TypedDict):
    """Who received and who gave on a topic; "" is any topic.

    `missing` are members that have not received, and `givers` may be outside; both are places in
    the list of parties, which is in the order of names.
    """

    topic: str
    label: str
    receiver_count: int
    missing: list[int]
    givers: list[int]


class SelectedTopic(TypedDict):
    """The topic that is looked at, "" for any; `givers`, whom to ask, are empty then."""

    topic: str
    label: str
    missing: list[NotedParty]
    givers: list[NotedParty]


class OutsideRow(TypedDict):
    """What an organization outside the population gave to and received from members.

    Amounts are of the lens.
    """

    id: str
    label: str
    given: float
    received: float
    unknown_count: int
    why: str


class ReachData(TypedDict):
    """`movement` says which days newcomers and stopped organizations are about.

    `omitted_count` topics with fewer exchanges are left out.
    """

    totals: list[Total]
    member_count: int
    parties: list[Party]
    topics: list[TopicReach]
    omitted_count: int
    order: str
    selected: SelectedTopic
    movement: str
    newcomers: list[NotedParty]
    stopped: list[NotedParty]
    outside: list[OutsideRow]


class TopicList(NamedTuple):
    """The topics of the view, their labels, and how many there is no room for."""

    labels: dict[str, str]
    omitted_count: int


class ReachAnswers(NamedTuple):
    """The answers that the view is made from.

    `networks` has one for each of the topics. `earlier` is the network before the window, None
    without a first day. `movement` is the structure of the window, or of the last days.
    """

    organizations: Any
    balances: Any
    concentration: Any
    structure: Any
    network: Any
    earlier: Any
    movement: Any
    topics: TopicList
    networks: list[Any]


async def ask_reach(asker: Asker, choices: Choices) -> ReachAnswers:
    read_choice(choices, "order", ORDERS)
    organizations, programme, balances, concentration, structure, network = await asyncio.gather(
        asker.ask_organizations(),
        asker.ask("GetProgramme"),
        asker.ask("ListBalances"),
        asker.ask("GetConcentration"),
        asker.ask("GetStructure"),
        asker.ask("GetNetwork"),
    )
    topics = list_topics(programme.programme, asker.question, choices["about"])
    by_topic = [with_filters(asker.question, topics=[topic]) for topic in topics.labels]
    networks = await asker.ask_each("GetNetwork", by_topic)
    earlier, movement = None, structure
    if asker.question.HasField("from_date"):
        first = to_day(asker.question.from_date)
        earlier = await asker.ask("GetNetwork", with_window(asker.question, None, first))
    else:
        extent = find_extent(organizations.organizations)
        end = find_end(asker.question, extent, to_day(balances.as_of_date))
        recent = with_window(asker.question, end - timedelta(STOPPED_DAYS), end)
        movement = await asker.ask("GetStructure", recent)
    return ReachAnswers(
        organizations,
        balances,
        concentration,
        structure,
        network,
        earlier,
        movement,
        topics,
        networks,
    )


def list_topics(programme: Programme, question: Question, about: str) -> TopicList:
    """The topics of a question, else the most used ones, and the one that is looked at."""
    labels = {each.topic: shorten(each.label or each.topic) for each in programme.topics}
    used = sorted(programme.topics, key=lambda each: (-each.exchange_count, each.topic))
    candidates = [*question.topics] or [each.topic for each in used]
    topics = candidates[:MAX_TOPICS]
    if about and not question.topics:
        topics.append(about)
    label_by_topic = {topic: labels.get(topic, shorten(topic)) for topic in topics}
    ordered = sorted(label_by_topic.items(), key=lambda each: (each[1].casefold(), each[0]))
    return TopicList(dict(ordered), len({*candidates} - {*topics}))


def make_reach(answers: ReachAnswers, choices: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    members = find_members(answers.balances, directory)
    parties = directory.parties(each.organization_id for each in answers.balances.balances)
    order = read_choice(choices, "order", ORDERS)
    about = choices["about"] if choices["about"] in answers.topics.labels else ""
    places = {each["id"]: place for place, each in enumerate(parties)}
    named = [("", "Any topic", answers.network)]
    named += [
        (topic, label, network)
        for (topic, label), network in zip(
            answers.topics.labels.items(), answers.networks, strict=True
        )
    ]
    rows = [_make_topic(*each, members, places) for each in named]
    if order == "fewest":
        rows[1:] = sorted(rows[1:], key=lambda row: row["receiver_count"])
    network = next(network for topic, _, network in named if topic == about)
    selected = next(row for row in rows if row["topic"] == about)
    newcomers, stopped = _list_movement(answers.movement.structures[0], directory)
    data: ReachData = {
        "totals": _make_totals(answers, rows[0], len(members)),
        "member_count": len(members),
        "parties": parties,
        "topics": rows,
        "omitted_count": answers.topics.omitted_count,
        "order": order,
        "selected": {
            "topic": about,
            "label": selected["label"],
            "missing": _note_missing(
                answers, network, [parties[each] for each in selected["missing"]]
            ),
            "givers": _note_givers(network, directory) if about else [],
        },
        "movement": describe_window(answers.movement.question),
        "newcomers": newcomers,
        "stopped": stopped,
        "outside": _list_outside(answers, {*members}, directory),
    }
    subject = ""
    if about:
        subject = f"Who has not received on {isolate(selected['label'])} yet, and who gives it"
    return ViewContent(data, answers.balances, subject)


def _make_topic(
    topic: str,
    label: str,
    network: Any,
    members: Collection[str],
    places: Mapping[str, int],
) -> TopicReach:
    receivers = {each.receiver_id for each in network.edges}
    givers = {each.giver_id for each in network.edges}
    missing = [places[each] for each in members if each not in receivers]
    return {
        "topic": topic,
        "label": label,
        "receiver_count": len(members) - len(missing),
        "missing": sorted(missing),
        "givers": sorted(places[each] for each in givers if each in places),
    }


def _make_totals(answers: ReachAnswers, everything: TopicReach, member_count: int) -> list[Total]:
    movement = answers.movement.structures[0]
    is_count = answers.balances.question.lens == LENS_COUNT
    unit = "exchanges" if is_count else "minutes"
    giving, receiving = answers.concentration.concentrations
    return [
        make_total(
            "received",
            "Have received",
            everything["receiver_count"],
            "organizations",
            member_count,
        ),
        make_total("newcomers", "Newcomers", movement.newcomer_count, "organizations"),
        make_total("stopped", "Stopped", movement.stopped_count, "organizations"),
        make_total("spill_given", "Given to outside", giving.spill_over, unit),
        make_total("spill_received", "Received from outside", receiving.spill_over, unit),
    ]


def _note_missing(
    answers: ReachAnswers, network: Any, missing: Iterable[Party]
) -> list[NotedParty]:
    """Organizations without a receipt in the network of a topic, and what they did."""
    balances = {each.organization_id: each for each in answers.balances.balances}
    confirmed = {*answers.structure.structures[0].confirmed_isolate_ids}
    receivers = {each.receiver_id for each in answers.network.edges}
    givers = {each.giver_id for each in network.edges}
    earlier = {each.receiver_id for each in answers.earlier.edges} if answers.earlier else ()

    def describe(organization_id: str) -> str:
        if organization_id in receivers and organization_id in givers:
            return "gives on it itself"
        if organization_id in receivers:
            return "received on other topics"
        if organization_id in confirmed:
            return "reported that there was nothing"
        done = _describe_contact(balances[organization_id])
        return f"{done}; received before" if organization_id in earlier else done

    return [{**each, "note": describe(each["id"])} for each in missing]


def _describe_contact(balance: Balance) -> str:
    """What an organization did that has received nothing."""
    if balance.isolate:
        return "nothing seen of it"
    given_count = balance.exchange_count - balance.joint_count
    parts = [f"gave in {format_count(given_count, 'exchange')}"] if given_count else []
    if balance.joint_count:
        parts.append(f"took part in {format_count(balance.joint_count, 'joint exchange')}")
    return ", ".join(parts) or "none of its exchanges is among these"


def _note_givers(network: Any, directory: Directory) -> list[NotedParty]:
    """Whom to ask on a topic, with the number of organizations that each gave to."""
    receivers = defaultdict[str, set[str]](set)
    for each in network.edges:
        receivers[each.giver_id].add(each.receiver_id)
    return [
        {**each, "note": f"to {format_count(len(receivers[each['id']]), 'organization')}"}
        for each in directory.parties(receivers)
    ]


def _list_movement(
    structure: Any, directory: Directory
) -> tuple[list[NotedParty], list[NotedParty]]:
    """Newcomers and organizations that stopped."""
    newcomers = {
        each.organization_id: f"first on {describe_day(to_day(each.first_exchange_date))}"
        for each in structure.newcomers
    }
    stopped = {}
    for each in structure.stopped_organizations:
        organization = directory.organizations.get(each.organization_id, Organization())
        note = f"last on {describe_day(to_day(each.last_exchange_date))}"
        if organization.HasField("close_date"):
            note += f"; in force until {describe_day(to_day(organization.close_date))}"
        stopped[each.organization_id] = note
    first, last = (
        [NotedParty(**each, note=notes[each["id"]]) for each in directory.parties(notes)]
        for notes in (newcomers, stopped)
    )
    return first, last


def _list_outside(
    answers: ReachAnswers, members: Collection[str], directory: Directory
) -> list[OutsideRow]:
    """The other side of spill-over, by name."""
    given, received, unknown = (defaultdict[str, float](float) for _ in range(3))
    for edge in answers.network.edges:
        if edge.giver_id in members and edge.receiver_id not in members:
            received[edge.receiver_id] += edge.weight
            unknown[edge.receiver_id] += edge.unknown_count
        elif edge.receiver_id in members and edge.giver_id not in members:
            given[edge.giver_id] += edge.weight
            unknown[edge.giver_id] += edge.unknown_count
    return [
        {
            **each,
            "given": given[each["id"]],
            "received": received[each["id"]],
            "unknown_count": int(unknown[each["id"]]),
            "why": describe_outside(each["id"], directory, answers.balances.question),
        }
        for each in directory.parties({*given, *received})
    ]


REACH = View(
    name="reach",
    title="Reach",
    ask=ask_reach,
    make=make_reach,
    question="Who has not received yet, who is new, who stopped, and what goes outside",
    choices=("about", "order"),
)
