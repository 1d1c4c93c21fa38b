"""Finds rows of a file that another batch has recorded already."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from mutua import Client
from mutua.limits import MAX_PAGE_SIZE
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Batch, Exchange
from services.imports.batches import derive_id, find_exchanges, split_into_blocks
from services.imports.changes import Doubt
from services.imports.exchange_row_checker import ID_RULE, ExchangeRowChecker
from services.imports.report import BatchOverlap
from services.imports.row_identity import parse_key
from services.ledger.wording import format_count

_MIN_SAMPLE_SIZE: Final = 10
_MAX_COUNTED_BATCHES: Final = 5


def find_overlaps(client: Client, checker: ExchangeRowChecker) -> tuple[BatchOverlap, ...]:
    """Finds the batches that have references of the new rows, most equal rows first.

    In a batch of another sender only rows with equal content count, because many senders number
    their rows 1, 2, 3.

    A row has another id in each batch, so a lookup of ids works in batches that are too large to
    read. A sample spread evenly over the file is looked up in each batch: about 10,000 ids in all,
    and at least 10 per batch. It always finds a whole copy. With 100 batches, it misses a file that
    shares a twentieth of its rows once in 150 times. All rows are then counted in the five batches
    with most hits.
    """
    position = checker.import_batch.position
    others = [
        batch
        for batch in checker.import_batch.other_batches
        if batch.exchange_count > batch.retracted_count
    ]
    if not others or not checker.counts.recorded:
        return ()
    sample = _sample(checker, max(_MIN_SAMPLE_SIZE, MAX_PAGE_SIZE // len(others)))
    hits: Counter[int] = Counter()
    same_hits: Counter[int] = Counter()
    ids = (
        (id_, (place, event))
        for place, other in enumerate(others)
        for event in sample
        for id_ in _ids_in(other, checker, event)
    )
    for block in split_into_blocks(ids):
        places = dict(block)
        for id_, exchange in _find_unretracted(client, list(places), position).items():
            place, event = places[id_]
            hits[place] += 1
            same_hits[place] += _has_equal_content(event, exchange)
    likeliest = sorted(hits, key=lambda place: (-same_hits[place], -hits[place]))
    overlaps = [
        _overlap_with(client, checker, others[place], position)
        for place in likeliest[:_MAX_COUNTED_BATCHES]
    ]
    overlapping = [overlap for overlap in overlaps if overlap.row_count]
    return tuple(sorted(overlapping, key=lambda each: (-each.same_count, -each.row_count)))


def _overlap_with(
    client: Client, checker: ExchangeRowChecker, other: Batch, position: str
) -> BatchOverlap:
    """Looks up every new row in one batch."""
    row_count = same_count = 0
    ids = ((id_, event) for event in _new_events(checker) for id_ in _ids_in(other, checker, event))
    for block in split_into_blocks(ids):
        events = dict(block)
        exchanges = _find_unretracted(client, list(events), position)
        row_count += len(exchanges)
        same_count += sum(
            _has_equal_content(events[id_], exchange) for id_, exchange in exchanges.items()
        )
    if other.recorded_by != checker.import_batch.sender:
        row_count = same_count
    return BatchOverlap(
        batch=other.batch,
        recorded_by=other.recorded_by,
        row_count=row_count,
        same_count=same_count,
    )


def _has_equal_content(event: Event, exchange: Exchange) -> bool:
    last = exchange.revisions[-1]
    return event.occur_time == last.occur_time and event.exchange_recorded.exchange == last.content


def _find_unretracted(client: Client, ids: Sequence[str], position: str) -> dict[str, Exchange]:
    exchanges = find_exchanges(client, ids, position=position)
    return {id_: each for id_, each in exchanges.items() if each.state != EXCHANGE_STATE_RETRACTED}


def _ids_in(other: Batch, checker: ExchangeRowChecker, event: Event) -> Iterator[str]:
    """The ids that a row may have in another batch, imported now or before 0.2."""
    reference = event.source.reference
    key = reference if checker.occurrence_counter is None else parse_key(reference)
    place = (ID_RULE, checker.programme, other.batch, other.generation)
    if other.recorded_by:
        yield derive_id(*place, key, other.recorded_by)
    yield derive_id(*place, key, "")
    if raw_key := checker.raw_keys.get(key):
        yield derive_id(*place, raw_key, "")


def _sample(checker: ExchangeRowChecker, size: int) -> list[Event]:
    """A sample of `size` new rows, evenly from the first to the last; all if there are fewer."""
    count = checker.counts.recorded
    if count <= size:
        return list(_new_events(checker))
    places = {place * (count - 1) // (size - 1) for place in range(size)}
    return [event for place, event in enumerate(_new_events(checker)) if place in places]


def _new_events(checker: ExchangeRowChecker) -> Iterator[Event]:
    return (event for _, event in checker.iterate_new())


def make_overlap_doubt(overlaps: Sequence[BatchOverlap]) -> Doubt:
    """Asks about overlaps: a sentence for each batch, and what to do in either case."""
    first = overlaps[0]
    name = shlex.quote(first.batch)
    sender = f" for the sender it has (--as {shlex.quote(first.recorded_by)})"
    reimport_advice = (
        f"say --batch {name}{sender if first.recorded_by else ''}: rows that changed become "
        "corrections."
    )
    if first.same_count:
        remedy = (
            f"If this is a copy of that file, or a newer one, {reimport_advice} "
            "If these are other exchanges, say --as-new."
        )
    else:
        remedy = (
            "No row has the same content, so they seem to be other exchanges: say --as-new. "
            f"If this is a newer file of batch {first.batch} all the same, {reimport_advice}"
        )
    return Doubt(
        option="as_new",
        statement=" ".join(
            f"{format_count(each.row_count, 'new row', 'has')} a reference that is in batch "
            f"{_batch_label(each)} already; "
            f"{each.same_count:,} of them {'has' if each.same_count == 1 else 'have'} "
            "the same content."
            for each in overlaps
        ),
        remedy=remedy,
        question="Record them as other exchanges?",
    )


def _batch_label(overlap: BatchOverlap) -> str:
    return f"{overlap.batch}{f' for {overlap.recorded_by}' if overlap.recorded_by else ''}"
