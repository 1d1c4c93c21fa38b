"""Describes the result of an import, or of a dry run."""

import reprlib
import shlex
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from services.cli.connection import GlobalOptions
from services.cli.output import Column, to_table
from services.ledger.wording import format_count

if TYPE_CHECKING:
    from services.imports import ImportReport, RowProblem

OUTCOME_LINES: Final = {
    "recorded": "{would}recorded",
    "corrected": "{would}recorded as a change",
    "agreed": "now as corrected by hand",
    "unchanged": "already recorded",
    "retracted_earlier": "retracted by hand, left so",
    "skipped": "{would}skipped: another row has the same content",
    "missing": "of an earlier file, not in this one, left as before",
}
ERROR_COLUMNS: Final[tuple["Column[RowProblem]", ...]] = (
    Column("line", lambda error: f"{error.row:,}" if error.row else "", True),
    Column("rows", lambda error: f"{error.row_count:,}", True),
    Column("field", lambda error: error.field),
    Column("value", lambda error: reprlib.repr(error.value) if error.value else ""),
    Column("what to fix", lambda error: error.message),
)


def report_lines(
    report: "ImportReport", global_options: GlobalOptions, file: Path
) -> Iterable[str]:
    """The plan, what became of the rows, what to fix, and what to do next."""
    later = f", generation {report.generation}" if report.generation > 1 else ""
    yield f"Batch {report.batch}{later}: {format_count(report.counts.rows, 'row')}."
    for field, column in report.columns.items():
        yield f"  {field} is column {column!r}"
    for field, value in report.constants.items():
        yield f"  {field} is always {value!r}"
    if report.unused:
        yield f"  not used: {', '.join(report.unused)}"
    yield from report.notes
    if report.errors:
        yield f"\n{to_table(report.errors, ERROR_COLUMNS)}\n"
    if not report.ok:
        yield (
            f"{format_count(report.error_count, 'error')}; "
            f"{format_count(report.acknowledged, 'fact')} "
            "recorded. Fix the file, or say with --map, --set or --kind-map how to read it."
        )
        return
    would = "would be " if report.dry_run else ""
    counts = asdict(report.counts)
    for name, words in OUTCOME_LINES.items():
        if counts[name]:
            yield f"{format_count(counts[name], 'row')} {words.format(would=would)}"
        if name == "corrected":
            yield from _roster_lines(report)
        if name == "retracted_earlier":
            yield from _retracted_lines(report)
    yield from _next_lines(report, global_options, file)


def _roster_lines(report: "ImportReport") -> Iterable[str]:
    """What the rows of a roster change, old and new."""
    for change in report.roster_changes:
        yield f"  line {change.row:,} ({change.reference}): {'; '.join(change.format_lines())}"
    more = report.counts.corrected - len(report.roster_changes)
    if report.roster_changes and more:
        yield f"  and {more:,} more"


def _retracted_lines(report: "ImportReport") -> Iterable[str]:
    """The exchanges that stay retracted, by name."""
    for each in report.left_retracted:
        reference = f" ({each.reference})" if each.reference else ""
        reason = f", because “{each.reason}”" if each.reason else ""
        yield f"  line {each.row:,}{reference}: {each.what}, exchange {each.exchange_id}{reason}"
    more = report.counts.retracted_earlier - len(report.left_retracted)
    if more:
        yield f"  and {more:,} more"
    if report.left_retracted:
        yield "  If a row was fixed since, --reinstate records it again."


def _next_lines(report: "ImportReport", global_options: GlobalOptions, file: Path) -> Iterable[str]:
    """What the user has to do, or may do, now."""
    would = "would be " if report.dry_run else ""
    if report.set_aside:
        yield f"{format_count(report.counts.wrong, 'row')} {would}written to {report.set_aside}"
    if report.dry_run:
        for change in report.changes:
            reference = f" ({change.reference})" if change.reference else ""
            yield f"  line {change.row:,}{reference}: {'; '.join(change.format_lines())}"
        for doubt in report.doubts:
            if all(change in report.changes for change in doubt.changes):
                yield f"{doubt.statement} {doubt.remedy}"
            else:
                yield from (doubt.statement, *doubt.format_changes(), doubt.remedy)
        yield "Nothing was recorded: type the same without --dry-run to record it."
        return
    if report.set_aside:
        what = click.get_current_context().info_name
        words = (report.set_aside, "--batch", report.batch)
        yield (
            f"Fix the rows there, then: {global_options.command} "
            f"import {what} {shlex.join(words)} "
            f"(with the other options that you gave for {file.name})"
        )
    yield f"Next: {global_options.command} balances"
