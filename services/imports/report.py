"""What an import says: before it records, when it stops, and when it is done."""

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from mutua import MutuaError as ClientError
from services.imports.changes import Doubt, HandRetraction, RowChange
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
    """One thing to mend. `row` is the line of the file, 0 when the whole file is meant.

    What one remedy mends in all rows is one error: `row` is the first of `row_count`.
    """

    row: int
    field: str
    value: str
    message: str
    row_count: int = 1


@dataclass(slots=True, kw_only=True)
class RowCounts:
    """Rows of the file by what became of them; in a dry run, by what would.

    rows = recorded + corrected + agreed + unchanged + retracted_earlier + skipped + wrong.
    """

    rows: int = 0
    recorded: int = 0
    corrected: int = 0
    # Say now what a correction by hand said before them; that they do is recorded.
    agreed: int = 0
    unchanged: int = 0
    retracted_earlier: int = 0
    # Said again by a later row of the same file.
    skipped: int = 0
    # Cannot be taken as they are.
    wrong: int = 0
    # Recorded by an earlier file of the batch and not in this one; left alone.
    missing: int = 0

    def add(self, outcome: str) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOverlap:
    """So many of the new rows have a reference that stands in another batch already.

    `same_count` of them also say the same. `recorded_by` is the sender of that batch.
    """

    batch: str
    row_count: int
    same_count: int
    recorded_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """`columns` and `constants` tell, by field, what was read; `unused` columns were not.

    `ok` tells that every row is recorded that was to be, or in a dry run would be. `errors` has the
    first ones, `error_count` counts them in all rows. Rows that have one keep all others back
    unless they were set aside, into the file `set_aside`, which a dry run does not write. Errors
    found by the server came too late for that: `acknowledged` says how many facts are durable.
    `elsewhere` tells what other batches have of the rows that are new to this one. `changes` are
    the first rows that change what stands, in a dry run all; `moved_count` of them change parties
    or time. `roster_changes` are the first rows that change an organization.
    `left_retracted` are the first rows of `counts.retracted_earlier`. `doubts` are
    what somebody should confirm before it is recorded.
    `interrupted` tells that the user did not wait for answers to show what was recorded.
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
    roster_changes: tuple[RowChange, ...] = ()
    left_retracted: tuple[HandRetraction, ...] = ()
    doubts: tuple[Doubt, ...] = ()


class FieldProblem(NamedTuple):
    """What is wrong with one field of a row; `is_same_everywhere` when one remedy mends all."""

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
