"""Notices a file that was imported before under another name."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Batch, Exchange
from services.imports.batches import MOST_IDS, blocks, derived_id, find_exchanges
from services.imports.changes import Doubt
from services.imports.exchanges import RULE, ExchangeRows
from services.imports.identity import key_of
from services.imports.report import Overlap

_LEAST_SAMPLE: Final = 10
_BATCHES_COUNTED: Final = 5


def overlaps(client: Client, rows: ExchangeRows) -> tuple[Overlap, ...]:
    """Other batches in which references of the new rows stand, those with most rows first.

    Of another sender's batches only rows count that say the same: numbers such as 1, 2, 3 are
    anybody's.

    A row has another id in each batch, so that ids can be asked for where batches are too large to
    be read. Of each batch a sample is looked for, spread evenly over the file: about 10,000 ids in
    all and 10 at least. That finds a whole copy always; beside up to 100 batches, a file of which a
    twentieth stands elsewhere escapes once in 150 times. Where one stands, all are counted, in the
    five batches with most of them.
    """
    position = rows.standing.position
    others = [
        batch for batch in rows.standing.others if batch.exchange_count > batch.retracted_count
    ]
    if not others or not rows.counts.recorded:
        return ()
    sample = _spread(rows, max(_LEAST_SAMPLE, MOST_IDS // len(others)))
    hits: Counter[int] = Counter()
    asked = (
        (id_, place)
        for place, other in enumerate(others)
        for event in sample
        for id_ in _ids_in(other, rows, event)
    )
    for block in blocks(asked):
        places = dict(block)
        hits.update(places[id_] for id_ in _standing(client, list(places), position))
    counted = [
        _counted(client, rows, others[place], position)
        for place, _ in hits.most_common(_BATCHES_COUNTED)
    ]
    overlapping = [overlap for overlap in counted if overlap.row_count]
    return tuple(sorted(overlapping, key=lambda overlap: -overlap.row_count))


def _counted(client: Client, rows: ExchangeRows, other: Batch, position: str) -> Overlap:
    """Looks for every new row in one batch."""
    row_count = same_count = 0
    asked = ((id_, event) for event in _new(rows) for id_ in _ids_in(other, rows, event))
    for block in blocks(asked):
        said = dict(block)
        standing = _standing(client, list(said), position)
        row_count += len(standing)
        same_count += sum(_says_same(said[id_], exchange) for id_, exchange in standing.items())
    if other.recorded_by != rows.standing.sender:
        row_count = same_count
    return Overlap(
        batch=other.batch,
        recorded_by=other.recorded_by,
        row_count=row_count,
        same_count=same_count,
    )


def _says_same(said: Event, exchange: Exchange) -> bool:
    last = exchange.revisions[-1]
    return said.occur_time == last.occur_time and said.exchange_recorded.exchange == last.content


def _standing(client: Client, ids: Sequence[str], position: str) -> dict[str, Exchange]:
    found = find_exchanges(client, ids, position=position)
    return {id_: each for id_, each in found.items() if each.state != EXCHANGE_STATE_RETRACTED}


def _ids_in(other: Batch, rows: ExchangeRows, event: Event) -> Iterator[str]:
    """What a row's id would be, had it been imported in another batch, now or before 0.2."""
    reference = event.source.reference
    key = reference if rows.occurrences is None else key_of(reference)
    place = (RULE, rows.programme, other.batch, other.generation)
    if other.recorded_by:
        yield derived_id(*place, key, other.recorded_by)
    yield derived_id(*place, key, "")
    if raw_key := rows.raw_keys.get(key):
        yield derived_id(*place, raw_key, "")


def _spread(rows: ExchangeRows, size: int) -> list[Event]:
    """So many of the new rows, from the first to the last; all when there are no more."""
    count = rows.counts.recorded
    if count <= size:
        return list(_new(rows))
    places = {place * (count - 1) // (size - 1) for place in range(size)}
    return [event for place, event in enumerate(_new(rows)) if place in places]


def _new(rows: ExchangeRows) -> Iterator[Event]:
    return (event for _, event in rows.new())


def about_overlaps(found: Sequence[Overlap]) -> Doubt:
    """What was found, in a sentence a batch, and what to do about it in both cases."""
    first = found[0]
    name = shlex.quote(first.batch)
    sender = f" for the sender it has (--as {shlex.quote(first.recorded_by)})"
    return Doubt(
        said=" ".join(
            f"{each.row_count:,} new {'row has a' if each.row_count == 1 else 'rows have a'} "
            f"reference that stands in batch {_named(each)} already; "
            f"{each.same_count:,} of them {'says' if each.same_count == 1 else 'say'} the same."
            for each in found
        ),
        remedy=(
            f"If this is a copy of that file, or a newer one, say --batch {name}"
            f"{sender if first.recorded_by else ''}: rows that changed become corrections. "
            "If these are other exchanges, say --as-new."
        ),
        question="Record them as other exchanges?",
    )


def _named(overlap: Overlap) -> str:
    return f"{overlap.batch}{f' for {overlap.recorded_by}' if overlap.recorded_by else ''}"
