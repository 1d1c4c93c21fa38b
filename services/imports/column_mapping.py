"""Maps fields to columns: by the column's name, by the user's options, or to a constant."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.adapters.wire.values import tidy
from services.imports.report import ImportRefusedError


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a file. `columns` are the names that mean it, best first and normalized."""

    name: str
    columns: tuple[str, ...]
    required: bool


def _fields(table: str, *, required: str) -> tuple[Field, ...]:
    rows = [line.split() for line in table.replace("\n    +", " ").strip().splitlines()]
    return tuple(Field(row[0], tuple(row), row[0] in required.split()) for row in rows)


# One field per line, then its column names, best first; + continues a line.
EXCHANGE_FIELDS: Final = _fields(
    """
    reference  ref event_ref exchange_ref exchange_id event_id responseid response_id id
    occur_time  occurred_at occurred_on occurred happened_on date day when time when_did_it_happen
    report_time  reported_at reported_on recorded_at recorded_on report_date logged_at
    + timestamp completion_time recordeddate recorded_date submission_date submitted_at
    giver  givers giver_id giver_ids given_by who_gave from from_organization sender
    receiver  receivers receiver_id receiver_ids received_by to to_organization recipient
    + who_received
    kind  exchange_kind type exchange_type how
    formality
    topics  topic tags tag
    giver_minutes  minutes duration_minutes duration_in_minutes minutes_spent time_spent_minutes
    + time_spent_in_minutes duration time_spent how_long how_long_minutes how_long_did_it_take
    receiver_minutes
    benefit_minutes
    reported_by  side reporter
    note  notes remark remarks comment comments
    parties  party_ids
    direction
    organization  our_organization
    other  other_organization partner counterpart
    count
    """,
    required="occur_time giver receiver kind",
)
ORGANIZATION_FIELDS: Final = _fields(
    """
    organization_id  id org_id ods_code code organization_code organization
    name  organization_name organization trust trust_name title full_name display_name
    + hospital hospital_name provider provider_name site site_name practice practice_name facility
    + facility_name institution institution_name
    aliases  alias other_names other_name also_known_as known_as aka alternative_names
    type  organization_type kind
    sector
    region  region_code national_grouping
    core_system  system ehr epr
    strategic_group  strategic_grouping stp ics group high_level_health_geography
    size  size_band
    role  programme_role
    external_ids  external_id
    open_date  opened_on opened opening_date
    close_date  closed_on closed closing_date
    """,
    required="organization_id",
)
PAIRING_FIELDS: Final = _fields(
    """
    a  organization_a organization exemplar leader first
    b  organization_b other other_organization partner follower fast_follower second
    from_date  from start start_date started_on begin begin_date formed_on
    to_date  to end end_date ended_on
    chosen_by  chosen choice
    """,
    required="a b from_date",
)
# Times at which a form was filled in. They count as the time of the exchange only when no other
# column may hold it.
_FORM_TIMES: Final = ("timestamp", "completion_time", "recordeddate", "recorded_date")
_TIME_WORDS: Final = frozenset(("date", "day", "when"))
# Hints after a column's name for the person who fills it in. A unit such as (h) is no hint.
_HINT: Final = re.compile(
    r"\((?!\s*[dhs]\s*\))"
    r"(?:[dmyhs :./-]+|optional|required|mandatory|if known|utc|gmt|e\.g\.[^)]*)\)",
    re.IGNORECASE,
)


_SIDES: Final = ("giver", "receiver")
_BY_DIRECTION: Final = ("direction", "organization", "other")
"""The fields that a file with a direction has instead of giver and receiver."""
_NEVER_GUESSED: Final = frozenset({"count"})
"""A column named count may just as well count people."""


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """The source of each field: the index of a column, or a text for all rows."""

    header: tuple[str, ...]
    sources: dict[str, int | str]

    @property
    def columns(self) -> dict[str, str]:
        return {name: self.header[i] for name, i in self.sources.items() if isinstance(i, int)}

    @property
    def constants(self) -> dict[str, str]:
        return {name: text for name, text in self.sources.items() if isinstance(text, str)}

    @property
    def unused_columns(self) -> tuple[str, ...]:
        used = set(self.columns.values())
        return tuple(column for column in self.header if column and column not in used)

    def extract_texts(self, cells: Sequence[str]) -> dict[str, str]:
        """The texts of a row by field: trimmed, NFC, without empty ones."""
        return {
            name: text
            for name, source in self.sources.items()
            if (text := source if isinstance(source, str) else tidy(cells[source]))
        }


