"""Programme configuration: valid facts add up, invalid ones are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutua import Client, MutuaError
from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event, ProgrammeConfigured, TopicLabel
from services.query.programme import get_programme
from tests.ledger.folded_ledger import make_records
from tests.oracle.fold import fold
from tests.oracle.recorded_history import RecordedHistory, load_histories
from tests.projector.slab_projection import open_empty_store, project
from tests.services.facts import exchange
from tests.services.query_runner import QueryRunner, query_runner
from tests.strategies import PROGRAMME, histories, slab_cuts

REQUEST = pb.GetProgrammeRequest(programme_id=PROGRAMME)


PATH = "events[0].programme_configured."


def configured(*labels: tuple[str, str], minutes: int | None = None) -> Event:
    topics = [TopicLabel(topic=topic, label=label) for topic, label in labels]
    fact = ProgrammeConfigured(topics=topics, working_day_minutes=minutes)
    return Event(programme_configured=fact)


@settings(max_examples=60, deadline=None)
@given(st.data(), histories(exchanges=4, max_facts=12))
def test_programme_equals_oracle(data: st.DataObject, events: list[Event]) -> None:
    with open_empty_store() as store:
        runner = QueryRunner(store)
        if events:
            project(store, make_records(events), data.draw(slab_cuts(len(events))))
        programme = runner.run(get_programme, REQUEST).programme
    assert programme == _oracle_answer(events)


@pytest.mark.parametrize("history", load_histories(), ids=str)
def test_programme_equals_recorded_history(history: RecordedHistory) -> None:
    with query_runner(history.events) as runner:
        programme = runner.run(get_programme, REQUEST).programme
    labels = {each.topic: each.label for each in programme.topics if each.label}
    minutes = programme.working_day_minutes if programme.HasField("working_day_minutes") else None
    assert (labels, minutes) == (history.topic_labels, history.working_day_minutes)


def _oracle_answer(events: list[Event]) -> pb.Programme:
    ledger = fold(events)
    standing = [each for each in ledger.exchanges.values() if not each.is_retracted]
    counts = Counter(topic for each in standing for topic in _topics(each.revisions[-1]))
    labels = {topic: label for topic, label in ledger.topic_labels.items() if label}
    return pb.Programme(
        programme_id=PROGRAMME,
        topics=[
            pb.Topic(topic=topic, label=labels.get(topic, ""), exchange_count=counts[topic])
            for topic in sorted({*counts, *labels})
        ],
        working_day_minutes=ledger.working_day_minutes,
    )


def _topics(event: Event) -> Sequence[str]:
    fact = (
        event.exchange_recorded if event.HasField("exchange_recorded") else event.exchange_corrected
    )
    return fact.exchange.topics


def test_set_value_replaces_and_absent_value_stays(client: Client) -> None:
    def configure(*labels: tuple[str, str], minutes: int | None = None) -> str:
        return client.record([configured(*labels, minutes=minutes)])

    call = exchange("A", "B")
    call.exchange_recorded.exchange.topics.extend(["it-and-data", "beds"])
    client.record([call])
    configure(("it-and-data", "IT"), ("unused", "Not used"), minutes=450)
    position = configure(("it-and-data", "IT & data"), ("gone", "Gone"), ("gone-too", "x"))
    position = configure(("gone", ""), ("gone-too", ""))
    answer = client.get_programme(min_position=position)
    assert [(each.topic, each.label, each.exchange_count) for each in answer.programme.topics] == [
        ("beds", "", 1),
        ("it-and-data", "IT & data", 1),
        ("unused", "Not used", 0),
    ]
    assert answer.programme.working_day_minutes == 450
    assert (answer.programme.programme_id, answer.position) == (client.programme, position)


def test_programme_without_facts_is_empty(client: Client) -> None:
    programme = client.get_programme().programme
    assert programme == pb.Programme(programme_id=client.programme)


@pytest.mark.parametrize(
    ("fact", "field", "remedy"),
    [
        pytest.param(configured(), "topics", "set a label or", id="nothing"),
        pytest.param(configured(("IT", "x")), "topics[0].topic", "lower-kebab", id="no slug"),
        pytest.param(configured(("it", "a\nb")), "topics[0].label", "control", id="line break"),
        pytest.param(configured(("it", "x" * 201)), "topics[0].label", "at most 200", id="long"),
        pytest.param(
            configured(("it", "A"), ("it", "B")), "topics[1].topic", "already", id="twice"
        ),
        pytest.param(configured(minutes=0), "working_day_minutes", "1 to 1,440", id="no minute"),
        pytest.param(configured(minutes=1_441), "working_day_minutes", "is 1,441", id="two days"),
    ],
)
def test_invalid_configuration_is_refused_by_field_with_remedy(
    client: Client, fact: Event, field: str, remedy: str
) -> None:
    with pytest.raises(MutuaError) as raised:
        client.record([fact])
    [violation] = raised.value.field_violations
    assert violation.field == PATH + field
    assert remedy in violation.description
