"""Identifies a row when its file is imported again.

A row with a reference is identified by it. A row without one is identified by the meaning of its
mapped columns and the number of rows before it with equal meaning. The text of the cells, the order
and names of the columns, and columns that are not mapped do not matter.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from mutua.spelling import name_key
from mutua.v1.event_pb2 import Event, ExchangeContent
from services.adapters.wire.values import tidy
from services.imports.reject_file import LINE_COLUMN, MEND_COLUMN
from services.notation.exchange_cells import PARTY_COLUMN_BY_FIELD

_PLACE_MARK: Final = "@"
_MEANING = re.compile(r"[0-9a-f]{32}-\d+(@.*)?")
_SEPARATORS = re.compile(r"[;|]")


# decision 0119: imported rows have derived identities
class RowIdentity(NamedTuple):
    """The identity of a row: `key` derives its id, `reference` is the reference of its fact.

    Without references both contain meaning and occurrence, and `reference` the line as well: it
    gives a rejected row its place again. `raw_key` is the key that releases before 0.2 made from
    the text of all cells, "" if none of their imports can have the row.
    """

    key: str
    reference: str
    raw_key: str = ""


def encode_meaning(content: ExchangeContent, names: Mapping[str, str]) -> str:
    """The meaning of the cells that rows have in common, in one line.

    Parties count by the names in the cells (`names`), before they are resolved, because a roster
    that is imported later must not change the identity of rows.
    """
    parts = [
        f"{field.name}={_value(value)}"
        for field, value in content.ListFields()
        if field.name not in PARTY_COLUMN_BY_FIELD and field.name != "note"
    ]
    parts += [f"{field}={_names(text)}" for field, text in names.items()]
    return "\x1f".join(parts)


def digest_row_meaning(content: str, event: Event) -> str:
    """The digest of a row's meaning: its content, times and note."""
    report_time = event.report_time.ToNanoseconds() if event.HasField("report_time") else ""
    at, precision = event.occur_time.ToNanoseconds(), event.occur_precision
    note = event.exchange_recorded.exchange.note.plain
    return digest_meaning(content, at, precision, report_time, note)


def digest_meaning(content: str, at: int, precision: int, report_time: int | str, note: str) -> str:
    text = f"{content}\x1e{at}\x1e{precision}\x1e{report_time}\x1e{note}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class OccurrenceCounter:
    """Numbers the rows of a file that have equal meaning, from 1.

    `occupants` returns the places of the rows that have the numbers of a meaning in the batch, in
    order. Rejected rows that come back in a file of their own take the number of their place, else
    the first free one.
    """

    def __init__(
        self, header: Sequence[str], occupants: Callable[[str], list[str]], *, has_raw_keys: bool
    ) -> None:
        self._header = header
        self._place_column = header.index(LINE_COLUMN) if LINE_COLUMN in header else None
        self._occupants = occupants
        self._has_raw_keys = has_raw_keys
        self._counts: Counter[str] = Counter()
        self._raw_counts: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}
        self._line = 0
        self._of_line: Counter[str] = Counter()

    @property
    def is_reject_file(self) -> bool:
        """Whether the file has rows that were rejected when another file was imported."""
        return self._place_column is not None

    def identify(self, meaning: str, line: int, cells: Sequence[str]) -> RowIdentity:
        if self._place_column is None:
            place = self._place_of(meaning, line, str(line))
            self._counts[meaning] += 1
            number = self._counts[meaning]
        else:
            # A row that somebody added to the file has no place in the first file.
            first_place = tidy(cells[self._place_column]) or f"+{line}"
            place = self._place_of(meaning, line, first_place)
            number = self._number_of(meaning, place)
        key = f"{meaning}-{number}"
        raw_key = self._raw_key(cells) if self._has_raw_keys else ""
        return RowIdentity(key, f"{key}{_PLACE_MARK}{place}", raw_key)

    def _place_of(self, meaning: str, line: int, place: str) -> str:
        """The place of a row, made unique for each exchange of equal meaning in it."""
        if line != self._line:
            self._line = line
            self._of_line.clear()
        self._of_line[meaning] += 1
        repeats = self._of_line[meaning]
        return place if repeats == 1 else f"{place}.{repeats}"

    def _number_of(self, meaning: str, place: str) -> int:
        if meaning not in self._places:
            self._places[meaning] = self._occupants(meaning)
        places = self._places[meaning]
        if place not in places:
            places.append(place)
        return places.index(place) + 1

    def _raw_key(self, cells: Sequence[str]) -> str:
        """A digest of the texts by column name, in any order of the columns."""
        cells_by_name = sorted(zip(self._header, map(tidy, cells), strict=True))
        used = (each for each in cells_by_name if each[1] and each[0] not in _OURS)
        text = "\0".join(f"{name}\1{cell}" for name, cell in used)
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        self._raw_counts[digest] += 1
        return f"{digest}-{self._raw_counts[digest]}"


_OURS: Final = (MEND_COLUMN, LINE_COLUMN)


def parse_key(reference: str) -> str:
    """The key in a reference that names a place; see `RowIdentity`."""
    return reference.rpartition(_PLACE_MARK)[0] or reference


def parse_place(reference: str) -> str:
    """The place that a reference names, "" when it names none."""
    key, _, place = reference.rpartition(_PLACE_MARK)
    return place if key else ""


def parse_reference(reference: str) -> str:
    """The reference as the file has it, "" if the file has none."""
    return "" if _MEANING.fullmatch(reference) else reference


def _value(value: object) -> str:
    return str(value) if isinstance(value, int | str) else ",".join(map(str, _items(value)))


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, Iterable) else (value,)


def _names(text: str) -> str:
    """Names without regard to case, spaces, order and repetition."""
    parts = map(name_key, _SEPARATORS.split(text))
    return "\x1d".join(sorted({part for part in parts if part}))
