"""Pairings: when the two last had contact, how rich it was, and what each gave the other."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final, NamedTuple, TypedDict

from mutua.frames import to_day
from mutua.v1.event_pb2 import (
    PAIRING_CHOICE_CENTRE,
    PAIRING_CHOICE_THEMSELVES,
    ExchangeContent,
)
from mutua.v1.query_service_pb2 import Pair, Pairing, Question, Revision
from mutua.v1.types_pb2 import (
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    OccurPrecision,
)
from services.ledger.richness import KINDS_BY_RUNG
from services.query.dashboard.asker import Asker
from services.query.dashboard.commands import make_command
from services.query.dashboard.directory import Directory
from services.query.dashboard.evidence import describe_occurrence
from services.query.dashboard.filters import with_filters
from services.query.dashboard.rungs import find_rung
from services.query.dashboard.view import Choices, View, ViewContent, read_choice
from services.query.dashboard.windows import (
    find_end,
    find_extent,
    find_window,
    next_month,
    with_window,
)
from services.query.dashboard.wording import describe_day, describe_kind, list_words

QUIET_DAYS: Final = 60
"""A pairing that has been bound for so many days without contact is marked."""
CONTACTS: Final = ("every", "quiet")
SORTS: Final = ("name", "contact")
_CHOSEN_BY: Final = {
    PAIRING_CHOICE_THEMSELVES: "chosen by themselves",
    PAIRING_CHOICE_CENTRE: "chosen by the centre",
}
_MONTHS: Final = {OCCUR_PRECISION_MONTH: 1, OCCUR_PRECISION_QUARTER: 3}
"""The months in which an exchange with a coarse time may have happened."""


class PairingSide(TypedDict):
    """What one organization of a pairing gave the other; `given` is of the lens."""

    id: str
    label: str
    given: float
    exchange_count: int
    day_count: int
    unknown_count: int


class ListedPairing(TypedDict):
    """A pairing with its two sides.

    `last_contact` is "" without an exchange. `days_ago` counts from its first day, which is the day
    itself if it `is_exact`. `is_quiet` tells that none may have happened in the last QUIET_DAYS.
    `rungs` has the exchanges in the window on each rung from 1 to 6, and `rung` is the highest of
    them, with its kinds in `rung_label`.
    """

    sides: list[PairingSide]
    bound: str
    chosen_by: str
    is_quiet: bool
    last_contact: str
    days_ago: int | None
    is_exact: bool
    rungs: list[int]
    rung: int | None
    rung_label: str
    joint_count: int


class PairingsData(TypedDict):
    """Pairings that are bound or will be, and ended ones.

    `count` and `quiet_count` are of all that have not ended, whichever of them are `rows`.
    """

    rows: list[ListedPairing]
    ended: list[ListedPairing]
    count: int
    quiet_count: int
    quiet_days: int
    counted_from: str
    contact: str
    sort: str
    command: str


class PairingsAnswers(NamedTuple):
    """The answers that the view is made from; `exchanges` is None without a pairing.

    `exchanges` reaches back beyond the window.
    """

    pairings: Any
    organizations: Any
    pairs: Any
    exchanges: Any


async def ask_pairings(asker: Asker, _: Choices) -> PairingsAnswers:
    pairings, organizations = await asyncio.gather(
        asker.ask("GetPairings"), asker.ask_organizations()
    )
    if not pairings.pairings:
        pairs = await asker.ask_page("ListPairs", page_size=1)
        return PairingsAnswers(pairings, organizations, pairs, None)
    own_ids = [*asker.question.organization_ids, *sorted({each.a for each in pairings.pairings})]
    own = with_filters(asker.question, organization_ids=own_ids)
    last = to_day(own.to_date) if own.HasField("to_date") else None
    pairs, exchanges = await asyncio.gather(
        asker.ask("ListPairs", own),
        asker.ask("ListExchanges", with_window(own, None, last), standing_only=True),
    )
    return PairingsAnswers(pairings, organizations, pairs, exchanges)


def make_pairings(answers: PairingsAnswers, choices: Choices) -> ViewContent:
    contact = read_choice(choices, "contact", CONTACTS)
    sort = read_choice(choices, "sort", SORTS)
    question = answers.pairs.question
    today = to_day(answers.pairs.as_of_date)
    extent = find_extent(answers.organizations.organizations)
    last_day = find_end(question, extent, today) - timedelta(1)
    rows, ended = _make_rows(answers, _find_window_end(question, today), last_day)
    quiet = [row for row in rows if row["is_quiet"]]
    listed = quiet if contact == "quiet" else rows
    data: PairingsData = {
        "rows": sorted(listed, key=_order_by_contact if sort == "contact" else _order_by_name),
        "ended": sorted(ended, key=_order_by_name),
        "count": len(rows),
        "quiet_count": len(quiet),
        "quiet_days": QUIET_DAYS,
        "counted_from": describe_day(last_day),
        "contact": contact,
        "sort": sort,
        "command": make_command(question.programme_id, "import", "pairings", "FILE"),
    }
    return ViewContent(data, answers.pairs)


def _find_window_end(question: Question, today: date) -> date:
    """The last day of the window, at most today."""
    if not question.HasField("to_date"):
        return today
    return min(today, to_day(question.to_date) - timedelta(1))


def _order_by_name(row: ListedPairing) -> tuple[str, ...]:
    return tuple(side["label"].casefold() for side in row["sides"])


def _order_by_contact(row: ListedPairing) -> tuple[float, tuple[str, ...]]:
    """The longest without contact first."""
    days_ago = row["days_ago"]
    return float("-inf") if days_ago is None else -days_ago, _order_by_name(row)


def _make_rows(
    answers: PairingsAnswers, today: date, last_day: date
) -> tuple[list[ListedPairing], list[ListedPairing]]:
    """The pairings that have not ended on a day, then the ended ones."""
    if answers.exchanges is None:
        return [], []
    directory = Directory(answers.organizations.organizations)
    pairings = answers.pairings.pairings
    contacts = find_contacts(pairings, answers)
    pairs = {tuple(sorted((each.giver_id, each.receiver_id))): each for each in answers.pairs.pairs}
    rows: list[ListedPairing] = []
    ended: list[ListedPairing] = []
    for pairing in pairings:
        contact, pair = contacts[pairing.a, pairing.b], pairs.get((pairing.a, pairing.b), Pair())
        has_ended = pairing.HasField("to_date") and to_day(pairing.to_date) <= today
        days_bound = (last_day - to_day(pairing.from_date)).days
        is_long = days_bound >= QUIET_DAYS and not has_ended
        days_ago = None if contact.last_start is None else (last_day - contact.last_start).days
        has_contact = (last_day - contact.last_end).days < QUIET_DAYS if contact.last_end else False
        row: ListedPairing = {
            "sides": _make_sides(pairing, pair, directory),
            "bound": _describe_days(pairing, today),
            "chosen_by": _CHOSEN_BY.get(pairing.chosen_by, "who chose is not known"),
            "is_quiet": is_long and not has_contact,
            "last_contact": contact.last_words,
            "days_ago": None if days_ago is None else max(0, days_ago),
            "is_exact": contact.is_exact,
            "rungs": contact.count_rungs(),
            "rung": find_rung(contact.count_rungs()),
            "rung_label": contact.describe_rung(),
            "joint_count": contact.joint_count,
        }
        (ended if has_ended else rows).append(row)
    return rows, ended


def _describe_days(pairing: Pairing, today: date) -> str:
    first = to_day(pairing.from_date)
    if pairing.HasField("to_date"):
        last = to_day(pairing.to_date) - timedelta(1)
        return f"{describe_day(first)} to {describe_day(last)}"
    return f"{'since' if first <= today else 'from'} {describe_day(first)}"


def _make_sides(pairing: Pairing, pair: Pair, directory: Directory) -> list[PairingSide]:
    there = (pair.given, pair.given_count, pair.given_days, pair.given_unknown_count)
    back = (pair.received, pair.received_count, pair.received_days, pair.received_unknown_count)
    flows = (there, back) if pair.giver_id == pairing.a else (back, there)
    return [
        {
            **directory.party(organization_id),
            "given": given,
            "exchange_count": exchange_count,
            "day_count": day_count,
            "unknown_count": unknown_count,
        }
        for organization_id, (given, exchange_count, day_count, unknown_count) in zip(
            (pairing.a, pairing.b), flows, strict=True
        )
    ]


@dataclass(slots=True)
class PairingContact:
    """The exchanges of two organizations in both directions, joint ones included.

    `last_start` is the first day on which the last of them may have happened, and no exchange is
    later than `last_end`. The rest counts the exchanges in the window.
    """

    last_start: date | None = None
    last_end: date | None = None
    last_words: str = ""
    is_exact: bool = True
    joint_count: int = 0
    kinds: Counter[int] = field(default_factory=Counter)

    def add(self, revision: Revision, first_day: date) -> None:
        """Adds an exchange; the window begins on `first_day`."""
        start = revision.occur_time.ToDatetime().date()
        is_exact = revision.occur_precision not in _MONTHS
        if self.last_start is None or (start, is_exact) > (self.last_start, self.is_exact):
            self.last_start, self.is_exact = start, is_exact
            self.last_words = describe_occurrence(revision.occur_time, revision.occur_precision)
        end = _find_last_day(start, revision.occur_precision)
        self.last_end = max(end, self.last_end or end)
        if start >= first_day:
            self.joint_count += bool(revision.content.party_ids)
            self.kinds[revision.content.kind] += 1

    def count_rungs(self) -> list[int]:
        """The exchanges on each rung, from the lowest."""
        return [sum(self.kinds[kind] for kind in kinds) for kinds in KINDS_BY_RUNG]

    def describe_rung(self) -> str:
        """The kinds on the highest rung, such as "meeting and workshop"."""
        rung = find_rung(self.count_rungs())
        kinds = KINDS_BY_RUNG[rung - 1] if rung else ()
        return list_words([describe_kind(kind) for kind in kinds if self.kinds[kind]])


def find_contacts(
    pairings: Iterable[Pairing], answers: PairingsAnswers
) -> Mapping[tuple[str, str], PairingContact]:
    """The contact of each two organizations that are or were paired."""
    contacts: dict[tuple[str, str], PairingContact] = {}
    partners: dict[str, set[str]] = defaultdict(set)
    for each in pairings:
        contacts[each.a, each.b] = PairingContact()
        partners[each.a].add(each.b)
        partners[each.b].add(each.a)
    owners = {
        alias: each.organization_id
        for each in answers.organizations.organizations
        for alias in each.aliases
    }
    question = answers.pairs.question
    first, _ = find_window(question)
    for exchange in answers.exchanges.exchanges:
        revision = exchange.revisions[-1]
        for key in _list_pairs(revision.content, partners, owners):
            contacts[key].add(revision, first)
    return contacts


def _list_pairs(
    content: ExchangeContent, partners: Mapping[str, set[str]], owners: Mapping[str, str]
) -> set[tuple[str, str]]:
    """The pairings between whose organizations an exchange is; none if it is internal."""
    givers = {owners.get(each, each) for each in content.giver_ids or content.party_ids}
    receivers = {owners.get(each, each) for each in content.receiver_ids or content.party_ids}
    if not content.party_ids and givers & receivers:
        return set()
    return {
        (min(one, other), max(one, other))
        for one in givers & partners.keys()
        for other in receivers & partners[one]
    }


def _find_last_day(start: date, precision: OccurPrecision.ValueType) -> date:
    """The last day on which an exchange may have happened whose period begins on a day."""
    end = start
    for _ in range(_MONTHS.get(precision, 0)):
        end = next_month(end)
    return end - timedelta(1) if precision in _MONTHS else start


PAIRINGS = View(
    name="pairings",
    title="Pairings",
    ask=ask_pairings,
    make=make_pairings,
    question="When did those who are paired last have contact, and what did each give",
    choices=("contact", "sort"),
)
