"""Advice of the importer in the words of the page, which has controls instead of options."""

import re
from typing import Final

_REMEDIES: Final = {
    "--kind-map": "choose it under Kinds",
    "--map": "choose its column under Columns",
    "--set": "choose its column under Columns",
    "--sheet": "choose another sheet under Reading",
    "--header-row": "name the row under Reading",
    "--no-header": "say under Reading that no row has column names",
    "--zone": "choose their zone under Reading",
    "--date-order": "choose the order of dates under Reading",
    "--party-separator": "choose the separator under Reading",
    "--batch": "change the name of the batch",
    "--names": "choose under Names",
    "--as-new": "confirm it",
    "--accept-changes": "confirm it",
    "--accept-missing": "confirm it",
    "mutua import undo": "with Undo under Imported files",
}
"""Option of the command -> what does the same on the page. Other options stay as they are."""
_OPTION: Final = re.compile(r"--[a-z-]+|mutua import undo")
_BREAK: Final = re.compile(r"((?<! ); |: |, (?=say |with |or say )|\. (?=\S)|\.?\n| \(or )")


def reword(text: str) -> str:
    """The text with every clause that names an option replaced.

    Such as "is no kind of ours; say which it means: choose it under Kinds".
    """
    parts = _BREAK.split(text.rstrip("."))
    pieces: list[str] = []  # clauses, each with what follows it
    last_remedy = ""
    for clause, after in zip(parts[::2], [*parts[1::2], ""], strict=True):
        remedy = _find_remedy(clause)
        if remedy and remedy == last_remedy:
            pieces[-1] = after
            continue
        is_start = not pieces or pieces[-1].startswith((".", "\n"))
        words = remedy[:1].upper() + remedy[1:] if is_start else remedy
        pieces += [words or clause, after.replace(" (or ", ", or ") if remedy else after]
        last_remedy = remedy
    return "".join(pieces) + ("." if text.endswith(".") else "")


def _find_remedy(clause: str) -> str:
    options = _OPTION.findall(clause)
    return next((_REMEDIES[option] for option in options if option in _REMEDIES), "")
