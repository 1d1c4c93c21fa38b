"""What a programme is configured to, and its topics."""

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.programme import from_topic
from services.ledger.programme import configuration, topics
from services.network.topics import exchange_counts
from services.query.answering import Asked


def get_programme(asked: Asked) -> pb.GetProgrammeResponse:
    programme_id = asked.question.programme_id
    configured = configuration(asked.snapshot.configurations(programme_id))
    return pb.GetProgrammeResponse(
        programme=pb.Programme(
            programme_id=programme_id,
            topics=map(from_topic, topics(configured, exchange_counts(asked.frame.columns))),
            working_day_minutes=configured.working_day_minutes,
        ),
        **asked.rest(),
    )
