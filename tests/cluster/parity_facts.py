"""The facts on which both sizes are compared, as recorded and as the oracle reads them."""

from __future__ import annotations

import csv
import gzip
import os
import uuid
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_ADVICE,
    EXCHANGE_KIND_MESSAGE,
    EXCHANGE_KIND_OTHER,
)
from services.demo.programme import generate
from tests.cluster.irregular_programme import generate_irregular_programme

DPDK, GENERATED, IRREGULAR = "dpdk", "generated", "troubled"
FACT_COUNT: Final = int(os.environ.get("MUTUA_PARITY_FACTS", "8000"))
"""Number of facts of the generated programme."""
REVIEW_STEP: Final = 3
"""Of the reviews of DPDK every so many are compared; `tests/oracle` and others have all of them."""
REVIEW_KINDS: Final = {
    "reviewed": EXCHANGE_KIND_ADVICE,
    "acked": EXCHANGE_KIND_MESSAGE,
    "tested": EXCHANGE_KIND_OTHER,
    "reported": EXCHANGE_KIND_OTHER,
}
KIND_MAP_OPTIONS: Final = ("reviewed=advice", "acked=message", "tested=other", "reported=other")


def generate_recordings(programme: str) -> Iterator[tuple[str, list[Event]]]:
    """Yields the facts of a programme by their recorder, "" for none.

    All facts of a recorder come together, so that they need few requests.
    """
    if programme == IRREGULAR:
        yield "", list(generate_irregular_programme(IRREGULAR))
        return
    facts = (
        (recording.organization, event)
        for recording in generate(scale=FACT_COUNT // 580 + 1, programme=programme)
        for event in recording.events
    )
    events_by_organization = defaultdict[str, list[Event]](list)
    for organization, event in islice(facts, FACT_COUNT):
        events_by_organization[organization].append(event)
    yield from events_by_organization.items()


def generate_recorded_events(programme: str) -> Iterator[Event]:
    """Yields the same facts as the log contains them."""
    for organization, events in generate_recordings(programme):
        for event in events:
            record = Event(recorded_by=organization)
            record.MergeFrom(event)
            yield record


def copy_some_reviews(source: Path, target: Path) -> None:
    """Writes the head and every REVIEW_STEP-th row of a file into another."""
    with gzip.open(source, "rb") as lines, gzip.open(target, "wb") as copy:
        copy.write(next(lines))
        copy.writelines(islice(lines, 0, None, REVIEW_STEP))


def read_reviews(path: Path) -> Iterator[Event]:
    """Yields the reviews of the file as the facts that an import should record."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            event_id = str(uuid.uuid5(uuid.NAMESPACE_URL, row["event_ref"]))
            event = Event(event_id=event_id, programme_id=DPDK)
            event.occur_time.FromJsonString(row["occurred_at"])
            event.report_time.FromJsonString(row["recorded_at"])
            content = event.exchange_recorded.exchange
            content.giver_ids.append(row["giver"])
            content.receiver_ids.append(row["receiver"])
            content.kind = REVIEW_KINDS[row["kind"]]
            yield event
