"""Counts names that no organization has, and writes them to a file for people to edit.

The file has one row per name. People fill in its column `organization_id` and pass the file to the
next import, which then takes each name for that organization.
"""

import csv
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mutua.organization_directory import AmbiguousNameError, OrganizationDirectory
from mutua.spelling import name_key, quote
from services.adapters.file_system import replace_atomically
from services.adapters.wire.values import tidy
from services.imports.header import TableRequest
from services.imports.party_reader import PartyReader
from services.imports.report import ImportRefusedError, NewName
from services.imports.table_file import open_table
from services.ledger.wording import format_count

NAME_COLUMN: Final = "name"
ID_COLUMN: Final = "organization_id"
NAMES_FILE_COLUMNS: Final = (NAME_COLUMN, "row_count", "did_you_mean", ID_COLUMN)
_MAX_LISTED_NAMES: Final = 10
_MAX_COMPARED_NAMES: Final = 200
"""Maximum number of names for which a note looks for similar ones. Each search takes milliseconds
on a roster of thousands.
"""
_MAX_CACHED_CELLS: Final = 20_000


@dataclass(frozen=True, slots=True)
class NamesFile:
    """An edited file of names. `keys` has the key of every name in it."""

    path: Path
    keys: frozenset[str]
    ids_by_key: Mapping[str, str]
    """Key of a name -> the organization that it means."""


def read_names_file(path: Path, directory: OrganizationDirectory) -> NamesFile:
    """Reads the file. Raises ImportRefusedError if it is unreadable or names no organization."""
    names: set[str] = set()
    ids: dict[str, str] = {}
    unknown: list[str] = []
    with open_table(path, TableRequest(fields=(), header_row=1)) as table:
        try:
            name_place, id_place = map(table.header.index, (NAME_COLUMN, ID_COLUMN))
        except ValueError as error:
            raise ImportRefusedError(
                f"--names {path}: the file has no columns {NAME_COLUMN} and {ID_COLUMN}. Name a "
                "file that an import wrote, or one that is not there yet."
            ) from error
        for row in table.rows:
            cells = [*row.cells, *[""] * len(table.header)]
            name, id_text = cells[name_place].strip(), cells[id_place].strip()
            names.add(name_key(name))
            if not id_text:
                continue
            try:
                organization_id = directory.find(id_text)
            except AmbiguousNameError as error:
                unknown.append(f"line {row.line:,}: {id_text!r} {error}")
                continue
            if organization_id is None:
                unknown.append(f"line {row.line:,}: {id_text!r} is no organization")
            else:
                ids[name_key(name)] = organization_id
    if unknown:
        raise ImportRefusedError(
            f"--names {path}: {'; '.join(unknown)}. Write ids that mutua organizations lists, or "
            "leave the cell empty for a name that stays new."
        )
    return NamesFile(path, frozenset(names), ids)


def read_name_map(
    organizations: Mapping[str, str], directory: OrganizationDirectory
) -> dict[str, str]:
    """Key of a name -> id. Raises ImportRefusedError for an organization that nobody knows."""
    ids: dict[str, str] = {}
    for name, typed in organizations.items():
        try:
            organization_id = directory.find(typed)
        except AmbiguousNameError as error:
            raise ImportRefusedError(
                f"{quote(name)}: {quote(typed)} {error}: write an id."
            ) from error
        if organization_id is None:
            raise ImportRefusedError(
                f"{quote(name)}: {quote(typed)} is no organization: choose one that is known."
            )
        ids[name_key(name)] = organization_id
    return ids


