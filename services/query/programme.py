"""The question about a programme's configuration and topics."""

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.programme import from_topic
from services.ledger.programme import list_topics, merge_configuration
from services.network.topic_counts import count_exchanges_by_topic
from services.query.query_context import QueryContext


def get_programme(query: QueryContext) -> pb.GetProgrammeResponse:
    """The configuration, and every topic that is configured or used, with its exchange count."""
    programme_id = query.question.programme_id
    configuration = merge_configuration(query.snapshot.read_configurations(programme_id))
    exchange_counts = count_exchanges_by_topic(query.view.columns)
    return pb.GetProgrammeResponse(
        programme=pb.Programme(
            programme_id=programme_id,
            topics=map(from_topic, list_topics(configuration, exchange_counts)),
            working_day_minutes=configuration.working_day_minutes,
        ),
        **query.coverage_fields(),
    )
