"""When a recorded id is a spelling of a registered organization that it is not bound to."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from services.ledger.identity import resolve
from services.ledger.organization import Organization

_INVISIBLE_MARKS: Final = frozenset("\u034f" + "".join(map(chr, range(0xFE00, 0xFE10))))


def unbound_names(
    roster: Collection[Organization], aliases: Mapping[str, str], names: Collection[str]
) -> set[str]:
    """Which of the names are unregistered and yet spelled as an id, name or alias of the roster.

    `names` are ids as recorded or what they mean. Of a name, its aliases count too. Both are
    counted as two organizations until one becomes an alias of the other.
    """
    if not roster:
        return set()
    registered = {each.organization_id for each in roster}
    spellings = defaultdict(set)
    for alias in aliases:
        spellings[resolve(aliases, alias)].add(name_key(alias))
    taken = {name_key(word) for each in roster for word in (each.organization_id, each.name)}
    taken |= set().union(*(spellings[each] for each in registered if each in spellings))
    taken.discard("")
    meant = {name: resolve(aliases, name) for name in names}
    return {
        name
        for name, organization_id in meant.items()
        if organization_id not in registered
        and not taken.isdisjoint({name_key(organization_id), *spellings.get(organization_id, ())})
    }


def name_key(text: str) -> str:
    """What a spelling is compared by; see `mutua.names`, which the core does not import."""
    if text.isascii():
        return " ".join(text.split()).lower()
    visible = "".join(
        each for each in text if unicodedata.category(each) != "Cf" and each not in _INVISIBLE_MARKS
    )
    folded = unicodedata.normalize("NFD", visible).casefold()
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded).casefold())
    return " ".join(folded.split())
