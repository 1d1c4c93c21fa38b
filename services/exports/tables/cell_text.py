"""Values as text: of a cell in CSV, and of times in any format."""

from collections.abc import Sequence
from datetime import date

from services.exports.graph_tables import Spell, Value
from services.notation.formula_mark import mark_formula


def format_cell(value: Value | None) -> str:
    """A cell of CSV: numbers in full, "" for an absent value.

    Text that a spreadsheet would run as a formula gets an apostrophe, which an import removes.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case date():
            return value.isoformat()
        case str():
            return mark_formula(value)
        case spells:
            return format_timeset(spells)


def format_timeset(spells: Sequence[Spell]) -> str:
    """Spells as Gephi reads them, such as "<[2024-03-05T00:00:00Z, 2024-03-05T23:59:59.999Z]>".

    Both ends are part of a spell, for Gephi too. "" without any.
    """
    parts = "; ".join(f"[{first}T00:00:00Z, {last}T23:59:59.999Z]" for first, last in spells)
    return f"<{parts}>" if parts else ""
