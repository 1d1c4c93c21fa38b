"""Asks for confirmation before an import: overlaps, large changes, replaced rows."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice

from mutua import Client
from services.imports.changes import (
    MAX_LISTED_ROWS,
    Doubt,
    make_change_doubt,
    make_new_row,
    make_replacement_doubt,
)
from services.imports.exchange_row_checker import ExchangeRowChecker
from services.imports.options import ImportOptions
from services.imports.overlaps import find_overlaps, make_overlap_doubt
from services.imports.report import ImportRefusedError, ImportReport

ConfirmDoubt = Callable[[Doubt], bool]
"""Returns, for a doubt, whether to record the rows anyway."""


def add_changes(report: ImportReport, checker: ExchangeRowChecker) -> ImportReport:
    """Adds what the rows record and change, and the exchanges that they leave retracted."""
    new_rows = islice(checker.iterate_new(), MAX_LISTED_ROWS if report.dry_run else 0)
    return replace(
        report,
        new_rows=tuple(make_new_row(line, event) for line, event in new_rows),
        changes=tuple(checker.changes),
        moved_count=checker.moved_count,
        left_retracted=tuple(checker.hand_retractions),
    )


def add_doubts(
    client: Client, checker: ExchangeRowChecker, report: ImportReport, options: ImportOptions
) -> ImportReport:
    """Adds the doubts to confirm. Each option answers one of them in advance."""
    doubts: list[Doubt | None] = []
    if not options.as_new:
        overlapping = find_overlaps(client, checker)
        report = replace(report, elsewhere=overlapping)
        doubts += [make_overlap_doubt(overlapping)] if overlapping else []
    counts = checker.counts
    if not options.accept_changes:
        doubts.append(
            make_change_doubt(
                checker.changes,
                corrected=counts.corrected - checker.rebound_count,
                moved=checker.moved_count,
                rows=counts.rows - counts.wrong,
                batch=checker.batch_name,
            )
        )
    is_whole = (
        checker.occurrence_counter is not None and not checker.occurrence_counter.is_reject_file
    )
    if not options.accept_missing and is_whole and counts.recorded == counts.missing > 0:
        new, missing = checker.iterate_new(), checker.import_batch.iterate_missing()
        doubts.append(
            make_replacement_doubt(new, missing, count=counts.recorded, batch=checker.batch_name)
        )
    return replace(report, doubts=tuple(doubt for doubt in doubts if doubt is not None))


def require_confirmation(doubts: Iterable[Doubt], confirm: ConfirmDoubt | None) -> None:
    """Raises ImportRefusedError unless `confirm` returns true for every doubt.

    Without `confirm` the error has all questions, so that one answer hides no other question.
    """
    if confirm is None:
        if refusals := [_refusal(doubt) for doubt in doubts]:
            raise ImportRefusedError("\n".join(refusals))
        return
    for doubt in doubts:
        if not confirm(doubt):
            raise ImportRefusedError("Nothing was recorded.")


def _refusal(doubt: Doubt) -> str:
    remedy = f"Nothing was recorded. {doubt.remedy}"
    if not doubt.changes:
        return f"{doubt.statement} {remedy}"
    return "\n".join((doubt.statement, *doubt.format_changes(), remedy))
