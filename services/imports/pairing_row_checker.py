"""Checks rows about pairings and compares them with the pairings that are recorded."""

from collections.abc import Callable, Iterable

from mutua.ids import uuid7
from mutua.v1.event_pb2 import Event, PairingChoice
from mutua.v1.query_service_pb2 import Pairing
from mutua.v1.types_pb2 import Date
from services.imports.batches import ImportBatch
from services.imports.column_mapping import ColumnMapping
from services.imports.party_reader import PartyReader
from services.imports.row_checker import ParsedRow, RowChecker, RowDecision
from services.imports.row_identity import RowIdentity
from services.imports.table import TableRow
from services.notation.dates import TimeReader
from services.notation.errors import NotationError
from services.notation.words import map_enum_words, read_word

_Key = tuple[str, str, tuple[int, int, int]]
"""Both organizations, sorted, and the first day."""


class PairingRowChecker(RowChecker):
    """A row is a pairing by its organizations and its first day; fields that it leaves out stay."""

    fact_field = "pairing_formed"
    key_field = "a"

    def __init__(
        self,
        mapping: ColumnMapping,
        programme: str,
        import_batch: ImportBatch,
        *,
        parties: PartyReader,
        pairings: Iterable[Pairing],
        dates: TimeReader,
        resolve: Callable[[str], str],
    ) -> None:
        super().__init__(mapping, programme, import_batch)
        self._parties = parties
        self._dates = dates
        self._resolve = resolve
        self._choices = map_enum_words(PairingChoice.items())
        self._recorded = {self._make_key(each.a, each.b, each.from_date): each for each in pairings}

    def read_field(self, event: Event, field: str, text: str) -> None:
        fact = event.pairing_formed
        match field:
            case "a" | "b":
                ids = self._parties.read_parties(text)
                if len(ids) != 1:
                    raise NotationError(
                        "names several organizations", remedy="write a row for each"
                    )
                setattr(fact, field, ids[0])
            case "chosen_by":
                fact.chosen_by = PairingChoice.ValueType(read_word(text, self._choices))
            case _:
                getattr(fact, field).CopyFrom(self._dates.read_day(text).date)

    def get_reference(self, event: Event) -> None:
        """Rows have no reference."""

    def identify(self, row: TableRow, event: Event) -> RowIdentity:  # noqa: ARG002
        fact = event.pairing_formed
        return RowIdentity(repr(self._make_key(fact.a, fact.b, fact.from_date)), "")

    def decide(self, row: TableRow, parsed_row: ParsedRow) -> RowDecision:  # noqa: ARG002
        event = parsed_row.parse_event()
        fact = event.pairing_formed
        # An undone pairing is recorded again as a new fact, so ids are not derived from rows.
        event.event_id = uuid7()
        current = self._recorded.get(self._make_key(fact.a, fact.b, fact.from_date))
        if current is None:
            return RowDecision("recorded", event)
        if "to_date" not in self.mapping.sources and current.HasField("to_date"):
            fact.to_date.CopyFrom(current.to_date)
        if "chosen_by" not in self.mapping.sources:
            fact.chosen_by = current.chosen_by
        is_same = (fact.chosen_by, _day(fact.to_date)) == (
            current.chosen_by,
            _day(current.to_date),
        )
        return RowDecision("unchanged") if is_same else RowDecision("corrected", event)

    def _make_key(self, a: str, b: str, from_date: Date) -> _Key:
        one, other = sorted((self._resolve(a), self._resolve(b)))
        return one, other, _day(from_date)


def _day(date: Date) -> tuple[int, int, int]:
    """A day that can be compared; zeros where there is none."""
    return date.year, date.month, date.day
