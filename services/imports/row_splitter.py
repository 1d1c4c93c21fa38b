"""Splits a row into several exchanges: several kinds, both directions, or a count.

Nothing else reads the row before it is split. The exchanges share its minutes in whole minutes, the
first one gets the remainder, and each has an identity of its own: the first keeps the reference of
the row, the others add #2, #3 and so on.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Final, Literal, NamedTuple

from services.adapters.wire.values import tidy
from services.imports.column_mapping import ColumnMapping
from services.imports.reject_file import LINE_COLUMN
from services.imports.report import ImportRefusedError
from services.imports.table import TableRow
from services.ledger.wording import format_count
from services.notation.durations import DurationReader
from services.notation.errors import NotationError
from services.notation.exchange_cells import MINUTE_FIELDS
from services.notation.words import normalize_word, read_list, split_at_commas

MAX_ROW_EXCHANGES: Final = 1_000
"""Maximum number of exchanges of a row. A larger count is a sum rather than reported exchanges."""

Direction = Literal["gave", "received"]
_DIRECTIONS: Final[dict[str, tuple[Direction, ...]]] = {
    **dict.fromkeys(("gave", "give", "given", "giving", "we_gave", "outgoing", "out"), ("gave",)),
    **dict.fromkeys(
        ("received", "receive", "receiving", "we_received", "got", "incoming", "in"), ("received",)
    ),
    **dict.fromkeys(("both", "both_ways", "two_way", "mutual"), ("gave", "received")),
}
_SIDES: Final = ("giver", "receiver")
_KIND_SEPARATOR: Final = re.compile("[;|,]")


class _Parts(NamedTuple):
    """The differences between the exchanges of a row."""

    directions: tuple[Direction, ...]
    kinds: list[str]
    times: int

    @property
    def total(self) -> int:
        return len(self.directions) * len(self.kinds) * self.times


class RowSplitter:
    """Splits the rows of a file; `mapping` has the sources of the fields of the split rows.

    Split rows have extra cells after those of the file for fields that have no column: the sides
    that a direction decides, and minutes that are constant.
    """

    def __init__(
        self, mapping: ColumnMapping, durations: DurationReader, *, is_kind: Callable[[str], bool]
    ) -> None:
        """Takes `is_kind`, which returns whether a word is a kind of the contract or of the file.

        Raises ImportRefusedError when a constant direction or count cannot be read.
        """
        self._is_kind = is_kind
        self._source = mapping
        self._durations = durations
        self._splits_all = not mapping.sources.keys().isdisjoint(("direction", "count"))
        kind = mapping.sources.get("kind")
        self._kind = kind if isinstance(kind, int) else None
        self._extra_fields = _list_extra_fields(
            mapping, splits=self._splits_all or self._kind is not None
        )
        self.mapping = _extend_mapping(mapping, self._extra_fields)
        # A file of rejected rows has their place in the first file; each exchange gets its own.
        header = mapping.header
        self._place = header.index(LINE_COLUMN) if LINE_COLUMN in header else None
        self._split_count = self._exchange_count = 0
        for field, parse in (("direction", _read_direction), ("count", _read_count)):
            if field in mapping.constants:
                text = mapping.constants[field]
                try:
                    parse(text)
                except NotationError as error:
                    raise ImportRefusedError(f"--set {field}={text}: {text!r} {error}.") from error

    def split(self, rows: Iterable[TableRow]) -> Iterator[TableRow]:
        """Yields each row once per exchange."""
        for row in rows:
            if self._splits_all or self._extra_fields or self._has_several_kinds(row):
                yield from self._split_row(row)
            else:
                yield row

    def make_notes(self) -> list[str]:
        """A note on the rows that were read as several exchanges."""
        if not self._split_count:
            return []
        rows = format_count(self._split_count, "row", "was")
        exchanges = format_count(self._exchange_count, "exchange")
        share = "They share the row's minutes: whole minutes, and the rest goes to the first."
        return [f"{rows} read as {exchanges} (several kinds, both directions, or a count). {share}"]

    def _has_several_kinds(self, row: TableRow) -> bool:
        if self._kind is None or len(row.cells) <= self._kind:
            return False
        return _KIND_SEPARATOR.search(row.cells[self._kind]) is not None

    def _split_row(self, row: TableRow) -> Iterator[TableRow]:
        width = len(self._source.header)
        if len(row.cells) != width:
            reason = f"has {format_count(len(row.cells), 'cell')} and the header {width}"
            yield self._add_flaw(row, "kind", f"{reason}: quote cells that hold the separator")
            return
        texts = self._source.extract_texts(row.cells)
        try:
            parts = self._parts(texts)
        except NotationError as error:
            yield self._add_flaw(row, error.field, str(error))
            return
        if parts.total > 1:
            self._split_count += 1
            self._exchange_count += parts.total
        shares = self._shares(texts, parts.total)
        differences = product(parts.directions, parts.kinds, range(parts.times))
        for number, (direction, kind, _) in enumerate(differences, start=1):
            values = {**_sides(texts, direction), "kind": kind}
            values |= {field: str(share[number > 1]) for field, share in shares.items()}
            if number > 1 and "reference" in texts:
                values["reference"] = f"{texts['reference']}#{number}"
            part = self._fill_cells(row, texts | values)
            if number > 1 and self._place is not None:
                place = tidy(row.cells[self._place]) or f"+{row.line}"
                part.cells[self._place] = f"{place}.{number}"
            yield part

    def _parts(self, texts: Mapping[str, str]) -> _Parts:
        """Raises NotationError, naming the field."""
        sources = self._source.sources
        parts = _Parts(
            _read_direction(texts.get("direction", "")) if "direction" in sources else ("gave",),
            self._read_kinds(texts.get("kind", "")) or [""],
            _read_count(texts.get("count", "")) if "count" in sources else 1,
        )
        if parts.total > MAX_ROW_EXCHANGES:
            raise NotationError(
                f"makes {format_count(parts.total, 'exchange')} of one row, and "
                f"{MAX_ROW_EXCHANGES:,} are the most",
                field="count",
                remedy="write the row several times, each with a part of them",
            )
        return parts

    def _read_kinds(self, text: str) -> list[str]:
        """`Call; Visit` is two kinds; so is `Call, Visit`, which is none itself."""
        parts = read_list(text)
        return [kind for part in parts for kind in split_at_commas(part, self._is_kind)]

    def _shares(self, texts: Mapping[str, str], total: int) -> dict[str, tuple[int, int]]:
        """Minutes of the first exchange and of every other one, by field.

        Minutes that cannot be read stay as they are, and are refused where cells are read.
        """
        shares: dict[str, tuple[int, int]] = {}
        for field in MINUTE_FIELDS if total > 1 else ():
            try:
                minutes = self._durations.read_minutes(texts[field]) if field in texts else None
            except NotationError:
                continue
            if minutes is not None:
                share, rest = divmod(minutes, total)
                shares[field] = (share + rest, share)
        return shares

    def _fill_cells(self, row: TableRow, texts: Mapping[str, str]) -> TableRow:
        """The row with these texts in the cells of their fields."""
        cells = [*row.cells, *([""] * len(self._extra_fields))]
        for field in ("reference", "kind", *MINUTE_FIELDS, *self._extra_fields):
            source = self.mapping.sources.get(field)
            if isinstance(source, int) and field in texts and cells[source] != texts[field]:
                cells[source] = texts[field]
        return row._replace(cells=cells, original=row.cells)

    def _add_flaw(self, row: TableRow, field: str, reason: str) -> TableRow:
        """The unchanged row, with the reason why it cannot be split."""
        width = len(self._source.header)
        cells = (list(row.cells) + [""] * width)[:width] + [""] * len(self._extra_fields)
        columns = [self._source.sources.get(name) for name in (field, "kind", "occur_time")]
        column = next((each for each in columns if isinstance(each, int)), 0)
        return row._replace(cells=cells, flaws={**row.flaws, column: reason}, original=row.cells)


def _list_extra_fields(mapping: ColumnMapping, *, splits: bool) -> tuple[str, ...]:
    """Fields of the split rows that no column of the file has."""
    sides = _SIDES if "direction" in mapping.sources else ()
    return (*sides, *(field for field in MINUTE_FIELDS if splits and field in mapping.constants))


def _extend_mapping(mapping: ColumnMapping, extra_fields: tuple[str, ...]) -> ColumnMapping:
    """The mapping of split rows. A direction or count keeps its column, for error messages."""
    sources = {
        field: source
        for field, source in mapping.sources.items()
        if field not in ("organization", "other")
        and not (field in ("direction", "count") and isinstance(source, str))
    }
    width = len(mapping.header)
    sources |= {field: width + place for place, field in enumerate(extra_fields)}
    # Parties come before the reporting side, which may be one of them.
    first_fields = [field for field in (*_SIDES, "parties") if field in sources]
    ordered = dict.fromkeys(("reference", "occur_time", "report_time", *first_fields, *sources))
    return ColumnMapping(
        (*mapping.header, *extra_fields),
        {field: sources[field] for field in ordered if field in sources},
    )


def _sides(texts: Mapping[str, str], direction: Direction) -> dict[str, str]:
    """Giver and receiver, if organization, other and direction decide them."""
    if "organization" not in texts or "other" not in texts:
        return {}
    sides = (texts["organization"], texts["other"])
    giver, receiver = sides if direction == "gave" else sides[::-1]
    return {"giver": giver, "receiver": receiver}


def _read_direction(text: str) -> tuple[Direction, ...]:
    directions = _DIRECTIONS.get(normalize_word(text))
    if directions is None:
        problem = "is no direction" if text else "is empty"
        raise NotationError(problem, field="direction", remedy="write gave, received or both")
    return directions


def _read_count(text: str) -> int:
    whole = tidy(text).removesuffix(".0").removesuffix(",0")
    if not (whole.isascii() and whole.isdigit()) or not int(whole):
        problem = "is no number of exchanges" if text else "is empty"
        raise NotationError(
            problem, field="count", remedy=f"write a whole number from 1 to {MAX_ROW_EXCHANGES:,}"
        )
    return int(whole)
