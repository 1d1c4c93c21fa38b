"""When two spellings name one organization, and when they nearly do."""

import re
import unicodedata
from typing import Final

# No program shows variation selectors and the grapheme joiner, and copying keeps them. The same is
# true of category Cf: zero-width blanks, byte order mark, soft hyphen, direction marks.
_INVISIBLE_MARKS: Final = frozenset("\u034f" + "".join(map(chr, range(0xFE00, 0xFE10))))
_COMMON_NAMES: Final = {
    "\u00a0": "a non-breaking space",
    "\u200b": "a zero-width space",
    "\ufeff": "a byte order mark",
    "\n": "a line break",
    "\r": "a line break",
    "\t": "a tab",
}
_LEGAL_FORMS: Final = tuple(
    form.split()
    for form in (
        "nhs foundation trust",
        "nhs ft",
        "nhs trust",
        "foundation trust",
        "trust",
        "nhs",
        "ft",
        "public limited company",
        "plc",
        "limited",
        "ltd",
        "incorporated",
        "inc",
        "corporation",
        "corp",
        "company",
        "co",
        "llc",
        "llp",
        "community interest company",
        "cic",
        "gesellschaft mit beschrankter haftung",
        "gmbh",
        "aktiengesellschaft",
        "ag",
        "kg",
        "ev",
        "bv",
        "nv",
        "sa",
        "sas",
        "sarl",
        "srl",
        "spa",
        "ab",
        "oy",
        "aps",
        "pty",
        "and",  # of "& Co"
    )
)
_SHORT_WORDS: Final = {"st": "saint"}


def name_key(text: str) -> str:
    """The key by which spellings are compared: equal keys name the same organization.

    It ignores case, invisible characters, the kind and number of blanks, and whether an accent is a
    character of its own. Idempotent. `services.ledger.spelling` has the same function
    for the server; a test holds the two together.
    """
    if text.isascii():
        return " ".join(text.split()).lower()
    visible = "".join(each for each in text if not _is_invisible(each))
    # Case folding takes characters apart, and what it leaves is folded once more when composed.
    folded = unicodedata.normalize("NFD", visible).casefold()
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded).casefold())
    return " ".join(folded.split())


def core_words(text: str) -> tuple[str, ...]:
    """The words of a name without what people leave out or write in several ways:

    punctuation, accents, a leading "the", "&" or "and", "St" or "Saint", and the legal form
    at the end ("Ltd", "NHS Foundation Trust"). Two names with equal core words are near misses of
    each other. Empty only when the name has no letter or digit.
    """
    plain = unicodedata.normalize("NFKD", name_key(text)).replace("&", " and ")
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    words = re.sub(r"[^\w\s]|_", " ", re.sub(r"[.'\u2019]", "", plain)).split()
    words = [_SHORT_WORDS.get(word, word) for word in words]
    if len(words) > 1 and words[0] == "the":
        del words[0]
    shorter = _without_legal_form(words)
    while len(shorter) < len(words):
        words, shorter = shorter, _without_legal_form(shorter)
    return tuple(words)


def describe_hidden_characters(text: str) -> str:
    """What the eye cannot see in a spelling, such as "has a non-breaking space", or ""."""
    differences = [
        _COMMON_NAMES.get(each) or f"a {unicodedata.name(each, 'control character').lower()}"
        for each in dict.fromkeys(text)
        if each != " " and (each.isspace() or _is_invisible(each))
    ]
    if "  " in text:
        differences.append("two blanks together")
    if text != text.strip():
        differences.append("a blank at an end")
    differences = list(dict.fromkeys(differences))
    return f"has {' and '.join(differences)}" if differences else ""


def quote(text: str) -> str:
    """A spelling in quotation marks, with what the eye cannot see in it."""
    hidden = describe_hidden_characters(text)
    return f"'{text}' ({hidden})" if hidden else f"'{text}'"


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or character in _INVISIBLE_MARKS


def _without_legal_form(words: list[str]) -> list[str]:
    """Without the longest legal form at the end, but never without any word."""
    fitting = [
        len(form)
        for form in _LEGAL_FORMS
        if len(form) < len(words) and words[len(words) - len(form) :] == form
    ]
    return words[: len(words) - max(fitting, default=0)]
