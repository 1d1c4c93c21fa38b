"""ProgrammeConfigured on the wire, and the answer about a programme."""

from mutua.v1 import event_pb2 as pb
from mutua.v1 import query_service_pb2
from services.adapters.wire.values import tidy
from services.ledger.programme import ProgrammeConfigured, Topic


def tidy_programme_configured(fact: pb.ProgrammeConfigured) -> None:
    for topic in fact.topics:
        topic.topic = tidy(topic.topic)
        topic.label = tidy(topic.label)


def sort_programme_configured(fact: pb.ProgrammeConfigured) -> None:
    fact.topics.sort(key=lambda topic: (topic.topic, topic.label))


def to_programme_configured(fact: pb.ProgrammeConfigured) -> ProgrammeConfigured:
    return ProgrammeConfigured(
        topic_labels=tuple((topic.topic, topic.label) for topic in fact.topics),
        working_day_minutes=(
            fact.working_day_minutes if fact.HasField("working_day_minutes") else None
        ),
    )


def from_topic(topic: Topic) -> query_service_pb2.Topic:
    return query_service_pb2.Topic(
        topic=topic.topic, label=topic.label, exchange_count=topic.exchange_count
    )
