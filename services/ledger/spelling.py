"""Spelling: recorded ids that look like a registered organization but are not bound to it."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from services.ledger.identity import resolve
from services.ledger.organization import Organization

_INVISIBLE_MARKS: Final = frozenset("\u034f" + "".join(map(chr, range(0xFE00, 0xFE10))))


def find_unbound_names(
    roster: Collection[Organization], aliases: Mapping[str, str], names: Collection[str]
) -> set[str]:
    """Returns the unregistered names that are spelled like an id, name or alias on the roster.

    `names` are ids as recorded, or the organizations that they mean; their aliases are compared
    too. Each counts as another organization until it becomes an alias.
    """
    if not roster:
        return set()
    registered = {each.organization_id for each in roster}
    spellings = defaultdict(set)
    for alias in aliases:
        spellings[resolve(aliases, alias)].add(name_key(alias))
    registered_keys = {
        name_key(word) for each in roster for word in (each.organization_id, each.name)
    }
    registered_keys |= set().union(*(spellings[each] for each in registered if each in spellings))
    registered_keys.discard("")
    meanings = {name: resolve(aliases, name) for name in names}
    return {
        name
        for name, organization_id in meanings.items()
        if organization_id not in registered
        and not registered_keys.isdisjoint(
            {name_key(organization_id), *spellings.get(organization_id, ())}
        )
    }


def name_key(text: str) -> str:
    """Returns the key by which spellings are compared; see `mutua.spelling`, which the core cannot
    import.
    """
    if text.isascii():
        return " ".join(text.split()).lower()
    visible = "".join(
        each for each in text if unicodedata.category(each) != "Cf" and each not in _INVISIBLE_MARKS
    )
    folded = unicodedata.normalize("NFD", visible).casefold()
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded).casefold())
    return " ".join(folded.split())
