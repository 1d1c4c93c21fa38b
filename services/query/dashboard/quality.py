"""What is wrong or missing in the records, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, TypedDict

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.enum_words import words_by_number
from mutua.frames import to_day
from mutua.organization_directory import OrganizationDirectory
from mutua.v1.query_service_pb2 import (
    ALLOCATION_ONCE,
    LENS_ATTENTION,
    LENS_BENEFIT,
    LENS_BURDEN,
    LENS_COUNT,
    LENS_UNSPECIFIED,
    Balance,
    Coverage,
    Lens,
    Organization,
    QuarantinedRecord,
    QuarantineReason,
    Question,
)
from mutua.v1.types_pb2 import ExchangeKind
from services.ledger.wording import format_count
from services.query.dashboard.asker import Asker
from services.query.dashboard.commands import make_command
from services.query.dashboard.directory import Directory, shorten
from services.query.dashboard.evidence import EvidenceExchange, make_exchange
from services.query.dashboard.filters import unfiltered, with_filters
from services.query.dashboard.view import Choices, View, ViewContent
from services.query.dashboard.wording import KIND_WORDS, describe_day, describe_kind

MAX_RECORDS: Final = 500
"""Quarantined records in the view, the first on the log."""
MAX_NAMES: Final = 200
"""Names in the view that nobody registered, the most frequent; each is compared with the roster."""
MAX_DOUBLES: Final = 100
MAX_TEXT_CHARACTERS: Final = 300
_REASONS: Final = words_by_number(QuarantineReason.items())
_MINUTES: Final = {
    LENS_BURDEN: "minutes that givers spent",
    LENS_ATTENTION: "minutes that receivers spent",
    LENS_BENEFIT: "minutes that receivers saved",
}
_MINUTE_OPTIONS: Final = {
    LENS_BURDEN: "--minutes",
    LENS_ATTENTION: "--receiver-minutes",
    LENS_BENEFIT: "--benefit-minutes",
}


class AsideRecord(TypedDict):
    """A record that can never apply. `fact` is which statement it makes, "" if unreadable."""

    number: int
    day: str
    fact: str
    detail: str
    resubmitted_as: str
    command: str


class AsideGroup(TypedDict):
    """The records that can never apply for one reason, with the days of the first and last one."""

    reason: str
    remedy: str
    first_day: str
    last_day: str
    records: list[AsideRecord]


class SuggestedName(TypedDict):
    """A registered organization that a name may mean, and the command that says so.

    `is_same` tells that the spellings differ in case, blanks and invisible characters at most.
    """

    id: str
    label: str
    is_same: bool
    command: str


class UnregisteredName(TypedDict):
    """An organization that facts name and nobody registered."""

    id: str
    label: str
    exchange_count: int
    last_exchange: str
    suggestions: list[SuggestedName]
    command: str


class MissingPart(TypedDict):
    """How many of some exchanges have no minutes."""

    id: str
    label: str
    missing_count: int
    exchange_count: int


class QualityData(TypedDict):
    """What to look at. Commands are for a shell, with FILE and EXCHANGE to fill in.

    `minutes` says which minutes are `missing`; joint exchanges count nowhere in it.
    """

    quarantine_count: int
    quarantine: list[AsideGroup]
    waiting_count: int
    has_roster: bool
    name_count: int
    names: list[UnregisteredName]
    minutes: str
    missing: MissingPart
    missing_by_kind: list[MissingPart]
    missing_by_giver: list[MissingPart]
    double_count: int
    doubles: list[EvidenceExchange]
    straddling: list[str]
    commands: dict[str, str]


class QualityAnswers(NamedTuple):
    """The answers that the view is made from.

    `minutes` and `counts` are balances under the filters, and `kinds` has an answer for each of
    `kind_numbers`. `balances` is of the whole programme.
    """

    status: Any
    quarantine: Any
    organizations: Any
    pairings: Any
    balances: Any
    minutes: Any
    counts: Any
    doubles: Any
    kind_numbers: list[ExchangeKind.ValueType]
    kinds: list[Any]


async def ask_quality(asker: Asker, _: Choices) -> QualityAnswers:
    lens = _find_lens(asker.question)
    timed = with_filters(asker.question, lens=lens)
    counted = with_filters(asker.question, lens=LENS_COUNT, allocation=ALLOCATION_ONCE)
    every_kind = map(ExchangeKind.ValueType, KIND_WORDS)
    kind_numbers = list(asker.question.kinds or every_kind)
    by_kind = [with_filters(timed, kinds=[kind]) for kind in kind_numbers]
    answers, kinds = await asyncio.gather(
        asyncio.gather(
            asker.ask("GetStatus"),
            asker.ask_page("ListQuarantine", page_size=MAX_RECORDS),
            asker.ask_organizations(),
            asker.ask("GetPairings"),
            asker.ask("ListBalances", unfiltered(asker.question)),
            asker.ask("ListBalances", timed),
            asker.ask("ListBalances", counted),
            asker.ask_page("ListExchanges", page_size=MAX_DOUBLES, possible_doubles=True),
        ),
        asker.ask_each("GetConcentration", by_kind),
    )
    return QualityAnswers._make([*answers, kind_numbers, kinds])


def _find_lens(question: Question) -> Lens.ValueType:
    """The minutes that the view is about: those of givers if exchanges are counted."""
    is_counting = question.lens in (LENS_UNSPECIFIED, LENS_COUNT)
    return LENS_BURDEN if is_counting else question.lens


def make_quality(answers: QualityAnswers, _: Choices) -> ViewContent:
    directory = Directory(answers.organizations.organizations)
    question, coverage = answers.minutes.question, answers.minutes.coverage
    programme = question.programme_id
    names = list_unregistered(answers)
    data: QualityData = {
        "quarantine_count": answers.status.quarantine_count,
        "quarantine": group_records(answers.quarantine.records, programme),
        "waiting_count": answers.status.waiting_count,
        "has_roster": any(each.registered for each in answers.organizations.organizations),
        "name_count": len(names),
        "names": suggest_names(answers, names),
        "minutes": _MINUTES[_find_lens(question)],
        "missing": _make_part(coverage, "all", "All"),
        "missing_by_kind": _make_kinds(answers),
        "missing_by_giver": _make_givers(answers, directory),
        "double_count": coverage.possible_double_count,
        "doubles": [make_exchange(each, directory) for each in answers.doubles.exchanges],
        "straddling": list(describe_straddling(coverage)),
        "commands": {
            "quarantine": make_command(programme, "quarantine", "list"),
            "log": make_command(programme, "export", "log", "FILE"),
            "roster": make_command(programme, "import", "organizations", "FILE"),
            "unbound": make_command(programme, "organization", "alias", "--unbound"),
            "minutes": make_command(
                programme, "correct", "EXCHANGE", _MINUTE_OPTIONS[_find_lens(question)], "30"
            ),
            "retract": make_command(programme, "retract", "EXCHANGE", "--reason", "recorded twice"),
        },
    }
    return ViewContent(data, answers.minutes)


def group_records(records: Iterable[QuarantinedRecord], programme_id: str) -> list[AsideGroup]:
    """The records by reason, in the order of the first of each."""
    groups: dict[int, AsideGroup] = {}
    for record in records:
        day = _describe_time(record.record_time)
        group = groups.setdefault(
            record.reason,
            {
                "reason": _REASONS.get(record.reason, "unknown").replace("-", " "),
                "remedy": record.remedy,
                "first_day": day,
                "last_day": day,
                "records": [],
            },
        )
        group["last_day"] = day
        group["records"].append(
            {
                "number": record.offset,
                "day": day,
                "fact": (record.event.WhichOneof("fact") or "").replace("_", " "),
                "detail": shorten(record.detail, MAX_TEXT_CHARACTERS),
                "resubmitted_as": record.resubmitted_as,
                "command": make_command(
                    programme_id, "quarantine", "show", values=[str(record.offset)]
                ),
            }
        )
    return list(groups.values())


def _describe_time(time: Timestamp) -> str:
    return describe_day(time.ToDatetime().date())


def list_unregistered(answers: QualityAnswers) -> list[Organization]:
    """The organizations that exchanges or pairings name and nobody registered, by frequency."""
    organizations = answers.organizations.organizations
    registered = {each.organization_id for each in organizations if each.registered}
    named = {each.organization_id: each for each in organizations if not each.registered}
    for pairing in answers.pairings.pairings:
        for organization_id in {pairing.a, pairing.b} - registered - named.keys():
            named[organization_id] = Organization(organization_id=organization_id)
    counts = _count_exchanges(answers.balances.balances)
    return sorted(
        named.values(),
        key=lambda each: (-counts.get(each.organization_id, 0), each.organization_id),
    )


def _count_exchanges(balances: Iterable[Balance]) -> dict[str, int]:
    return {each.organization_id: each.exchange_count for each in balances}


def suggest_names(
    answers: QualityAnswers, organizations: list[Organization]
) -> list[UnregisteredName]:
    """The first of these with what they may mean; those with suggestions first."""
    programme = answers.minutes.question.programme_id
    roster = OrganizationDirectory(
        each for each in answers.organizations.organizations if each.registered
    )
    counts = _count_exchanges(answers.balances.balances)
    names: list[UnregisteredName] = []
    for each in organizations[:MAX_NAMES]:
        own_id = each.organization_id
        has_exchange = each.HasField("last_exchange_date")
        names.append(
            {
                "id": own_id,
                "label": shorten(own_id),
                "exchange_count": counts.get(own_id, 0),
                "last_exchange": describe_day(to_day(each.last_exchange_date))
                if has_exchange
                else "",
                "suggestions": [*_suggest(own_id, roster, programme)],
                "command": make_command(programme, "organization", "add", values=[own_id]),
            }
        )
    return sorted(names, key=lambda name: not name["suggestions"])


def _suggest(
    name: str, roster: OrganizationDirectory, programme_id: str
) -> Iterator[SuggestedName]:
    """The organizations that are spelled like a name; near misses if there is none."""
    same = sorted(roster.find_all_registered(name))
    for organization_id in same or roster.find_near_misses(name):
        yield {
            "id": organization_id,
            "label": shorten(roster.label(organization_id)),
            "is_same": bool(same),
            "command": make_command(
                programme_id, "organization", "alias", values=[name, organization_id]
            ),
        }


def _make_part(coverage: Coverage, name: str, label: str) -> MissingPart:
    return {
        "id": name,
        "label": label,
        "missing_count": coverage.unknown_minutes_count,
        "exchange_count": coverage.exchange_count - coverage.joint_count - coverage.internal_count,
    }


def _make_kinds(answers: QualityAnswers) -> list[MissingPart]:
    parts = [
        _make_part(answer.coverage, KIND_WORDS[kind], describe_kind(kind).capitalize())
        for kind, answer in zip(answers.kind_numbers, answers.kinds, strict=True)
    ]
    return _order_parts(parts)


def _make_givers(answers: QualityAnswers, directory: Directory) -> list[MissingPart]:
    given = {each.organization_id: each.given for each in answers.counts.balances}
    parts: list[MissingPart] = [
        {
            **directory.party(each.organization_id),
            "missing_count": each.given_unknown_count,
            "exchange_count": round(given[each.organization_id]),
        }
        for each in answers.minutes.balances
    ]
    return _order_parts(parts)


def _order_parts(parts: list[MissingPart]) -> list[MissingPart]:
    """The parts that miss something, most first."""
    missing = [each for each in parts if each["missing_count"]]
    return sorted(missing, key=lambda each: (-each["missing_count"], each["label"].casefold()))


def describe_straddling(coverage: Coverage) -> Iterator[str]:
    """Sentences about exchanges known to a period that the window cuts."""
    if coverage.straddling_counted_count:
        counted = format_count(coverage.straddling_counted_count, "exchange", "is")
        yield (
            f"{counted} known to a month or quarter that ends after the window, and counted here."
        )
    for count, period in (
        (coverage.straddling_month_count, "month"),
        (coverage.straddling_quarter_count, "quarter"),
    ):
        if count:
            yield (
                f"{format_count(count, 'exchange', 'is')} known to a {period} that begins before "
                f"the window, and not counted here. Begin with that {period} to count them."
            )


QUALITY = View(
    name="quality",
    title="Quality",
    ask=ask_quality,
    make=make_quality,
    question="What is wrong or missing in the records, and what can be done about it",
)
