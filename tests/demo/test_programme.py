"""The generated programme has the numbers of the study, and is valid for every seed."""

import csv
from collections import Counter, defaultdict
from datetime import UTC, datetime, time, timedelta
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from mutua.v1 import types_pb2 as enums
from mutua.v1.event_pb2 import Event, ExchangeContent, OrganizationContent
from services.demo import roster
from services.demo.programme import AS_OF, Recording, generate

SEEDS = (2021, 1, 2, 3)
END = datetime.combine(AS_OF, time(), UTC)


@pytest.fixture(scope="module", params=SEEDS)
def recordings(request: pytest.FixtureRequest) -> list[Recording]:
    return list(generate(seed=request.param, programme="demo"))


@pytest.fixture(scope="module")
def events(recordings: list[Recording]) -> list[Event]:
    return [event for recording in recordings for event in recording.events]


@pytest.fixture(scope="module")
def organizations(events: list[Event]) -> list[OrganizationContent]:
    return [
        event.organization_registered.organization
        for event in events
        if event.HasField("organization_registered")
    ]


@pytest.fixture(scope="module")
def exchange_events(events: list[Event]) -> list[Event]:
    return [event for event in events if event.HasField("exchange_recorded")]


def content_of(event: Event) -> ExchangeContent:
    return event.exchange_recorded.exchange


def parties_of(content: ExchangeContent) -> list[str]:
    return [*content.giver_ids, *content.receiver_ids, *content.party_ids]


def in_scope(organizations: list[OrganizationContent]) -> list[OrganizationContent]:
    return [each for each in organizations if each.role != "boundary"]


# The roster


@pytest.mark.parametrize(
    ("organization_type", "count"),
    [
        (enums.ORGANIZATION_TYPE_ACUTE, 33),
        (enums.ORGANIZATION_TYPE_MENTAL_HEALTH, 15),
        (enums.ORGANIZATION_TYPE_AMBULANCE, 3),
    ],
)
def test_roster_has_51_organizations_by_type(
    organizations: list[OrganizationContent],
    organization_type: enums.OrganizationType.ValueType,
    count: int,
) -> None:
    assert len(organizations) == 51
    assert sum(each.type == organization_type for each in organizations) == count


def test_roster_has_36_in_scope_and_15_outside(
    organizations: list[OrganizationContent],
) -> None:
    members = in_scope(organizations)
    assert Counter(each.role for each in members) == {"exemplar": 17, "follower": 19}
    outside = [each for each in organizations if each.role == "boundary"]
    assert sum(each.HasField("open_date") for each in outside) == 9
    assert sum(each.HasField("close_date") for each in outside) == 3
    ambulances = [each for each in outside if each.sector == "ambulance"]
    assert len(ambulances) == 3
    assert len(outside) == 15


def test_pairings_bind_an_exemplar_with_a_follower(
    events: list[Event], organizations: list[OrganizationContent]
) -> None:
    role = {each.organization_id: each.role for each in organizations}
    pairings = [event.pairing_formed for event in events if event.HasField("pairing_formed")]
    assert len(pairings) >= 12
    assert {(role[each.a], role[each.b]) for each in pairings} == {("exemplar", "follower")}
    bound = [party for each in pairings for party in (each.a, each.b)]
    assert len(set(bound)) == len(bound)


def test_19_pairings_share_a_core_system(organizations: list[OrganizationContent]) -> None:
    pairs = combinations(in_scope(organizations), 2)
    assert sum(bool(a.core_system) and a.core_system == b.core_system for a, b in pairs) == 19


@pytest.mark.parametrize(("cohort", "size", "sharing"), [("in depth", 12, 6), ("broad", 24, 15)])
def test_organizations_that_share_a_strategic_grouping(
    organizations: list[OrganizationContent], cohort: str, size: int, sharing: int
) -> None:
    with (Path(roster.__file__).parent / "roster.csv").open(encoding="utf-8") as file:
        cohort_of = {row["organization_id"]: row["cohort"] for row in csv.DictReader(file)}
    groups = Counter(each.strategic_group for each in in_scope(organizations))
    members = [each for each in organizations if cohort_of[each.organization_id] == cohort]
    assert len(members) == size
    sharers = [
        each for each in members if each.strategic_group and groups[each.strategic_group] > 1
    ]
    assert len(sharers) == sharing


def test_ids_names_and_aliases_are_unique(
    organizations: list[OrganizationContent],
) -> None:
    words_used = [
        word.casefold()
        for each in organizations
        for word in (each.organization_id, each.name, *each.aliases)
    ]
    assert len(words_used) == len(set(words_used)) == 51 + 51 + 12


