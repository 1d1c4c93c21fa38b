"""What a programme is configured to, and its topics."""

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.programme import from_topic
from services.ledger.programme import list_topics, merge_configuration
from services.network.topic_counts import count_exchanges_by_topic
from services.query.executor import QueryContext


def get_programme(asked: QueryContext) -> pb.GetProgrammeResponse:
    programme_id = asked.question.programme_id
    configured = merge_configuration(asked.snapshot.read_configurations(programme_id))
    return pb.GetProgrammeResponse(
        programme=pb.Programme(
            programme_id=programme_id,
            topics=map(
                from_topic, list_topics(configured, count_exchanges_by_topic(asked.frame.columns))
            ),
            working_day_minutes=configured.working_day_minutes,
        ),
        **asked.coverage_fields(),
    )
