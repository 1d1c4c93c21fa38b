"""Names of a file that no organization has: counted, told, and written to a file to edit.

The file has a row a name. Its column `organization_id` is filled in by people, and then the file is
given back: the name means that organization in the import.
"""

import csv
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mutua.directory import AmbiguousName, Directory
from mutua.names import name_key, quoted
from services.imports.header import TableRequest
from services.imports.parties import PartyReader
from services.imports.reading import open_table
from services.imports.report import ImportRefused
from services.ledger.wording import counted

NAME_COLUMN: Final = "name"
ID_COLUMN: Final = "organization_id"
COLUMNS: Final = (NAME_COLUMN, "row_count", "did_you_mean", ID_COLUMN)
_SHOWN: Final = 10
_COMPARED: Final = 200
"""For a note, near misses are looked for of so many names: on a roster of thousands each search
takes milliseconds."""


@dataclass(frozen=True, slots=True)
class NewName:
    """A name, in how many rows it is, and labels of the organizations that resemble it."""

    name: str
    row_count: int
    near: tuple[str, ...]

    def __str__(self) -> str:
        """Such as "'Oakdale Trust.' (did you mean Oakdale Trust (oak-2)?)"."""
        near = f" (did you mean {' or '.join(self.near)}?)" if self.near else ""
        return f"{quoted(self.name)}{near}"


@dataclass(frozen=True, slots=True)
class NamesFile:
    """What people filled in. `names` has the key of every name of the file."""

    path: Path
    names: frozenset[str]
    ids: Mapping[str, str]
    """By key of the name, the organization it means."""


def read_names(path: Path, directory: Directory) -> NamesFile:
    """Raises ImportRefused for an unreadable file and for organizations that nobody knows."""
    names: set[str] = set()
    ids: dict[str, str] = {}
    unknown: list[str] = []
    with open_table(path, TableRequest(fields=(), header_row=1)) as table:
        try:
            name_place, id_place = map(table.header.index, (NAME_COLUMN, ID_COLUMN))
        except ValueError as error:
            raise ImportRefused(
                f"--names {path}: the file has no columns {NAME_COLUMN} and {ID_COLUMN}. Name a "
                "file that an import wrote, or one that is not there yet."
            ) from error
        for row in table.rows:
            cells = [*row.cells, *[""] * len(table.header)]
            name, typed = cells[name_place].strip(), cells[id_place].strip()
            names.add(name_key(name))
            if not typed:
                continue
            try:
                found = directory.find(typed)
            except AmbiguousName as error:
                unknown.append(f"line {row.line:,}: {typed!r} {error}")
                continue
            if found is None:
                unknown.append(f"line {row.line:,}: {typed!r} is no organization")
            else:
                ids[name_key(name)] = found
    if unknown:
        raise ImportRefused(
            f"--names {path}: {'; '.join(unknown)}. Write ids that mutua organizations lists, or "
            "leave the cell empty for a name that shall stay new."
        )
    return NamesFile(path, frozenset(names), ids)


def write_names(path: Path, names: Iterable[NewName]) -> None:
    """Writes the file whole or not at all. Raises ImportRefused."""
    if path.suffix.lower() != ".csv":
        raise ImportRefused(f"--names {path}: name a .csv file, so that it can be given back.")
    part = path.with_name(f"{path.name}.part")
    try:
        # With a mark, so that spreadsheets read it as what it is.
        with part.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for each in names:
                writer.writerow((each.name, each.row_count, " or ".join(each.near), ""))
        part.rename(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ImportRefused(f"--names {path}: {error.strerror or error}.") from error


class NewNames:
    """The names that `parties` found new, and in how many rows each is."""

    def __init__(self, parties: PartyReader) -> None:
        self._parties = parties
        self._row_counts: Counter[str] = Counter()
        self._last_line = 0
        self._last_keys: set[str] = set()

    def __len__(self) -> int:
        return len(self._parties.new_names)

    def count_row(self, line: int, cells: Iterable[str]) -> None:
        """Counts a row by its cells with parties, which were read before.

        A row that is several exchanges comes once for each, and counts once.
        """
        new_cells = self._parties.new_cells
        keys = set().union(*(new_cells.get(each, ()) for each in cells))
        counted_keys = self._last_keys if line == self._last_line else set()
        self._row_counts.update(keys - counted_keys)
        self._last_line, self._last_keys = line, keys | counted_keys

    def listed(self, *, without: Container[str] = (), compared: int | None = None) -> list[NewName]:
        """All but those with a key in `without`: with near misses first, then the most frequent.

        Near misses are looked for of the `compared` most frequent, or of all.
        """
        directory = self._parties.directory
        named = [each for each in self._parties.new_names.items() if each[0] not in without]
        named.sort(key=lambda each: (-self._row_counts[each[0]], each[1]))
        listed = []
        for place, (key, name) in enumerate(named):
            near = directory.resembling(name) if compared is None or place < compared else []
            labels = tuple(map(directory.label, near))
            listed.append(NewName(name, self._row_counts[key], labels))
        return sorted(listed, key=lambda each: not each.near)

    def notes(self, path: Path | None, given: NamesFile | None) -> Iterator[str]:
        """What to say of them. Writes them to `path` where no file is there yet (`given` is None).

        Raises ImportRefused when the file cannot be written.
        """
        if given is not None:
            yield f"{given.path} gives the organization of {counted(len(given.ids), 'name')}."
        elif path is not None and len(self):
            write_names(path, self.listed())
            yield (
                f"{counted(len(self), 'new name')} {'is' if len(self) == 1 else 'are'} listed in "
                f"{path}: write the id of its organization beside each that you know, then import "
                f"again with --names {path}."
            )
        elif path is not None:
            yield f"No name is new: {path} was not written."
        if self._parties.has_roster:
            known = given.names if given is not None else frozenset()
            shown = self.listed(without=known, compared=_COMPARED)
            if shown:
                yield _told(shown, is_listed=path is not None and given is None)


def _told(names: Sequence[NewName], *, is_listed: bool) -> str:
    told = ", ".join(map(str, names[:_SHOWN]))
    more = len(names) - _SHOWN
    further = f" and {more:,} more" if more > 0 else ""
    is_long = more > 0 or any(each.near for each in names)
    remedy = " --names FILE lists all of them in a file to edit and give back."
    return (
        f"New and not on the roster, so counted as unregistered organizations: {told}{further}."
        f"{remedy if is_long and not is_listed else ''}"
    )
