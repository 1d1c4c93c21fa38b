"""Notices a file that was imported before under another name."""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Batch, Exchange
from services.imports.batches import find_exchanges
from services.imports.report import Overlap
from services.imports.rows import Rows, derived_id

Item = TypeVar("Item")

# Of one request; the server takes no more.
_MOST_IDS: Final = 10_000
_LEAST_SAMPLE: Final = 10
_BATCHES_COUNTED: Final = 5


def overlaps(
    client: Client, rows: Rows, known: Iterable[Batch], *, position: str
) -> tuple[Overlap, ...]:
    """Other batches in which references of the new rows stand, those with most rows first.

    A row has another id in each batch, so that ids can be asked for where batches are too large to
    be read. Of each batch a sample is looked for, spread evenly over the file: about 10,000 ids in
    all and 10 at least. That finds a whole copy always; beside up to 100 batches, a file of which a
    twentieth stands elsewhere escapes once in 150 times. Where one stands, all are counted, in the
    five batches with most of them.
    """
    others = [
        batch
        for batch in known
        if batch.batch != rows.batch and batch.exchange_count > batch.retracted_count
    ]
    if not others or not rows.counts.recorded:
        return ()
    sample = _spread(rows, max(_LEAST_SAMPLE, _MOST_IDS // len(others)))
    hits: Counter[int] = Counter()
    asked = (
        (_id_in(other, rows, event), place)
        for place, other in enumerate(others)
        for event in sample
    )
    for block in _blocks(asked):
        places = dict(block)
        hits.update(places[id_] for id_ in _standing(client, list(places), position))
    counted = [
        _counted(client, rows, others[place], position)
        for place, _ in hits.most_common(_BATCHES_COUNTED)
    ]
    return tuple(sorted(counted, key=lambda overlap: -overlap.row_count))


def _counted(client: Client, rows: Rows, other: Batch, position: str) -> Overlap:
    """Looks for every new row in one batch."""
    row_count = same_count = 0
    for block in _blocks(_new(rows)):
        said = {_id_in(other, rows, event): event for event in block}
        standing = _standing(client, list(said), position)
        row_count += len(standing)
        same_count += sum(_says_same(said[id_], exchange) for id_, exchange in standing.items())
    return Overlap(batch=other.batch, row_count=row_count, same_count=same_count)


def _says_same(said: Event, exchange: Exchange) -> bool:
    last = exchange.revisions[-1]
    return said.occur_time == last.occur_time and said.exchange_recorded.exchange == last.content


def _standing(client: Client, ids: Sequence[str], position: str) -> dict[str, Exchange]:
    found = find_exchanges(client, ids, position=position)
    return {id_: each for id_, each in found.items() if each.state != EXCHANGE_STATE_RETRACTED}


def _id_in(other: Batch, rows: Rows, event: Event) -> str:
    """What a row's id would be, had it been imported in another batch."""
    reference = event.source.reference
    return derived_id(rows.rule, rows.programme, other.batch, other.generation, reference)


def _spread(rows: Rows, size: int) -> list[Event]:
    """So many of the new rows, from the first to the last; all when there are no more."""
    count = rows.counts.recorded
    if count <= size:
        return list(_new(rows))
    places = {place * (count - 1) // (size - 1) for place in range(size)}
    return [event for place, event in enumerate(_new(rows)) if place in places]


def _new(rows: Rows) -> Iterator[Event]:
    return (event for _, event in rows.facts if event.HasField("exchange_recorded"))


def _blocks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Of as many as one request may ask for."""
    remaining = iter(items)
    while block := list(islice(remaining, _MOST_IDS)):
        yield block


def told(found: Sequence[Overlap]) -> str:
    """What was found, in a sentence a batch."""
    return " ".join(
        f"{each.row_count:,} new {'row has a' if each.row_count == 1 else 'rows have a'} "
        f"reference that stands in batch {each.batch} already; "
        f"{each.same_count:,} of them {'says' if each.same_count == 1 else 'say'} the same."
        for each in found
    )


def remedies(found: Sequence[Overlap]) -> str:
    """What to do about it, in both cases."""
    name = shlex.quote(found[0].batch)
    return (
        f"If this is a copy of that file, or a newer one, say --batch {name}: rows that changed "
        "become corrections. If these are other exchanges, say --as-new."
    )