def write_names_file(path: Path, names: Iterable[NewName]) -> None:
    """Writes the file whole or not at all. Raises ImportRefusedError."""
    if path.suffix.lower() != ".csv":
        raise ImportRefusedError(
            f"--names {path}: name a .csv file, because the next import reads it."
        )
    try:
        # A byte order mark makes spreadsheets read UTF-8.
        with (
            replace_atomically(path, durable=False) as temporary,
            temporary.open("w", encoding="utf-8-sig", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(NAMES_FILE_COLUMNS)
            for each in names:
                writer.writerow((each.name, each.row_count, " or ".join(each.similar_labels), ""))
    except OSError as error:
        raise ImportRefusedError(f"--names {path}: {error.strerror or error}.") from error


class NewNameCounter:
    """Counts the rows of each new name that `parties` has read."""

    def __init__(self, parties: PartyReader) -> None:
        self._parties = parties
        self._row_counts: Counter[str] = Counter()
        # Many rows have the same party cells, so their new names are cached.
        self._keys: dict[tuple[str, ...], frozenset[str]] = {}
        self._last_line = 0
        self._last_keys: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._parties.new_names)

    def count_row(self, line: int, cells: tuple[str, ...]) -> None:
        """Counts a row by its party cells, which `parties` has read before.

        A row that is several exchanges is passed once for each, and counts once.
        """
        keys = self._keys.get(cells)
        if keys is None:
            if len(self._keys) == _MAX_CACHED_CELLS:
                self._keys.clear()
            keys = self._keys[cells] = self._new_keys(cells)
        if line != self._last_line:
            self._last_line, self._last_keys = line, frozenset()
        if keys:
            for key in keys - self._last_keys:
                self._row_counts[key] += 1
            self._last_keys |= keys

    def _new_keys(self, cells: Iterable[str]) -> frozenset[str]:
        new_cells = self._parties.new_cells
        return frozenset[str]().union(*(new_cells.get(tidy(each), ()) for each in cells))

    def sort_names(
        self, *, excluded_keys: Container[str] = (), max_compared: int | None = None
    ) -> list[NewName]:
        """Names with similar organizations first, then the most frequent, without `excluded_keys`.

        Only the `max_compared` most frequent names are compared with the roster; None compares all.
        """
        directory = self._parties.directory
        names = [each for each in self._parties.new_names.items() if each[0] not in excluded_keys]
        names.sort(key=lambda each: (-self._row_counts[each[0]], each[1]))
        new_names = []
        for place, (key, name) in enumerate(names):
            near = (
                directory.find_near_misses(name)
                if max_compared is None or place < max_compared
                else []
            )
            labels = tuple(map(directory.label, near))
            new_names.append(NewName(name, self._row_counts[key], labels, tuple(near)))
        return sorted(new_names, key=lambda each: not each.similar_labels)

    def list_unanswered(self, names_file: NamesFile | None = None) -> list[NewName]:
        """The new names that a file with answers does not have; none without a roster."""
        if not self._parties.has_roster:
            return []
        is_answered = names_file is not None and bool(names_file.ids_by_key)
        answered_keys = names_file.keys if names_file and is_answered else frozenset()
        return self.sort_names(excluded_keys=answered_keys, max_compared=_MAX_COMPARED_NAMES)

    def make_notes(
        self, unanswered: Sequence[NewName], path: Path | None, names_file: NamesFile | None
    ) -> Iterator[str]:
        """Notes on the new names. Writes all of them to `path` when `names_file` is None.

        Raises ImportRefusedError when the file cannot be written.
        """
        if names_file is not None and not names_file.ids_by_key:
            yield (
                f"{names_file.path} gives no organization yet: write the id of its organization "
                "next to each name that you know, then import again."
            )
        elif names_file is not None:
            name_count = format_count(len(names_file.ids_by_key), "name")
            yield f"{names_file.path} gives the organization of {name_count}."
        elif path is not None and len(self):
            write_names_file(path, self.sort_names())
            yield (
                f"{format_count(len(self), 'new name', 'is')} listed in {path}: write the id of "
                "its organization next to each that you know, then import again with "
                f"--names {path}."
            )
        elif path is not None:
            yield f"No name is new: {path} was not written."
        if unanswered:
            is_answered = names_file is not None and bool(names_file.ids_by_key)
            yield _new_names_note(unanswered, is_listed=path is not None and not is_answered)


def _new_names_note(names: Sequence[NewName], *, is_listed: bool) -> str:
    first_names = ", ".join(map(str, names[:_MAX_LISTED_NAMES]))
    more = len(names) - _MAX_LISTED_NAMES
    further = f" and {more:,} more" if more > 0 else ""
    is_long = more > 0 or any(each.similar_labels for each in names)
    remedy = " --names FILE lists all of them in a file to edit and give back."
    return (
        f"New and not on the roster, so counted as unregistered organizations: {first_names}"
        f"{further}.{remedy if is_long and not is_listed else ''}"
    )
