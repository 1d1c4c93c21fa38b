"""Finds whether the dates of a file have the day or the month first."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from services.imports.column_mapping import ColumnMapping
from services.imports.report import ImportRefusedError
from services.imports.table import TableRow
from services.notation.dates import DAY_FIRST, MONTH_FIRST, ProvenOrder, prove_order

_DATE_FIELDS: Final = frozenset({"occur_time", "report_time", "open_date", "close_date"})
# In column names such as "Date (dd/mm/yyyy)".
_NAMED_ORDERS: Final = {
    DAY_FIRST: re.compile(r"\bdd?([-/.])mm?\1yy", re.IGNORECASE),
    MONTH_FIRST: re.compile(r"\bmm?([-/.])dd?\1yy", re.IGNORECASE),
}
_MAX_EXAMPLES: Final = 5
_CHOICE: Final = f"--date-order {DAY_FIRST} or --date-order {MONTH_FIRST}"


class UnknownDateOrderError(ImportRefusedError):
    """The dates can be read in both orders, and no row proves one."""


def find_date_order(name: str, mapping: ColumnMapping, rows: Iterable[TableRow]) -> ProvenOrder:
    """The order that a row or a column name proves: 31/05/2024 can only have the day first.

    Raises UnknownDateOrderError when nothing proves one, ImportRefusedError when proofs contradict.
    """
    proofs = _named_orders(mapping)
    ambiguous: list[str] = []
    ambiguous_count = 0
    for place, text in _dates(mapping, rows):
        order = prove_order(text)
        if order == "either":
            ambiguous_count += 1
            if len(ambiguous) < _MAX_EXAMPLES:
                ambiguous.append(f"{place} ({text})")
        elif order is not None:
            proofs.setdefault(order, f"{place} ({text})")
    if len(proofs) == 2:
        raise ImportRefusedError(
            f"{name} has dates in both orders: {proofs[DAY_FIRST]} is day/month, and "
            f"{proofs[MONTH_FIRST]} is month/day. Fix the rows of one kind, or say {_CHOICE}, "
            "which refuses the others."
        )
    if DAY_FIRST in proofs:
        return ProvenOrder(DAY_FIRST, proofs[DAY_FIRST])
    if MONTH_FIRST in proofs:
        return ProvenOrder(MONTH_FIRST, proofs[MONTH_FIRST])
    more = ambiguous_count - len(ambiguous)
    raise UnknownDateOrderError(
        f"{name} has dates that may be day/month or month/day, and no row shows which: "
        f"{', '.join(ambiguous)}{f' and {more:,} more' if more else ''}. Say {_CHOICE}."
    )


def _named_orders(mapping: ColumnMapping) -> dict[str, str]:
    """The columns whose names contain the order of their dates, by that order."""
    columns = [column for field, column in mapping.columns.items() if field in _DATE_FIELDS]
    return {
        order: f"the column {column!r}"
        for order, form in _NAMED_ORDERS.items()
        for column in columns
        if form.search(column)
    }


def _dates(mapping: ColumnMapping, rows: Iterable[TableRow]) -> Iterator[tuple[str, str]]:
    """Every text of a date field, with its place."""
    sources = {
        field: mapping.sources[field] for field in sorted(_DATE_FIELDS & mapping.sources.keys())
    }
    for field, source in sources.items():
        if isinstance(source, str):
            yield f"--set {field}", source
    columns = [source for source in sources.values() if isinstance(source, int)]
    for row in rows:
        for column in columns:
            if column < len(row.cells) and row.cells[column].strip():
                yield f"line {row.line:,}", row.cells[column].strip()
