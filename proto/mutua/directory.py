"""Organizations by the names people use."""

import difflib
import unicodedata
from collections.abc import Iterable
from typing import Final

from mutua.v1.query_service_pb2 import Organization

# Below this, difflib's likeness of two names is chance rather than a slip of the finger.
ALIKE: Final = 0.8


class AmbiguousName(LookupError):
    """Several organizations go by one name; `names` has the label of each."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"may be {' or '.join(self.names)}")


class Directory:
    """The organizations of a programme, found by id, name or alias without regard to case."""

    def __init__(self, organizations: Iterable[Organization]) -> None:
        self._by_id = {organization.organization_id: organization for organization in organizations}
        self._by_word: dict[str, set[str]] = {}
        for organization_id, organization in self._by_id.items():
            for word in (organization_id, organization.name, *organization.aliases):
                self._by_word.setdefault(_folded(word), set()).add(organization_id)
        self._by_word.pop("", None)

    def find(self, typed: str) -> str | None:
        """The id meant, or None when nobody is called so. Raises AmbiguousName when several are."""
        if typed in self._by_id:
            return typed
        found = self._by_word.get(_folded(typed), set())
        # A slip recorded earlier must not make the organization that it meant ambiguous.
        meant = sorted({one for one in found if self._by_id[one].registered} or found)
        if len(meant) > 1:
            raise AmbiguousName(map(self.label, meant))
        return meant[0] if meant else None

    def resembling(self, typed: str) -> list[str]:
        """Up to three ids whose id, name or alias looks like what was typed, best first."""
        words = difflib.get_close_matches(_folded(typed), self._by_word, n=3, cutoff=ALIKE)
        return list(dict.fromkeys(one for word in words for one in sorted(self._by_word[word])))[:3]

    def name(self, organization_id: str) -> str:
        """The name on the roster, or ""."""
        known = self._by_id.get(organization_id)
        return known.name if known is not None else ""

    def label(self, organization_id: str) -> str:
        """Name and id, or the id alone."""
        name = self.name(organization_id)
        return f"{name} ({organization_id})" if name else organization_id

    def labels(self, organization_ids: Iterable[str]) -> str:
        return ", ".join(map(self.label, organization_ids))


def _folded(word: str) -> str:
    return unicodedata.normalize("NFC", word).strip().casefold()
