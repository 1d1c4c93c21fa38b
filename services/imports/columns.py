"""Which column of a file is which field: guessed from its name, said by the user, or a constant."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from services.imports.cells import CellError, clean
from services.imports.report import ImportRefused, Problem

DraftOf = TypeVar("DraftOf")


@dataclass(frozen=True, slots=True)
class Field:
    """`columns` are the names that mean it, best first, as `_normalized` writes them."""

    name: str
    columns: tuple[str, ...]
    required: bool


def _fields(table: str, *, required: str) -> tuple[Field, ...]:
    rows = [line.split() for line in table.strip().splitlines()]
    return tuple(Field(row[0], tuple(row), row[0] in required.split()) for row in rows)


# A field a line, then the column names that are taken for it, best first.
EXCHANGE_FIELDS: Final = _fields(
    """
    reference  ref event_ref exchange_ref exchange_id event_id id
    occur_time  occurred_at occurred_on occurred happened_on date day when time
    report_time  reported_at reported_on recorded_at recorded_on report_date logged_at
    giver  givers giver_id giver_ids given_by from from_organization sender
    receiver  receivers receiver_id receiver_ids received_by to to_organization recipient
    kind  exchange_kind type exchange_type
    formality
    topics  topic tags tag
    giver_minutes  minutes duration_minutes
    receiver_minutes
    benefit_minutes
    reported_by  side reporter
    note  notes remark remarks comment comments
    """,
    required="occur_time giver receiver kind",
)
ORGANIZATION_FIELDS: Final = _fields(
    """
    organization_id  id org_id ods_code code organization
    name  organization_name trust title
    aliases  alias other_names also_known_as
    type  organization_type kind
    sector
    region  region_code
    core_system  system ehr epr
    strategic_group  strategic_grouping stp ics group
    size  size_band
    role  programme_role
    external_ids  external_id
    open_date  opened_on opened opening_date
    close_date  closed_on closed closing_date
    """,
    required="organization_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where each field comes from: a column of the file, or a constant."""

    header: tuple[str, ...]
    columns: dict[str, int]
    required: frozenset[str]
    constants: dict[str, str]

    @property
    def fields(self) -> tuple[str, ...]:
        return (*self.columns, *self.constants)

    @property
    def named_columns(self) -> dict[str, str]:
        return {field: self.header[index] for field, index in self.columns.items()}

    @property
    def unused(self) -> tuple[str, ...]:
        used = set(self.columns.values())
        return tuple(c for index, c in enumerate(self.header) if c and index not in used)

    def read(
        self, cells: Sequence[str], draft: DraftOf, read_field: Callable[[DraftOf, str, str], None]
    ) -> list[Problem]:
        """Calls `read_field(draft, field, text)` for what a row says; answers its CellErrors.

        Texts are trimmed, NFC and never empty.
        """
        problems = []
        texts = [(field, clean(cells[index])) for field, index in self.columns.items()]
        for field, text in (*texts, *self.constants.items()):
            try:
                if text:
                    read_field(draft, field, text)
                elif field in self.required:
                    raise CellError("is empty, and every row needs it")
            except CellError as error:
                problems.append(Problem(field, text, error))
        return problems


def plan_columns(
    fields: Sequence[Field],
    header: tuple[str, ...],
    *,
    mapped: Mapping[str, str],
    constants: Mapping[str, str],
) -> Plan:
    """`mapped` (field to column; "" leaves the field out) and `constants` go before guesses.

    Raises ImportRefused for a field or column there is not, and a required field without either.
    """
    names = [field.name for field in fields]
    for option, given in (("--map", mapped), ("--set", constants)):
        for name in given:
            if name not in names:
                raise ImportRefused(
                    f"{option} {name}=...: there is no field {name!r}{_near(name, names)}. "
                    f"The fields are {', '.join(names)}."
                )
    if empty := [name for name, text in constants.items() if not text.strip()]:
        raise ImportRefused(f"--set {empty[0]}= is empty: give what all rows shall have.")
    if both := sorted(mapped.keys() & constants.keys()):
        raise ImportRefused(f"{both[0]} stands in --map and in --set: leave one of them out.")
    columns = {name: _column(name, column, header) for name, column in mapped.items() if column}
    guesses = {
        field.name: index
        for field in fields
        if field.name not in mapped.keys() | constants.keys()
        and (index := _guess(field, header, taken=set(columns.values()))) is not None
    }
    found = columns | guesses
    plan = Plan(
        header=header,
        columns={name: found[name] for name in names if name in found},
        # A file that has references needs one in every row, else rows would take each other's id.
        required=frozenset(
            field.name for field in fields if field.required or field.name == "reference"
        ),
        constants={name: clean(constants[name]) for name in names if name in constants},
    )
    _refuse_missing(fields, plan)
    return plan


def _column(name: str, column: str, header: tuple[str, ...]) -> int:
    wanted = column.strip()
    if wanted in header:
        return header.index(wanted)
    raise ImportRefused(
        f"--map {name}={column}: the file has no column {column!r}{_near(wanted, header)}. "
        f"Its columns are {', '.join(filter(None, header))}."
    )


def _guess(field: Field, header: tuple[str, ...], *, taken: set[int]) -> int | None:
    normalized = [_normalized(column) for column in header]
    for name in field.columns:
        if name in normalized and (index := normalized.index(name)) not in taken:
            return index
    return None


def _refuse_missing(fields: Sequence[Field], plan: Plan) -> None:
    missing = [field.name for field in fields if field.required and field.name not in plan.fields]
    if missing:
        remedy = " ".join(f"--map {name}=COLUMN" for name in missing)
        raise ImportRefused(
            f"No column was found for {', '.join(missing)}: say which it is, {remedy} "
            f"(or --set {missing[0]}=VALUE for all rows). "
            f"The file's columns are {', '.join(filter(None, plan.header))}."
        )


def _near(word: str, words: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _normalized(column: str) -> str:
    words = re.sub(r"[\W_]+", "_", clean(column).casefold()).strip("_")
    return words.replace("organisation", "organization")
