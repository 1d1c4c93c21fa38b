"""Questions before an import records: rows of another batch, large changes, replaced rows."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from mutua import Client
from services.imports.changes import Doubt, about_changes, about_replaced
from services.imports.elsewhere import about_overlaps, overlaps
from services.imports.exchanges import ExchangeRows
from services.imports.options import ImportOptions
from services.imports.report import ImportRefused, ImportReport

Confirm = Callable[[Doubt], bool]
"""Answers, for each doubt, whether to record the rows all the same."""


def with_changes(report: ImportReport, rows: ExchangeRows) -> ImportReport:
    """The report with what the rows change, and what they leave retracted."""
    return replace(
        report,
        changes=tuple(rows.changes),
        moved_count=rows.moved_count,
        left_retracted=tuple(rows.left_retracted),
    )


def with_doubts(
    client: Client, rows: ExchangeRows, report: ImportReport, options: ImportOptions
) -> ImportReport:
    """The report with what somebody should confirm; each option answers its own question."""
    doubts: list[Doubt | None] = []
    if not options.as_new:
        overlapping = overlaps(client, rows)
        report = replace(report, elsewhere=overlapping)
        doubts += [about_overlaps(overlapping)] if overlapping else []
    counts = rows.counts
    if not options.accept_changes:
        doubts.append(
            about_changes(
                rows.changes,
                corrected=counts.corrected - rows.bound_count,
                moved=rows.moved_count,
                rows=counts.rows - counts.wrong,
                batch=rows.batch,
            )
        )
    is_whole = rows.occurrences is not None and not rows.occurrences.is_mended
    if not options.accept_missing and is_whole and counts.recorded == counts.missing > 0:
        new, missing = rows.new(), rows.standing.missing()
        doubts.append(about_replaced(new, missing, count=counts.recorded, batch=rows.batch))
    return replace(report, doubts=tuple(doubt for doubt in doubts if doubt is not None))


def require_consent(doubts: Iterable[Doubt], confirm: Confirm | None) -> None:
    """Raises ImportRefused when somebody says no to a question.

    Without `confirm` the refusal has all questions, so that no answer hides another question.
    """
    if confirm is None:
        if refusals := [_refusal(doubt) for doubt in doubts]:
            raise ImportRefused("\n".join(refusals))
        return
    for doubt in doubts:
        if not confirm(doubt):
            raise ImportRefused("Nothing was recorded.")


def _refusal(doubt: Doubt) -> str:
    remedy = f"Nothing was recorded. {doubt.remedy}"
    if not doubt.changes:
        return f"{doubt.statement} {remedy}"
    return "\n".join((doubt.statement, *doubt.lines(), remedy))
