"""Events on the wire: normal form, digests, and the numbers of the contract."""

from enum import IntEnum
from unicodedata import normalize as unicode_form

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from hypothesis import given
from hypothesis import strategies as st

from mutua.ids import uuid8
from mutua.v1 import event_pb2 as pb
from mutua.v1 import query_service_pb2, types_pb2
from services.adapters.wire.event import FACT_CODECS, digest_event, normalize, read_record
from services.ledger import enums
from services.ledger.fact_registry import FACT_REGISTRY

SPACES = st.sampled_from(["", " ", "\t", "\n ", "\u00a0"])
NAMES = st.text(max_size=6) | st.sampled_from(
    ["é", "e\u0301", "Å", "\u212b", "ﬁ", "각", "가\u11a8"]
)
TOPICS = st.lists(NAMES, max_size=4)


@st.composite
def untidy_events(draw: st.DrawFn) -> pb.Event:
    """Any event that a client can send, valid or not."""
    event = pb.Event(
        event_id=draw(SPACES) + draw(st.sampled_from(["A1", uuid8("x").upper(), ""])),
        programme_id=draw(SPACES) + draw(NAMES),
    )
    for time in draw(st.sets(st.sampled_from(["occur_time", "report_time"]))):
        getattr(event, time).seconds = draw(st.integers(-(2**63), 2**63 - 1))
        getattr(event, time).nanos = draw(st.integers(-(2**31), 2**31 - 1))
    if draw(st.booleans()):
        event.source.batch = draw(NAMES) + draw(SPACES)
    field = draw(st.sampled_from([*FACT_CODECS, None]))
    if field in ("exchange_recorded", "exchange_corrected"):
        _fill(draw, getattr(event, field).exchange)
    elif field in ("organization_registered", "organization_updated"):
        organization = getattr(event, field).organization
        organization.organization_id = draw(NAMES)
        organization.name = draw(SPACES) + draw(NAMES)
        organization.aliases.extend(draw(TOPICS))
        for scheme, value in draw(st.lists(st.tuples(NAMES, NAMES), max_size=3)):
            organization.external_ids.add(scheme=scheme, value=value)
    else:
        _fill_small(draw, event, field)
    return event


def _fill_small(draw: st.DrawFn, event: pb.Event, field: str | None) -> None:
    if field == "exchange_retracted":
        event.exchange_retracted.exchange_id = draw(NAMES)
        event.exchange_retracted.reason.plain = draw(NAMES) + draw(SPACES)
    elif field in ("exchange_confirmed", "exchange_disputed"):
        statement = getattr(event, field)
        statement.exchange_id = draw(NAMES)
        statement.party = draw(NAMES) + draw(SPACES)
        statement.note.plain = draw(NAMES) + draw(SPACES)
    elif field == "alias_added":
        event.alias_added.alias = draw(NAMES) + draw(SPACES)
    elif field == "nothing_to_report":
        event.nothing_to_report.organization_id = draw(NAMES) + draw(SPACES)
    elif field in ("pairing_formed", "pairing_ended"):
        fact = getattr(event, field)
        fact.a, fact.b = draw(NAMES) + draw(SPACES), draw(SPACES) + draw(NAMES)
        fact.to_date.year = draw(st.integers(0, 9999))
    elif field == "programme_configured":
        for topic, label in draw(st.lists(st.tuples(NAMES, NAMES), max_size=3)):
            event.programme_configured.topics.add(topic=topic, label=draw(SPACES) + label)


def _fill(draw: st.DrawFn, content: pb.ExchangeContent) -> None:
    content.giver_ids.extend(draw(TOPICS))
    content.receiver_ids.extend(draw(TOPICS))
    content.topics.extend(draw(TOPICS))
    content.kind = types_pb2.ExchangeKind.ValueType(draw(st.integers(-(2**31), 2**31 - 1)))
    if draw(st.booleans()):
        content.note.plain = draw(NAMES) + draw(SPACES)
    for group, people in draw(st.lists(st.tuples(NAMES, st.integers(0, 3)), max_size=3)):
        content.participants.add(role_group=group, participant_count=people)


class TestNormalize:
    @given(untidy_events())
    def test_is_idempotent(self, event: pb.Event) -> None:
        normalize(event)
        once = event.SerializeToString(deterministic=True)
        normalize(event)
        assert event.SerializeToString(deterministic=True) == once

    @given(untidy_events())
    def test_normalized_event_survives_serialization(self, event: pb.Event) -> None:
        normalize(event)
        assert pb.Event.FromString(event.SerializeToString()) == event


def call() -> pb.Event:
    event = pb.Event(event_id=uuid8("call"), programme_id="default")
    event.occur_time.FromJsonString("2026-03-02T10:00:00.123456Z")
    event.source.batch = "café"
    content = event.exchange_recorded.exchange
    content.kind = types_pb2.EXCHANGE_KIND_CALL
    content.giver_ids.extend(["A", "Zoë"])
    content.receiver_ids.extend(["B", "C"])
    content.topics.append("e-prescribing")
    content.note.plain = "Über alles"
    content.participants.add(role_group="clinical", participant_count=1)
    content.participants.add(role_group="informatics", participant_count=2)
    return event


def digest(event: pb.Event) -> bytes:
    normalize(event)
    return digest_event(event)


def _decompose(event: pb.Event) -> None:
    content = event.exchange_recorded.exchange
    content.giver_ids[:] = [unicode_form("NFD", each) for each in content.giver_ids]
    content.note.plain = unicode_form("NFD", content.note.plain)
    event.source.batch = unicode_form("NFD", event.source.batch)


