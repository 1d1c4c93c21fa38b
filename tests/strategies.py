"""Random histories and questions, with few ids so that facts refer to each other.

A history is drawn in two steps. A catalogue has one fact for every event id, all about ids of small
pools. A log has these facts in any order and some of them twice, so that many facts wait, repeat or
come too late. A record may also be sloppy (equal content in other letters), recorded by another
organization, or an impostor (the id with other content).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import Enum, auto
from typing import TypeVar
from unicodedata import normalize

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn as Draw

from mutua.v1.event_pb2 import (
    AliasAdded,
    Event,
    ExchangeConfirmed,
    ExchangeContent,
    ExchangeDisputed,
    NothingToReport,
    OrganizationContent,
    PairingChoice,
    PairingEnded,
    PairingFormed,
)
from mutua.v1.query_service_pb2 import (
    ALLOCATION_FULL,
    ALLOCATION_ONCE,
    ALLOCATION_SPLIT,
    ALLOCATION_UNSPECIFIED,
    IDENTITY_AS_NOW,
    IDENTITY_RECORDED,
    IDENTITY_UNSPECIFIED,
    Lens,
    Population,
    Question,
)
from mutua.v1.types_pb2 import (
    ASSURANCE_OPEN,
    EXCHANGE_KIND_CALL,
    EXCHANGE_KIND_SECONDMENT,
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_EXACT,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    OCCUR_PRECISION_UNSPECIFIED,
    Date,
    Formality,
    ReportSide,
    Text,
)

Choice = TypeVar("Choice")
PROGRAMME = "gde"
OTHER_PROGRAMME = "wales"
ORGANIZATIONS = ("Box", "alder", "birch", "cedar", "\u00e9lan")
"""In order of code points. Each may be registered, an alias, both, or neither."""
OUTSIDERS = ("", "centre")
"""Recorders that take part in no exchange."""
DAYS = (
    date(1969, 12, 31),
    date(2024, 1, 1),
    date(2024, 2, 29),
    date(2024, 3, 31),
    date(2024, 4, 1),
    date(2024, 5, 1),
)
"""Days of exchanges, and first and last days of windows."""
TOPICS = ("a", "b", "interfaces")
EXCHANGE_KINDS = (EXCHANGE_KIND_CALL, EXCHANGE_KIND_SECONDMENT)
MINUTES = (None, 0, 1, 7, 100, 20_160)


class RecordVariant(Enum):
    """How a record differs from its fact in the catalogue."""

    PLAIN = auto()
    SLOPPY = auto()
    RECORDED_BY_ANOTHER = auto()
    IMPOSTOR = auto()


_REGISTERED = (*("alder",) * 4, *ORGANIZATIONS)
"""One of them much more often, so that its updates meet its registration."""
RECORD_VARIANTS = (
    *(RecordVariant.PLAIN,) * 6,
    *(RecordVariant.SLOPPY,) * 2,
    RecordVariant.RECORDED_BY_ANOTHER,
    RecordVariant.IMPOSTOR,
)


def histories(*, exchanges: int = 2, max_facts: int = 12) -> st.SearchStrategy[list[Event]]:
    """Events of one programme in log order, as they stand on the log.

    The first `exchanges` facts of the catalogue are exchanges; more of them make richer answers,
    fewer make longer stories of each.
    """
    return _log(_catalogue(PROGRAMME, exchanges, max_facts))


def mixed_histories(*, max_facts: int = 10) -> st.SearchStrategy[list[Event]]:
    """Events of two programmes that use the same event ids and organization ids."""
    facts = st.tuples(
        _catalogue(PROGRAMME, 2, max_facts), _catalogue(OTHER_PROGRAMME, 2, max_facts)
    )
    return _log(facts.map(lambda both: both[0] + both[1]))


def questions() -> st.SearchStrategy[Question]:
    """Questions about the one programme that both the product and the oracle answer."""
    return _questions()


@st.composite
def client_exchanges(draw: Draw) -> Event:
    """A new exchange as a client sends it, without ids."""
    event = Event()
    _record(draw, event, 0)
    return event


@st.composite
def client_organizations(draw: Draw) -> OrganizationContent:
    """The content of an organization as a client sends it, with aliases."""
    content = OrganizationContent()
    _organization(draw, content)
    return content


def slab_cuts(count: int) -> st.SearchStrategy[list[int]]:
    """Offsets at which `count` records are cut into slabs, ascending, without start and end."""
    inner = st.integers(1, max(1, count - 1))
    some = st.lists(inner, max_size=6, unique=True).map(
        lambda cuts: sorted(each for each in cuts if each < count)
    )
    return some | st.just(list(range(1, count)))


def event_id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


def denormalize(event: Event) -> Event:
    """An equal fact in another form: sets reversed, text untrimmed and decomposed.

    Another program than ingest put it on the log, so it lacks `assurance`.
    """
    variant = Event()
    variant.CopyFrom(event)
    variant.ClearField("assurance")
    match event.WhichOneof("fact"):
        case "exchange_recorded":
            _blur_exchange(variant.exchange_recorded.exchange)
        case "exchange_corrected":
            _blur_exchange(variant.exchange_corrected.exchange)
        case "exchange_retracted":
            _blur_text(variant.exchange_retracted.reason)
        case "exchange_confirmed" | "exchange_disputed" as field:
            _blur_statement(getattr(variant, field))
        case "organization_registered":
            _blur_organization(variant.organization_registered.organization)
        case "organization_updated":
            _blur_organization(variant.organization_updated.organization)
        case "alias_added" | "nothing_to_report" | "pairing_formed" | "pairing_ended" as field:
            _blur_ids(getattr(variant, field))
        case "programme_configured":
            labels = list(reversed(variant.programme_configured.topics))
            del variant.programme_configured.topics[:]
            for each in labels:
                variant.programme_configured.topics.add(
                    topic=_blur(each.topic), label=_blur(each.label)
                )
    return variant


def _blur_ids(fact: AliasAdded | NothingToReport | PairingFormed | PairingEnded) -> None:
    if isinstance(fact, PairingFormed | PairingEnded):
        fact.a, fact.b = _blur(fact.b), _blur(fact.a)
        return
    fact.organization_id = _blur(fact.organization_id)
    if isinstance(fact, AliasAdded):
        fact.alias = _blur(fact.alias)


def _blur_statement(fact: ExchangeConfirmed | ExchangeDisputed) -> None:
    fact.party = _blur(fact.party)
    if fact.HasField("note"):
        _blur_text(fact.note)


def _blur_exchange(content: ExchangeContent) -> None:
    for ids in (content.giver_ids, content.receiver_ids, content.party_ids, content.topics):
        ids[:] = [_blur(each) for each in reversed(ids)]
        ids.extend(list(ids)[:1])
    if content.HasField("note"):
        _blur_text(content.note)


def _blur_organization(content: OrganizationContent) -> None:
    content.organization_id = _blur(content.organization_id)
    content.name = _blur(content.name)
    content.aliases[:] = [_blur(each) for each in reversed(content.aliases)]


def _blur_text(text: Text) -> None:
    text.plain = _blur(text.plain)


def _blur(text: str) -> str:
    return f" {normalize('NFD', text)}\n" if text else ""


@st.composite
def _log(draw: Draw, catalogue: st.SearchStrategy[list[Event]]) -> list[Event]:
    facts = draw(catalogue)
    again = draw(st.lists(st.sampled_from(facts), max_size=len(facts)))
    return [
        _make_variant(draw, fact, draw(st.sampled_from(RECORD_VARIANTS)))
        for fact in draw(st.permutations([*facts, *again]))
    ]


def _make_variant(draw: Draw, fact: Event, pick: RecordVariant) -> Event:
    match pick:
        case RecordVariant.SLOPPY:
            return denormalize(fact)
        case RecordVariant.RECORDED_BY_ANOTHER:
            other = Event()
            other.CopyFrom(fact)
            other.recorded_by = draw(_recorders)
            return other
        case RecordVariant.IMPOSTOR:
            number = int(fact.event_id[-12:])
            return _fact(draw, fact.programme_id, number, draw(st.sampled_from(_KINDS)))
        case _:
            return fact


@st.composite
def _catalogue(draw: Draw, programme_id: str, exchanges: int, max_facts: int) -> list[Event]:
    facts, theme = [], draw(st.sampled_from(_THEMES))
    for number in range(draw(st.integers(exchanges, max_facts))):
        fact = _record if number < exchanges else draw(st.sampled_from(theme))
        facts.append(_fact(draw, programme_id, number, fact))
    return facts


def _fact(
    draw: Draw, programme_id: str, number: int, fact: Callable[[Draw, Event, int], None]
) -> Event:
    event = Event(
        event_id=event_id(number),
        programme_id=programme_id,
        recorded_by=draw(_recorders),
        assurance=ASSURANCE_OPEN,
    )
    if (generation := draw(st.sampled_from((0, 0, 0, 1, 2)))) > 0:
        event.source.client = draw(st.sampled_from(("form", "import")))
        event.source.batch, event.source.generation = "march", generation
    if draw(st.integers(0, 7)) == 0:  # replayed
        event.record_time.FromJsonString("2024-09-09T09:09:09Z")
    fact(draw, event, number)
    return event


def _record(draw: Draw, event: Event, number: int) -> None:
    _occur(draw, event)
    _exchange(draw, event.exchange_recorded.exchange)


def _correct(draw: Draw, event: Event, number: int) -> None:
    _occur(draw, event)
    fact = event.exchange_corrected
    fact.exchange_id = draw(_targets)
    before = max(0, number - 1)
    replaced = ("", fact.exchange_id, event_id(before), event_id(before), draw(_any_event))
    fact.replaces_event_id = draw(st.sampled_from(replaced))
    _exchange(draw, fact.exchange)


def _retract(draw: Draw, event: Event, number: int) -> None:
    event.exchange_retracted.exchange_id = draw(_targets)
    event.exchange_retracted.reason.plain = draw(st.sampled_from(("", "twice")))


def _confirm(draw: Draw, event: Event, number: int) -> None:
    _state(draw, event.exchange_confirmed)


def _dispute(draw: Draw, event: Event, number: int) -> None:
    _state(draw, event.exchange_disputed)


def _state(draw: Draw, fact: ExchangeConfirmed | ExchangeDisputed) -> None:
    fact.exchange_id, fact.party = draw(_targets), draw(_recorders)
    if draw(st.booleans()):
        fact.note.plain = "Caf\u00e9"


def _register(draw: Draw, event: Event, number: int) -> None:
    _organization(draw, event.organization_registered.organization)


def _update(draw: Draw, event: Event, number: int) -> None:
    _organization(draw, event.organization_updated.organization)


def _alias(draw: Draw, event: Event, number: int) -> None:
    event.alias_added.alias = draw(st.sampled_from(ORGANIZATIONS))
    event.alias_added.organization_id = draw(st.sampled_from(ORGANIZATIONS))


def _nothing(draw: Draw, event: Event, number: int) -> None:
    day = draw(st.sampled_from(DAYS)).replace(day=1)
    event.occur_time.FromDatetime(datetime(day.year, day.month, day.day, tzinfo=UTC))
    event.occur_precision = OCCUR_PRECISION_MONTH
    event.nothing_to_report.organization_id = draw(st.sampled_from(ORGANIZATIONS))


def _form_pairing(draw: Draw, event: Event, number: int) -> None:
    fact = event.pairing_formed
    fact.a, fact.b = sorted(draw(_PAIRED))
    _set_day(fact.from_date, draw(st.integers(1, 4)))
    if draw(st.booleans()):
        _set_day(fact.to_date, draw(st.integers(5, 6)))
    fact.chosen_by = PairingChoice.ValueType(draw(st.integers(0, 2)))


def _end_pairing(draw: Draw, event: Event, number: int) -> None:
    fact = event.pairing_ended
    fact.a, fact.b = sorted(draw(_PAIRED))
    _set_day(fact.to_date, draw(st.integers(1, 6)))


def _set_day(date: Date, day: int) -> None:
    date.year, date.month, date.day = 2024, 3, day


_PAIRED = st.lists(st.sampled_from(ORGANIZATIONS), min_size=2, max_size=2, unique=True)


def _configure(draw: Draw, event: Event, number: int) -> None:
    fact = event.programme_configured
    topics = draw(st.lists(st.sampled_from((*TOPICS, "unused")), max_size=3, unique=True))
    for topic in sorted(topics):
        fact.topics.add(topic=topic, label=draw(st.sampled_from(("", "Caf\u00e9 & co", "B"))))
    if not topics or draw(st.booleans()):
        fact.working_day_minutes = draw(st.sampled_from((1, 450, 1_440)))


_KINDS = (
    _record,
    _correct,
    _correct,
    _retract,
    _confirm,
    _dispute,
    _register,
    _update,
    _alias,
    _nothing,
    _form_pairing,
    _end_pairing,
    _configure,
)
_THEMES = (
    (_correct, _correct, _correct, _correct, _retract),
    (_register, _update, _update, _alias, _alias, _alias, _nothing, _configure),
    (_alias, _alias, _alias, _register, _correct, _retract),
    (_confirm, _confirm, _confirm, _dispute, _dispute, _correct, _retract, _alias),
    (_form_pairing, _form_pairing, _form_pairing, _end_pairing, _end_pairing, _alias),
    _KINDS,
)
"""A history is mostly about corrections, the roster, who is who, statements, pairings, or all."""
_targets = st.sampled_from((0, 0, 0, 1, 2, 99)).map(event_id)
_any_event = st.integers(1, 9).map(event_id)
_recorders = st.sampled_from(ORGANIZATIONS + OUTSIDERS)


def _occur(draw: Draw, event: Event) -> None:
    precision = draw(st.sampled_from(_PRECISIONS))
    event.occur_precision = precision
    day = draw(st.sampled_from(DAYS))
    match precision:
        case 3:
            day = day.replace(day=1)
        case 4:
            day = day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
    time = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if precision in (OCCUR_PRECISION_UNSPECIFIED, OCCUR_PRECISION_EXACT):
        time += draw(st.sampled_from((timedelta(), timedelta(days=1, microseconds=-1))))
    event.occur_time.FromDatetime(time)
    if draw(st.booleans()):
        event.report_time.FromDatetime(time + timedelta(days=40))


_PRECISIONS = (
    OCCUR_PRECISION_UNSPECIFIED,
    OCCUR_PRECISION_EXACT,
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
)


def _exchange(draw: Draw, content: ExchangeContent) -> None:
    content.kind = draw(st.sampled_from(EXCHANGE_KINDS))
    content.formality = draw(st.sampled_from(Formality.values()))
    content.reported_by = draw(st.sampled_from(ReportSide.values()))
    content.topics.extend(draw(st.sampled_from(((), (), TOPICS[:1], TOPICS[:2], TOPICS[1:]))))
    parties = draw(st.lists(st.sampled_from(ORGANIZATIONS), min_size=2, max_size=5, unique=True))
    if draw(st.integers(0, 5)) == 0:
        content.party_ids.extend(sorted(parties))
        _minutes(draw, content, ("giver_minutes",))
        return
    givers = draw(st.integers(1, len(parties) - 1))
    content.giver_ids.extend(sorted(parties[:givers]))
    content.receiver_ids.extend(sorted(parties[givers:]))
    _minutes(draw, content, ("giver_minutes", "receiver_minutes", "benefit_minutes"))
    if draw(st.integers(0, 3)) == 0:
        content.note.plain = "Caf\u00e9, second visit."


def _minutes(draw: Draw, content: ExchangeContent, names: tuple[str, ...]) -> None:
    for name in names:
        minutes = draw(st.sampled_from(MINUTES))
        if minutes is not None:
            setattr(content, name, minutes)


def _organization(draw: Draw, content: OrganizationContent) -> None:
    content.organization_id = draw(st.sampled_from(_REGISTERED))
    content.name = draw(st.sampled_from(("", "", "A Trust", "BIR\u200bCH", "\u00c9LAN")))
    content.role = draw(st.sampled_from(("", "", "boundary")))
    others = [each for each in ORGANIZATIONS if each != content.organization_id]
    content.aliases.extend(sorted(draw(st.lists(st.sampled_from(others), max_size=2, unique=True))))
    open_day, close_day = draw(_periods)
    if open_day:
        content.open_date.CopyFrom(as_date(open_day))
    if close_day:
        content.close_date.CopyFrom(as_date(close_day))


def as_date(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def _periods_of(days: tuple[date, ...]) -> st.SearchStrategy[tuple[date | None, date | None]]:
    """Two days, the second not before the first; each may be missing."""
    maybe = st.sampled_from((None, None, *days))
    return st.tuples(maybe, maybe).map(
        lambda both: (both[1], both[0]) if both[0] and both[1] and both[1] < both[0] else both
    )


_periods = _periods_of(DAYS)


@st.composite
def _questions(draw: Draw) -> Question:
    question = Question(
        programme_id=PROGRAMME,
        lens=draw(st.sampled_from(Lens.values())),
        allocation=draw(st.sampled_from(_ALLOCATIONS)),
        identity=draw(st.sampled_from(_IDENTITIES)),
        population=draw(st.sampled_from(Population.values())),
    )
    names = st.sampled_from((*ORGANIZATIONS, "nobody"))
    question.kinds.extend(draw(_some(EXCHANGE_KINDS)))
    question.formalities.extend(draw(_some(Formality.values())))
    question.topics.extend(draw(_some((*TOPICS, "unheard-of"))))
    question.organization_ids.extend(draw(st.just([]) | st.lists(names, max_size=2)))
    from_day, to_day = draw(_periods.filter(lambda both: both[0] is None or both[0] != both[1]))
    if from_day:
        question.from_date.CopyFrom(as_date(from_day))
    if to_day:
        question.to_date.CopyFrom(as_date(to_day))
    return question


def _some(values: Sequence[Choice]) -> st.SearchStrategy[list[Choice]]:
    """Mostly the empty list."""
    return st.sampled_from((0, 0, 1, 2)).flatmap(
        lambda size: st.lists(st.sampled_from(values), min_size=size, max_size=size)
    )


_ALLOCATIONS = (
    ALLOCATION_UNSPECIFIED,
    ALLOCATION_SPLIT,
    ALLOCATION_SPLIT,
    ALLOCATION_FULL,
    ALLOCATION_ONCE,
)
_IDENTITIES = (IDENTITY_UNSPECIFIED, IDENTITY_RECORDED, IDENTITY_AS_NOW)
