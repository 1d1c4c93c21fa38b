"""Reads the organizations in a cell: one name of the roster, or several with separators."""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, combinations
from typing import Final

from mutua.organization_directory import AmbiguousNameError, OrganizationDirectory
from mutua.spelling import name_key, quote
from mutua.v1.query_service_pb2 import Organization
from services.notation.errors import NotationError, WordError
from services.notation.exchange_cells import PARTY_COLUMN_BY_FIELD
from services.notation.words import read_quoted_list

ConfirmSplit = Callable[[str, list[str]], bool]
"""Returns whether commas separate parties, from a cell and the labels of its parts. Called once per
file.
"""

PARTY_FIELDS: Final = tuple(PARTY_COLUMN_BY_FIELD.values())
"""The fields of a file whose cells name organizations."""
_SEPARATORS: Final = "[;|]"
_COMMA: Final = ","


class PartyReader:
    """Reads cells into ids of organizations and collects new names.

    A cell, or a part of it, that equals a name of the roster is that organization, whatever
    separators the name contains. A part in double quotes is one name; a new one is its own id as
    written. Everything else is split at `;`, `|` and `separator`. If `separator` is "" and every
    piece between commas is an organization, `confirm_split` decides whether commas separate;
    without it the cell is an error. `ids_by_key` has the ids of some names and precedes the roster.
    """

    def __init__(
        self,
        organizations: Iterable[Organization],
        *,
        ids_by_key: Mapping[str, str] | None = None,
        separator: str = "",
        confirm_split: ConfirmSplit | None = None,
    ) -> None:
        roster = list(organizations)
        self.directory = OrganizationDirectory(roster)
        self.has_roster = any(each.registered for each in roster)
        self.new_names: dict[str, str] = {}
        """Key of each new name -> its first spelling."""
        self.new_cells: dict[str, frozenset[str]] = {}
        """Cells with new names -> the keys of these."""
        self._ids_by_key = ids_by_key or {}
        self._separators = f"{_SEPARATORS}|{re.escape(separator)}" if separator else _SEPARATORS
        separated = re.compile(f"{self._separators}|{_COMMA}")
        spellings = chain(self._ids_by_key, *map(_spellings, roster))
        self._has_separated_names = any(map(separated.search, spellings))
        self._asks_about_commas = not separator
        self._confirm_split = confirm_split
        self._commas_separate: bool | None = None
        self._read: dict[str, list[str]] = {}

    def read_parties(self, text: str) -> list[str]:
        """The ids of the organizations that a cell names, each once. Raises NotationError."""
        if text not in self._read:
            ids = self._read_cell(text)
            self._read[text] = list(dict.fromkeys(ids))
            if new := frozenset(self.new_names).intersection(map(name_key, ids)):
                self.new_cells[text] = new
        return self._read[text]

    def find(self, name: str) -> str | None:
        """The id of one organization, None when the name is new. Raises NotationError."""
        try:
            return self._ids_by_key.get(name_key(name)) or self.directory.find(name)
        except AmbiguousNameError as error:
            raise NotationError(str(error), remedy="write the id") from error

    def _read_cell(self, text: str) -> list[str]:
        parts = read_quoted_list(text) if '"' in text and not self._is_on_roster(text) else []
        if not any(is_quoted for _, is_quoted in parts):
            return self._read_names(text)
        ids: list[str] = []
        for part, is_quoted in parts:
            ids += [self._read_quoted(part)] if is_quoted else self._read_names(part)
        return ids

    def _read_quoted(self, name: str) -> str:
        """Reads a quoted name as one name; a new one is its own id as written."""
        organization_id = self.find(name)
        if organization_id is None:
            self.new_names.setdefault(name_key(name), name)
        return organization_id or name

    def _read_names(self, text: str) -> list[str]:
        ids: list[str] = []
        for name in self._names_in(text, self._separators):
            organization_id = self.find(name)
            if organization_id is not None:
                ids.append(organization_id)
            else:
                ids += self._split_at_commas(name) or [
                    self.new_names.setdefault(name_key(name), name)
                ]
        return ids

    def _split_at_commas(self, name: str) -> list[str]:
        """The ids of several organizations on the roster, [] when the text is one new name."""
        if not self._asks_about_commas or _COMMA not in name or self._commas_separate is False:
            return []
        names = self._names_in(name, _COMMA)
        ids = [
            organization_id for each in names if (organization_id := self.find(each)) is not None
        ]
        if len(names) < 2 or len(ids) < len(names):
            return []
        if self._commas_separate is None:
            if self._confirm_split is None:
                raise WordError(
                    f"names {len(names)} known organizations with commas between them: write ; "
                    f"instead, or say --party-separator ',' (or --party-separator ';' if it is "
                    "one new organization)"
                )
            self._commas_separate = self._confirm_split(name, list(map(self.directory.label, ids)))
        return ids if self._commas_separate else []

    def _names_in(self, text: str, separators: str) -> list[str]:
        """Splits a text at separators, except inside a name of the roster.

        Raises NotationError when two such names overlap.
        """
        # Parts and separators alternate, beginning and ending with a part.
        tokens = re.split(f"({separators})", text)
        if len(tokens) == 1 or not self._has_separated_names:
            return [name for name in map(str.strip, tokens[::2]) if name]
        runs: list[tuple[int, int]] = []
        for first, last in combinations(range(0, len(tokens), 2), 2):
            if self._is_on_roster("".join(tokens[first : last + 1])):
                runs.append((first, last))
        longest = [
            (first, last)
            for first, last in runs
            if not any(
                other != (first, last) and other[0] <= first and last <= other[1] for other in runs
            )
        ]
        names, place = [], 0
        for first, last in longest:
            if first < place:
                overlapping = " and ".join(
                    quote("".join(tokens[first : last + 1]).strip()) for first, last in longest
                )
                raise NotationError(
                    f"can be read in several ways ({overlapping})", remedy="write ids"
                )
            names += [*tokens[place:first:2], "".join(tokens[first : last + 1])]
            place = last + 2
        names += tokens[place::2]
        return [name for name in map(str.strip, names) if name]

    def _is_on_roster(self, name: str) -> bool:
        key = name_key(name)
        if key in self._ids_by_key:
            return True
        try:
            return self.directory.find_registered(name) is not None
        except AmbiguousNameError:
            return True


def _spellings(organization: Organization) -> Iterable[str]:
    return (organization.organization_id, organization.name, *organization.aliases)
