"""Values as text: of a cell in CSV, and of times in any format."""

from collections.abc import Sequence

from services.exports.graph_tables import Spell, Value
from services.exports.xml_file import format_value
from services.notation.formula_mark import mark_formula


def format_cell(value: Value | None) -> str:
    """A cell of CSV: numbers in full, "" for an absent value.

    Text that a spreadsheet would run as a formula gets an apostrophe, which an import removes.
    """
    match value:
        case None:
            return ""
        case str():
            return mark_formula(value)
        case tuple():
            return format_timeset(value)
        case _:
            return format_value(value)


def format_timeset(spells: Sequence[Spell]) -> str:
    """Spells as Gephi reads them, such as "<[2024-03-05T00:00:00Z, 2024-03-05T23:59:59.999Z]>".

    Both ends are part of a spell, for Gephi too. "" without any.
    """
    parts = "; ".join(f"[{first}T00:00:00Z, {last}T23:59:59.999Z]" for first, last in spells)
    return f"<{parts}>" if parts else ""
