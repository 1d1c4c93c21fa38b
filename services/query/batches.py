"""What was imported, batch by batch."""

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.values import from_instant
from services.ledger.records import ImportedBatch
from services.query.executor import QueryContext


def list_batches(asked: QueryContext) -> pb.ListBatchesResponse:
    after = tuple(asked.page.after_key or ())
    found = asked.snapshot.read_batches(asked.question.programme_id)
    rest = (each for each in found if _key(each) > after)
    return asked.fill_page(pb.ListBatchesResponse(**asked.coverage_fields()), rest, _batch, _key)


def _key(each: ImportedBatch) -> tuple[str, int, str]:
    return each.batch, each.generation, each.recorded_by


def _batch(each: ImportedBatch) -> pb.Batch:
    return pb.Batch(
        batch=each.batch,
        generation=each.generation,
        recorded_by=each.recorded_by,
        client=each.client,
        exchange_count=each.exchange_count,
        retracted_count=each.retracted_count,
        correction_count=each.correction_count,
        organization_count=each.organization_count,
        first_record_time=from_instant(each.first_record_time),
        last_record_time=from_instant(each.last_record_time),
        undone=each.undone,
    )
