"""Reports of an import: its errors, counts and findings."""

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from mutua import MutuaError as ClientError
from mutua.spelling import quote
from services.imports.changes import Doubt, HandRetraction, NewRow, RowChange
from services.ledger.errors import MutuaError
from services.ledger.wording import format_count

MAX_LISTED_PROBLEMS: Final = 50


class ImportRefusedError(MutuaError):
    """The file or the options of an import cannot be used; nothing was recorded."""


class ImportInterruptedError(MutuaError):
    """The import stopped early: at least `acknowledged` of `total` facts are durable.

    `by_user` is true for Ctrl-C and false for a failing server.
    """

    def __init__(
        self,
        cause: KeyboardInterrupt | ClientError,
        *,
        acknowledged: int,
        total: int,
        remedy: str,
    ) -> None:
        self.acknowledged = acknowledged
        self.total = total
        self.by_user = isinstance(cause, KeyboardInterrupt)
        super().__init__(
            f"{'Interrupted.' if self.by_user else cause} "
            f"At least {acknowledged:,} of {format_count(total, 'fact', 'was')} recorded. {remedy}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """A problem to fix. `row` is the line of the file, 0 for the whole file.

    A problem that one remedy fixes in all rows is listed once: `row` is the first of `row_count`.
    """

    row: int
    field: str
    value: str
    message: str
    row_count: int = 1


@dataclass(frozen=True, slots=True)
class NewName:
    """A name, the number of its rows, and the organizations that resemble it, best first."""

    name: str
    row_count: int
    similar_labels: tuple[str, ...] = ()
    similar_ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Such as "'Oakdale Trust.' (did you mean Oakdale Trust (oak-2)?)"."""
        near = f" (did you mean {' or '.join(self.similar_labels)}?)" if self.similar_labels else ""
        return f"{quote(self.name)}{near}"


@dataclass(slots=True, kw_only=True)
class RowCounts:
    """Number of rows by outcome; in a dry run, by the outcome that they would have.

    rows = recorded + corrected + agreed + unchanged + retracted_earlier + skipped + wrong.
    """

    rows: int = 0
    recorded: int = 0
    corrected: int = 0
    # The row now has the value of an earlier correction by hand; the agreement is recorded.
    agreed: int = 0
    unchanged: int = 0
    retracted_earlier: int = 0
    # A later row of the file with equal content.
    skipped: int = 0
    # Rows with errors.
    wrong: int = 0
    # Exchanges of the batch that are not in this file; they stay as they are.
    missing: int = 0

    def add(self, outcome: str) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOverlap:
    """New rows whose reference another batch has already recorded: `row_count` of them.

    `same_count` of them also have equal content. `recorded_by` is the sender of that batch.
    """

    batch: str
    row_count: int
    same_count: int
    recorded_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """The result of an import.

    `columns` and `constants` have the source of each field; `unused` are the other columns. `ok` is
    true when every row to be recorded is recorded, or would be in a dry run. `errors` has the first
    errors, `error_count` counts those of all rows. A row with an error prevents the whole import
    unless such rows are skipped into the file `set_aside`, which a dry run does not write. Errors
    that the server finds come too late for that: `acknowledged` facts are durable then. `elsewhere`
    has the overlaps of the new rows with other batches. `changes` are the first rows that change an
    exchange, in a dry run all; `moved_count` of them change parties or time. `new_rows` are the
    first rows that record an exchange, in a dry run of exchanges. `roster_changes` are
    the first rows that change an organization. `left_retracted` are the first rows of
    `counts.retracted_earlier`. `doubts` need a confirmation before anything is recorded.
    `new_names` are the first names that are not on the roster and that nobody has answered;
    `unknown_kinds` are words of the file that mean no kind.
    `interrupted` is true when the user did not wait until answers include the import.
    """

    batch: str
    generation: int
    dry_run: bool
    ok: bool = True
    columns: dict[str, str]
    constants: dict[str, str]
    unused: tuple[str, ...]
    counts: RowCounts
    acknowledged: int = 0
    position: str = ""
    interrupted: bool = False
    notes: tuple[str, ...] = ()
    errors: tuple[RowProblem, ...] = ()
    error_count: int = 0
    set_aside: str = ""
    elsewhere: tuple[BatchOverlap, ...] = ()
    changes: tuple[RowChange, ...] = ()
    moved_count: int = 0
    new_rows: tuple[NewRow, ...] = ()
    roster_changes: tuple[RowChange, ...] = ()
    left_retracted: tuple[HandRetraction, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    new_names: tuple[NewName, ...] = ()
    unknown_kinds: tuple[str, ...] = ()


class FieldProblem(NamedTuple):
    """A problem of one field of a row; `is_same_everywhere` if one remedy fixes all its rows."""

    field: str
    value: str
    message: str
    is_same_everywhere: bool = False


@dataclass(slots=True)
class ProblemList:
    """Collects errors, the first ones in full."""

    first_problems: list[RowProblem] = field(default_factory=list)
    count: int = 0
    _first: dict[FieldProblem, int] = field(default_factory=dict)

    def add(self, row: int, problem: FieldProblem) -> None:
        self.count += 1
        if problem.is_same_everywhere:
            index = self._first.setdefault(problem, len(self.first_problems))
            if index < len(self.first_problems):
                first = self.first_problems[index]
                self.first_problems[index] = replace(first, row_count=first.row_count + 1)
                return
        if len(self.first_problems) < MAX_LISTED_PROBLEMS:
            name, value, message, _ = problem
            self.first_problems.append(
                RowProblem(row=row, field=name, value=value, message=message)
            )
