"""What a row changes: a fact that records, one that corrects, or none."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from mutua.ids import uuid8
from mutua.v1.event_pb2 import Event, ExchangeContent
from mutua.v1.query_service_pb2 import EXCHANGE_STATE_RETRACTED, Exchange, Revision
from mutua.v1.types_pb2 import OCCUR_PRECISION_EXACT, Source
from services.imports.cells import CellError
from services.imports.report import Problem

CLIENT: Final = "mutua-import"
FIRST_GENERATION: Final = 1

# What the file's fields are called in the contract, where that differs. A file about givers and
# receivers is not about a symmetric exchange.
_CONTRACT_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "giver": ("giver_ids", "party_ids"),
    "receiver": ("receiver_ids",),
}
_SETS: Final = ("giver_ids", "receiver_ids", "party_ids", "topics", "brokered_by_ids")


class Decision(NamedTuple):
    """What becomes of a row, as `Counts` names it, and the fact that does it, if one is needed."""

    outcome: Literal["recorded", "corrected", "unchanged", "retracted_earlier", "skipped"]
    event: Event | None = None


class Batch(NamedTuple):
    """The name under which a file's rows are found again. `generation` counts from 1."""

    programme: str
    name: str
    # Always the first until an import can be undone; the number is decided here.
    generation: int = FIRST_GENERATION

    def exchange_id(self, reference: str) -> str:
        return uuid8("exchange", self.programme, self.name, str(self.generation), reference)

    def organization_event_id(self, organization_id: str) -> str:
        return uuid8(
            "organization", self.programme, self.name, str(self.generation), organization_id
        )

    def source(self, reference: str) -> Source:
        return Source(
            client=CLIENT, batch=self.name, generation=self.generation, reference=reference
        )


@dataclass(slots=True)
class ExchangeChanges:
    """Compares rows with what stands in their batch.

    `fields` are those the file has: of all others what stands is kept. What somebody corrected
    by hand since the last import stays until the file itself says something new.
    """

    batch: Batch
    fields: Iterable[str]
    standing: Mapping[str, Exchange]
    _earlier_rows: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def decide(self, line: int, reference: str, said: Event) -> Decision | Problem:
        """`said` is a whole ExchangeRecorded but for its ids and source, and is changed."""
        exchange_id = self.batch.exchange_id(reference)
        serialized = said.SerializeToString(deterministic=True)
        first_line, first = self._earlier_rows.setdefault(exchange_id, (line, serialized))
        if first_line != line:
            if first == serialized:
                return Decision("skipped")
            return Problem(
                "reference",
                reference,
                CellError(f"stands on line {first_line:,} too, with other content"),
            )
        said.programme_id = self.batch.programme
        said.source.CopyFrom(self.batch.source(reference))
        exchange = self.standing.get(exchange_id)
        if exchange is None:
            said.event_id = exchange_id
            return Decision("recorded", said)
        if exchange.state == EXCHANGE_STATE_RETRACTED:
            return Decision("retracted_earlier")
        return self._correct(exchange, said)

    def missing_count(self) -> int:
        """Exchanges of the batch that stand and that no row named."""
        return sum(
            exchange_id not in self._earlier_rows and exchange.state != EXCHANGE_STATE_RETRACTED
            for exchange_id, exchange in self.standing.items()
        )

    def _correct(self, exchange: Exchange, said: Event) -> Decision:
        revisions = exchange.revisions
        imported = [
            count
            for count, revision in enumerate(revisions, start=1)
            if revision.source.client == CLIENT and revision.source.batch == self.batch.name
        ]
        if imported and self._same(said, revisions[: imported[-1]]):
            return Decision("unchanged")
        if self._same(said, revisions):
            return Decision("unchanged")
        current = revisions[-1]
        event = Event()
        event.CopyFrom(said)
        corrected = event.exchange_corrected
        corrected.exchange_id = exchange.exchange_id
        corrected.exchange.CopyFrom(self._overlaid(current.content, said))
        corrected.replaces_event_id = current.event_id
        if said.report_time == _report_time(revisions):
            event.ClearField("report_time")
        digest = hashlib.sha256(event.SerializeToString(deterministic=True)).hexdigest()
        event.event_id = uuid8("correction", exchange.exchange_id, current.event_id, digest)
        return Decision("corrected", event)

    def _same(self, said: Event, revisions: Sequence[Revision]) -> bool:
        """Whether a row says nothing that the last of the revisions does not say."""
        last = revisions[-1]
        content = said.exchange_recorded.exchange
        return (
            said.occur_time == last.occur_time
            and said.occur_precision == (last.occur_precision or OCCUR_PRECISION_EXACT)
            and (not said.HasField("report_time") or said.report_time == _report_time(revisions))
            and (
                content == last.content
                or self._overlaid(last.content, said) == normalized(last.content)
            )
        )

    def _overlaid(self, standing: ExchangeContent, said: Event) -> ExchangeContent:
        merged = ExchangeContent()
        merged.CopyFrom(standing)
        known = ExchangeContent.DESCRIPTOR.fields_by_name
        for name in self.fields:
            for contract_name in _CONTRACT_NAMES.get(name, (name,)):
                if contract_name in known:
                    merged.ClearField(contract_name)  # type: ignore[arg-type]
        merged.MergeFrom(said.exchange_recorded.exchange)
        return normalized(merged)


def normalized(content: ExchangeContent) -> ExchangeContent:
    """A copy as the server keeps it: text NFC and trimmed, sets sorted."""
    copy = ExchangeContent()
    copy.CopyFrom(content)
    for name in _SETS:
        members = sorted({_normal_text(member) for member in getattr(content, name)})
        getattr(copy, name)[:] = members
    if content.note.plain:
        copy.note.plain = _normal_text(content.note.plain)
    return copy


def _normal_text(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _report_time(revisions: Sequence[Revision]) -> Timestamp | None:
    """What was last said of when the exchange was reported; a correction may leave it as it was."""
    reported = [revision.report_time for revision in revisions if revision.HasField("report_time")]
    return reported[-1] if reported else None