def map_columns(
    fields: Sequence[Field],
    header: tuple[str, ...],
    *,
    column_by_field: Mapping[str, str],
    constants: Mapping[str, str],
    location: str = "the file",
) -> ColumnMapping:
    """Finds the source of each field.

    `column_by_field` and `constants` precede guesses; the column "" leaves its field out.
    `location` names the file in messages. Raises ImportRefusedError for an unknown field or column,
    and for a required field with neither.
    """
    names = [field.name for field in fields]
    for option, assignments in (("--map", column_by_field), ("--set", constants)):
        for name in assignments:
            if name not in names:
                raise ImportRefusedError(
                    f"{option} {name}=...: there is no field {name!r}{_suggest(name, names)}. "
                    f"The fields are {', '.join(names)}."
                )
    if empty := [name for name, text in constants.items() if not text.strip()]:
        raise ImportRefusedError(f"--set {empty[0]}= is empty: give what all rows shall have.")
    if both := sorted(column_by_field.keys() & constants.keys()):
        raise ImportRefusedError(f"{both[0]} is in --map and in --set: leave one of them out.")
    sources = guess_sources(fields, header, column_by_field, constants)
    if "direction" in sources and (sides := [name for name in _SIDES if name in sources]):
        raise ImportRefusedError(
            f"direction and {sides[0]}: a direction decides who of organization and other gave, so "
            f"leave one of them out, with --map {sides[0]}= or --map direction=."
        )
    for name, source in sources.items():
        if isinstance(source, int) and header.count(header[source]) > 1:
            raise ImportRefusedError(
                f"{location} has two columns named {header[source]!r}, so it is not clear which is "
                f"{name}: rename one."
            )
    if missing := find_missing(fields, sources):
        remedy = " ".join(f"--map {name}=COLUMN" for name in missing)
        raise ImportRefusedError(
            f"No column was found for {', '.join(missing)}: say which it is, {remedy} "
            f"(or --set {missing[0]}=VALUE for all rows). "
            f"The columns of {location} are {', '.join(filter(None, header))}."
        )
    return ColumnMapping(header, {name: sources[name] for name in names if name in sources})


def count_fields(
    fields: Sequence[Field],
    header: tuple[str, ...],
    *,
    column_by_field: Mapping[str, str],
    constants: Mapping[str, str],
) -> int:
    """Number of fields that a header gives; 0 when it lacks a required or mapped column."""
    try:
        sources = guess_sources(fields, header, column_by_field, constants)
    except ImportRefusedError:
        return 0
    return 0 if find_missing(fields, sources) else len(sources)


def is_recognized_column(column: str, fields: Sequence[Field]) -> bool:
    """Whether a column of this name is recognized as one of the fields."""
    names = {_normalized(column), _normalized(_HINT.sub("", column))}
    return any(names.intersection(field.columns) for field in fields)


def guess_sources(
    fields: Sequence[Field],
    header: tuple[str, ...],
    mapped: Mapping[str, str],
    constants: Mapping[str, str],
) -> dict[str, int | str]:
    """Where each field comes from: a column by its place, or a text for all rows.

    Raises ImportRefusedError when the header lacks a mapped column.
    """
    sources: dict[str, int | str] = {name: tidy(text) for name, text in constants.items()}
    sources |= {name: _column(name, column, header) for name, column in mapped.items() if column}
    used_places = set(sources.values())
    free = {
        name: i
        for without_hint in (True, False)  # a whole name wins over one without its hint
        for i, column in enumerate(header)
        if i not in used_places
        and (name := _normalized(_HINT.sub("", column) if without_hint else column))
    }
    for field in fields:
        if field.name in mapped or field.name in constants or field.name in _NEVER_GUESSED:
            continue
        if field.name in _BY_DIRECTION and not _allows_direction(field, sources):
            continue
        guess = next((column for column in field.columns if column in free), None)
        if guess is None and field.name == "occur_time":
            guess = _form_time(free)
        if guess is not None:
            index = sources[field.name] = free[guess]
            # A column is the guess for one field only.
            free = {name: i for name, i in free.items() if i != index}
    return sources


def _allows_direction(field: Field, sources: Mapping[str, object]) -> bool:
    """Whether a direction column may replace giver and receiver."""
    return sources.keys().isdisjoint(_SIDES) and (
        field.name == "direction" or "direction" in sources
    )


def _form_time(free: Mapping[str, int]) -> str | None:
    """The column of the time at which a form was filled in, unless another one may have a date."""
    if any(_TIME_WORDS.intersection(name.split("_")) for name in free if name not in _FORM_TIMES):
        return None
    return next((name for name in _FORM_TIMES if name in free), None)


def find_missing(fields: Sequence[Field], sources: Mapping[str, object]) -> list[str]:
    """Required fields without a source; three sets of fields can give the parties."""
    required = [field.name for field in fields if field.required]
    if "direction" in sources:
        required = [name for name in required if name not in _SIDES] + list(_BY_DIRECTION)
    elif "parties" in sources and sources.keys().isdisjoint(_SIDES):
        required = [name for name in required if name not in _SIDES]
    return [name for name in required if name not in sources]


def _column(name: str, column: str, header: tuple[str, ...]) -> int:
    column_name = " ".join(column.split())
    if column_name in header:
        return header.index(column_name)
    raise ImportRefusedError(
        f"--map {name}={column}: the file has no column {column!r}{_suggest(column_name, header)}. "
        f"Its columns are {', '.join(filter(None, header))}."
    )


def _suggest(word: str, words: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _normalized(column: str) -> str:
    words = re.sub(r"[\W_]+", "_", tidy(column).casefold()).strip("_")
    return words.replace("organisation", "organization")
