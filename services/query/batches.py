"""The question that lists import batches."""

from mutua.v1 import query_service_pb2 as pb
from services.adapters.wire.values import from_instant
from services.ledger.records import ImportedBatch
from services.query.query_context import QueryContext


def list_batches(query: QueryContext) -> pb.ListBatchesResponse:
    """A page of import batches, by name, generation and sender."""
    after_key = tuple(query.page.after_key or ())
    batches = query.snapshot.read_batches(query.question.programme_id)
    rows = (batch for batch in batches if _make_key(batch) > after_key)
    page = pb.ListBatchesResponse(**query.coverage_fields())
    return query.fill_page(page, rows, _from_batch, _make_key)


def _make_key(batch: ImportedBatch) -> tuple[str, int, str]:
    return batch.batch, batch.generation, batch.recorded_by


def _from_batch(batch: ImportedBatch) -> pb.Batch:
    return pb.Batch(
        batch=batch.batch,
        generation=batch.generation,
        recorded_by=batch.recorded_by,
        client=batch.client,
        exchange_count=batch.exchange_count,
        retracted_count=batch.retracted_count,
        correction_count=batch.correction_count,
        organization_count=batch.organization_count,
        pairing_count=batch.pairing_count,
        first_record_time=from_instant(batch.first_record_time),
        last_record_time=from_instant(batch.last_record_time),
        undone=batch.undone,
    )