def test_first_recording_registers_every_organization(recordings: list[Recording]) -> None:
    assert recordings[0].organization == ""
    kinds = [event.WhichOneof("fact") for event in recordings[0].events]
    assert kinds[:51] == ["organization_registered"] * 51
    assert {*kinds[51:]} == {"pairing_formed"}


# Who takes part


def test_5_of_36_are_isolates_and_29_record(
    recordings: list[Recording],
    organizations: list[OrganizationContent],
    exchange_events: list[Event],
    events: list[Event],
) -> None:
    members = {each.organization_id for each in in_scope(organizations)}
    taking_part = {party for event in exchange_events for party in parties_of(content_of(event))}
    assert taking_part < members
    assert len(members - taking_part) == 5
    retracted_ids = {event.exchange_retracted.exchange_id for event in events}
    recorders = {
        recording.organization
        for recording in recordings
        for event in recording.events
        if event.HasField("exchange_recorded") and event.event_id not in retracted_ids
    }
    assert len(recorders - {""}) == 29
    assert recorders - {""} == {recording.organization for recording in recordings} - {""}
    assert recorders - {""} < taking_part


def test_reporting_sides_have_recorded(
    recordings: list[Recording], exchange_events: list[Event]
) -> None:
    recorders = {recording.organization for recording in recordings}
    for content in map(content_of, exchange_events):
        if content.reported_by == enums.REPORT_SIDE_GIVER:
            assert set(content.giver_ids) <= recorders
        if content.reported_by == enums.REPORT_SIDE_RECEIVER:
            assert set(content.receiver_ids) <= recorders


def test_five_organizations_give_about_half_of_exchanges(exchange_events: list[Event]) -> None:
    exchange_counts = Counter(
        giver for event in exchange_events for giver in content_of(event).giver_ids
    )
    share = sum(count for _, count in exchange_counts.most_common(5)) / exchange_counts.total()
    assert 0.4 < share < 0.65


# What they share


def test_exchanges_are_valid(
    exchange_events: list[Event], organizations: list[OrganizationContent]
) -> None:
    organization_ids = {each.organization_id for each in organizations}
    for event in exchange_events:
        content = content_of(event)
        parties = parties_of(content)
        assert len(parties) == len(set(parties)) >= 2
        assert set(parties) <= organization_ids
        if content.party_ids:
            assert not content.giver_ids
            assert not content.receiver_ids
            assert not content.HasField("receiver_minutes")
            assert not content.reported_by
        else:
            assert content.giver_ids
            assert content.receiver_ids
        assert content.kind
        assert 0 <= content.giver_minutes <= 20_160 * len(parties)
        assert 0 <= content.receiver_minutes <= 20_160
        assert len(content.topics) == len(set(content.topics))


def test_times_start_their_period_and_precede_the_as_of_date(
    exchange_events: list[Event],
) -> None:
    months = {
        enums.OCCUR_PRECISION_MONTH: range(1, 13),
        enums.OCCUR_PRECISION_QUARTER: (1, 4, 7, 10),
    }
    for event in exchange_events:
        occurred = event.occur_time.ToDatetime(UTC)
        if event.occur_precision != enums.OCCUR_PRECISION_EXACT:
            assert occurred.time() == time()
        if event.occur_precision in months:
            assert occurred.day == 1
            assert occurred.month in months[event.occur_precision]
        if event.HasField("report_time"):
            assert occurred <= event.report_time.ToDatetime(UTC) < END + timedelta(1)
    last = max(event.occur_time.ToDatetime(UTC) for event in exchange_events)
    assert END - timedelta(30) < last < END
    assert {event.occur_precision for event in exchange_events} == {1, 2, 3, 4}


def test_mix_of_exchanges_matches_the_study(exchange_events: list[Event]) -> None:
    contents = [content_of(event) for event in exchange_events]
    formality = Counter(content.formality for content in contents)
    unknown = sum(not content.HasField("giver_minutes") for content in contents)
    webinars = [each for each in contents if each.kind == enums.EXCHANGE_KIND_WEBINAR]
    assert len(contents) == 560
    assert formality[enums.FORMALITY_INFORMAL] > formality[enums.FORMALITY_FORMAL] > 0
    assert 0.05 < unknown / len(contents) < 0.2
    assert 10 < sum(bool(content.party_ids) for content in contents) < 50
    assert len(webinars) > 10
    assert all(each.HasField("giver_minutes") for each in webinars)
    assert all(5 <= len(each.receiver_ids) <= 15 for each in webinars)
    assert len({topic for content in contents for topic in content.topics}) == 10