CHANGES_WITHOUT_MEANING = {
    "recorded_by": lambda event: setattr(event, "recorded_by", "A"),
    "assurance": lambda event: setattr(event, "assurance", 2),
    "record time": lambda event: event.record_time.FromJsonString("2026-03-03T00:00:00Z"),
    "spaces around an id": lambda event: event.exchange_recorded.exchange.giver_ids.__setitem__(
        slice(None), [" A", "Zoë\t"]
    ),
    "the order of a set": lambda event: event.exchange_recorded.exchange.receiver_ids.reverse(),
    "repetition in a set": lambda event: event.exchange_recorded.exchange.topics.append(
        "e-prescribing "
    ),
    "the order of participants": lambda event: event.exchange_recorded.exchange.participants.sort(
        key=lambda group: -group.participant_count
    ),
    "decomposed letters": _decompose,
    "spaces around the note": lambda event: setattr(
        event.exchange_recorded.exchange.note, "plain", "\n Über alles  "
    ),
    "an event id in capitals": lambda event: setattr(event, "event_id", event.event_id.upper()),
    "nanoseconds": lambda event: setattr(event.occur_time, "nanos", 123_456_789),
}


CHANGES_OF_MEANING = {
    "a giver": lambda event: event.exchange_recorded.exchange.giver_ids.append("D"),
    "known minutes": lambda event: setattr(event.exchange_recorded.exchange, "giver_minutes", 0),
    "a microsecond": lambda event: setattr(event.occur_time, "nanos", 123_457_000),
    "letter case of an id": lambda event: event.exchange_recorded.exchange.giver_ids.__setitem__(
        0, "a"
    ),
    "the batch": lambda event: setattr(event.source, "batch", "tea"),
    "visibility": lambda event: setattr(event, "visibility", 2),
    "a sealed note": lambda event: setattr(event.exchange_recorded.exchange.note, "sealed", b"x"),
}


class TestDigest:
    @pytest.mark.parametrize(
        "change", CHANGES_WITHOUT_MEANING.values(), ids=CHANGES_WITHOUT_MEANING
    )
    def test_equal_meaning_gives_equal_digest(self, change: object) -> None:
        event = call()
        assert callable(change)
        change(event)
        assert digest(event) == digest(call())

    @pytest.mark.parametrize("change", CHANGES_OF_MEANING.values(), ids=CHANGES_OF_MEANING)
    def test_different_meaning_gives_different_digest(self, change: object) -> None:
        event = call()
        assert callable(change)
        change(event)
        assert digest(event) != digest(call())


class TestContract:
    @pytest.mark.parametrize(
        ("enum", "contract_enum", "prefix"),
        [
            (enums.Precision, types_pb2.OccurPrecision, "OCCUR_PRECISION_"),
            (enums.Visibility, types_pb2.Visibility, "VISIBILITY_"),
            (enums.Assurance, types_pb2.Assurance, "ASSURANCE_"),
            (enums.Kind, types_pb2.ExchangeKind, "EXCHANGE_KIND_"),
            (enums.Formality, types_pb2.Formality, "FORMALITY_"),
            (enums.Side, types_pb2.ReportSide, "REPORT_SIDE_"),
            (enums.OrganizationType, types_pb2.OrganizationType, "ORGANIZATION_TYPE_"),
            (enums.RevisionState, query_service_pb2.ExchangeState, "EXCHANGE_STATE_"),
            (enums.Lens, query_service_pb2.Lens, "LENS_"),
            (enums.Allocation, query_service_pb2.Allocation, "ALLOCATION_"),
            (enums.Identity, query_service_pb2.Identity, "IDENTITY_"),
            (enums.Population, query_service_pb2.Population, "POPULATION_"),
        ],
    )
    def test_enums_have_the_numbers_of_the_contract(
        self, enum: type[IntEnum], contract_enum: "EnumTypeWrapper", prefix: str
    ) -> None:
        """An enum of the core leaves "unspecified" out where it has no meaning."""
        numbers = {f"{prefix}{word.name}": int(word) for word in enum}
        declared = dict(contract_enum.items())
        unspecified = f"{prefix}UNSPECIFIED"
        assert declared.pop(unspecified) == numbers.pop(unspecified, 0) == 0
        assert numbers == declared

    def test_fact_kinds_are_field_numbers(self) -> None:
        """Every implemented kind has its number in Event.fact; the other numbers stay reserved."""
        kinds = {name.removeprefix("FACT_KIND_").lower(): n for name, n in pb.FactKind.items() if n}
        facts = {
            field.name: field.number for field in pb.Event.DESCRIPTOR.oneofs_by_name["fact"].fields
        }
        assert set(facts) == set(FACT_CODECS) == {kind.FIELD for kind in FACT_REGISTRY}
        assert facts.items() <= kinds.items()
        unimplemented = {number for name, number in kinds.items() if name not in facts}
        assert unimplemented.isdisjoint(field.number for field in pb.Event.DESCRIPTOR.fields)
        assert all(20 <= number <= 79 for number in kinds.values())


def test_exchange_without_occur_time_is_unreadable() -> None:
    event = pb.Event(event_id="018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f", programme_id="default")
    event.exchange_recorded.exchange.giver_ids.append("A")
    event.exchange_recorded.exchange.receiver_ids.append("B")
    assert read_record(0, 0, "default", event.SerializeToString()).event is None
