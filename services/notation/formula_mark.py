"""Text in CSV that a spreadsheet would run as a formula, and the apostrophe that prevents it."""

import re
from typing import Final

_MARK: Final = "'"
_FORMULA: Final = re.compile(rf"{_MARK}*[=+\-@\t\r]")
"""A formula, or text that looks like one with marks."""
_MARKED: Final = re.compile(rf"{_MARK}+[=+\-@\t\r]")


def mark_formula(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet would run it as a formula."""
    return f"{_MARK}{text}" if _FORMULA.match(text) else text


def unmark_formulas(cells: list[str]) -> list[str]:
    """The texts that `mark_formula` marked, and all others as they are."""
    if not any(cell.startswith(_MARK) for cell in cells):
        return cells
    return [cell[len(_MARK) :] if _MARKED.match(cell) else cell for cell in cells]
