"""Reads and writes the words of the contract's enums, and lists in one text."""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Final

from services.notation.errors import WordError

_LIST_PART = re.compile(
    r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"\s*(?=[;|]|$)|(?P<plain>[^;|]+))(?:[;|]|$)'
)
_NEEDS_QUOTES = re.compile(r'[;|,]|^"')
_ENUM_PREFIX = re.compile(
    "^(exchange_kind|formality|report_side|organization_type|pairing_choice)_"
)


KIND_SYNONYMS: Final = {
    "phone_call": "call",
    "telephone_call": "call",
    "video_call": "call",
    "e_mail": "message",
    "email": "message",
    "site_visit": "visit",
}
"""Everyday words for kinds of the contract, normalized."""


def map_enum_words(values: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The words people write for the values of a contract's enum, such as `site_visit`."""
    words = {_ENUM_PREFIX.sub("", name.lower()): value for name, value in values}
    return {word: value for word, value in words.items() if word != "unspecified"}


def read_word(
    text: str, words: Mapping[str, int], *, problem: str = "is unknown", remedy: str = ""
) -> int:
    """The value of a word or contract name, without regard to case, spaces and hyphens."""
    word = normalize_word(text)
    value = words.get(word, words.get(_ENUM_PREFIX.sub("", word)))
    if value is None:
        choices = ", ".join(word.replace("_", " ") for word in words)
        raise WordError(problem, remedy=remedy or f"use one of {choices}")
    return value


def normalize_word(text: str) -> str:
    return re.sub(r"[\s_-]+", "_", text.strip().casefold())


def read_list(text: str) -> list[str]:
    """Splits a text at `;` and `|` into trimmed parts, without empty ones.

    A part in double quotes may contain both; a quote inside it is doubled, as in CSV.
    """
    if '"' not in text:
        return [part for part in map(str.strip, re.split(r"[;|]", text)) if part]
    return [part for part, _ in read_quoted_list(text)]


def split_at_commas(text: str, is_known: Callable[[str], bool]) -> list[str]:
    """Splits a text at commas when every part `is_known` and the whole text is not.

    Forms write several ticked answers like this. Any other text is returned in a list of one.
    """
    parts = [part for part in map(str.strip, text.split(",")) if part]
    if len(parts) < 2 or is_known(text) or not all(map(is_known, parts)):
        return [text]
    return parts


def read_quoted_list(text: str) -> list[tuple[str, bool]]:
    """The parts that `read_list` reads, each with whether it is quoted."""
    parts = [
        (match["plain"], False)
        if match["quoted"] is None
        else (match["quoted"].replace('""', '"'), True)
        for match in _LIST_PART.finditer(text)
    ]
    return [(part.strip(), is_quoted) for part, is_quoted in parts if part.strip()]


def join_list(parts: Iterable[str], *, quoted: Container[str] = ()) -> str:
    """The text from which `read_list` reads these parts; those in `quoted` always get quotes."""
    return "; ".join(
        '"' + part.replace('"', '""') + '"'
        if part in quoted or _NEEDS_QUOTES.search(part)
        else part
        for part in parts
    )