def test_blueprints_lead_to_messages_to_calls_to_visits(exchange_events: list[Event]) -> None:
    kind_of = {event.event_id: content_of(event).kind for event in exchange_events}
    steps = Counter(
        (kind_of[content_of(event).arose_from_id], content_of(event).kind)
        for event in exchange_events
        if content_of(event).arose_from_id
    )
    document, message = enums.EXCHANGE_KIND_DOCUMENT, enums.EXCHANGE_KIND_MESSAGE
    call, visit = enums.EXCHANGE_KIND_CALL, enums.EXCHANGE_KIND_VISIT
    assert set(steps) == {(document, message), (message, call), (call, visit)}
    assert steps[document, message] > steps[call, visit] > 0


def test_exchanges_are_no_possible_double_reports(exchange_events: list[Event]) -> None:
    days = defaultdict[tuple[object, ...], list[datetime]](list)
    for event in exchange_events:
        content = content_of(event)
        alike = (
            frozenset(content.giver_ids),
            frozenset((*content.receiver_ids, *content.party_ids)),
            content.kind,
        )
        days[alike].append(event.occur_time.ToDatetime(UTC))
    for occurred in days.values():
        occurred.sort()
        assert all(b - a > timedelta(30) for a, b in pairwise(occurred))


# The log


def test_references_are_to_earlier_facts(events: list[Event]) -> None:
    earlier_ids: set[str] = set()
    current: dict[str, str] = {}
    for event in events:
        assert event.event_id not in earlier_ids
        assert event.programme_id == "demo"
        if event.HasField("exchange_recorded"):
            assert (
                not content_of(event).arose_from_id
                or content_of(event).arose_from_id in earlier_ids
            )
            current[event.event_id] = event.event_id
        if event.HasField("exchange_corrected"):
            correction = event.exchange_corrected
            assert current[correction.exchange_id] == correction.replaces_event_id
            current[correction.exchange_id] = event.event_id
        if event.HasField("exchange_retracted"):
            assert event.exchange_retracted.exchange_id in current
        earlier_ids.add(event.event_id)


def test_log_has_corrections_retractions_and_late_reports(events: list[Event]) -> None:
    corrections = [event for event in events if event.HasField("exchange_corrected")]
    ids = {event.event_id for event in corrections}
    assert len(corrections) == 9
    assert sum(event.exchange_corrected.replaces_event_id in ids for event in corrections) == 1
    assert 3 <= sum(event.HasField("exchange_retracted") for event in events) <= 4
    times = [
        event.occur_time.ToDatetime(UTC) for event in events if event.HasField("exchange_recorded")
    ]
    late = sum(times[i] < max(times[:i]) - timedelta(weeks=6) for i in range(1, len(times)))
    assert late > 10


def test_only_the_programme_office_sets_report_time(recordings: list[Recording]) -> None:
    for recording in recordings:
        for event in recording.events:
            if event.HasField("exchange_recorded"):
                assert event.HasField("report_time") == (recording.organization == "")


def test_recordings_are_few_and_of_one_organization(recordings: list[Recording]) -> None:
    assert len(recordings) <= 450
    neighbours = pairwise(recordings)
    assert all(a.organization != b.organization for a, b in neighbours)


# Seeds and scales


def as_bytes(recordings: list[Recording]) -> list[tuple[str, list[bytes]]]:
    return [
        (each.organization, [event.SerializeToString(deterministic=True) for event in each.events])
        for each in recordings
    ]


def test_generate_is_determined_by_its_seed() -> None:
    one, again, other = (list(generate(seed=seed, programme="demo")) for seed in (5, 5, 6))
    assert as_bytes(one) == as_bytes(again)
    ids, other_ids = ({e.event_id for r in each for e in r.events} for each in (one, other))
    assert ids.isdisjoint(other_ids)


def test_scale_multiplies_exchanges_and_root_of_roster() -> None:
    events = [e for each in generate(scale=9, programme="demo") for e in each.events]
    assert sum(event.HasField("exchange_recorded") for event in events) == 9 * 560
    assert sum(event.HasField("organization_registered") for event in events) == 3 * 51
    assert len({event.event_id for event in events}) == len(events)


def test_generate_refuses_scale_0() -> None:
    with pytest.raises(ValueError, match="scale is 0; give 1 or more"):
        next(generate(scale=0, programme="demo"))
