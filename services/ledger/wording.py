"""Words to people that several places share: counts, and one sentence."""

from typing import Final

PLURAL_VERBS: Final = {"is": "are", "has": "have", "was": "were", "does": "do"}
NEITHER_IS_BETTER: Final = (
    "Neither side is better: early sites often give more, later sites often receive more."
)


def format_count(count: int, noun: str, verb: str = "") -> str:
    """Returns a count with its noun, and a verb that agrees with it.

    "1 exchange", "1,200 exchanges", "1 exchange has", "0 exchanges have". `noun` and `verb` are in
    the singular; their plurals are regular, or in PLURAL_VERBS.
    """
    if count != 1:
        noun, verb = f"{noun}s", PLURAL_VERBS.get(verb, verb.removesuffix("s"))
    return f"{count:,} {noun} {verb}".rstrip()
