"""The import itself: read and check every row, then record what is new or changed."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from mutua import Client, MutuaError
from mutua.directory import Directory
from mutua.v1.query_service_pb2 import IDENTITY_RECORDED, Organization, Question
from services.adapters.wire.values import tidy
from services.imports.columns import EXCHANGE_FIELDS, ORGANIZATION_FIELDS, plan_columns
from services.imports.exchanges import ExchangeRows
from services.imports.organizations import OrganizationRows
from services.imports.reading import batch_name, open_table
from services.imports.report import ImportInterrupted, ImportRefused, ImportReport, Problem
from services.imports.rows import Rows, file_field
from services.ledger.times import instant
from services.ledger.validation import Violations, check_label

Progress = Callable[[int, int], None]
"""Told, after each durable request, how many facts of how many are recorded."""

_AS_RECORDED: Final = Question(identity=IDENTITY_RECORDED)
_VIOLATION = re.compile(r"events\[(\d+)\]\.?(.*)")


class ImportOptions(BaseModel):
    """`map`: field to column, "" leaves the field out. `set`: field to the text of every row.

    `kind_map`: a word of the file to one of our kinds. `batch` is the file's name when empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    map: dict[str, str] = {}
    set: dict[str, str] = {}
    kind_map: dict[str, str] = {}
    batch: str = ""
    dry_run: bool = False


def import_exchanges(
    client: Client,
    path: Path,
    options: ImportOptions | None = None,
    *,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> ImportReport:
    """Records the exchanges of a CSV; with an error in any row nothing, and the report says why.

    Raises ImportRefused when the file or the options cannot be used, MutuaError when the server
    cannot be asked, both before anything is recorded; ImportInterrupted after.
    """
    options = options or ImportOptions()
    with open_table(path) as table:
        plan = plan_columns(
            EXCHANGE_FIELDS, table.header, mapped=options.map, constants=options.set
        )
        batch = _batch(path, options)
        organizations, position = _organizations(client)
        exchanges = client.list_exchanges(_AS_RECORDED, batch=batch, min_position=position)
        rows = ExchangeRows(
            plan,
            client.programme,
            batch,
            directory=Directory(organizations),
            standing={exchange.exchange_id: exchange for exchange in exchanges},
            kind_map=options.kind_map,
        )
        rows.check(table.rows, now=instant(now or datetime.now(UTC)))
    if not rows.errors.count:  # a row that cannot be read names no exchange
        rows.counts.missing = rows.missing_count()
    if rows.strangers and any(organization.registered for organization in organizations):
        rows.notes[rows.strangers_note()] = None
    return _record(client, rows, options, progress)


def import_organizations(
    client: Client,
    path: Path,
    options: ImportOptions | None = None,
    *,
    progress: Progress | None = None,
) -> ImportReport:
    """Registers the organizations of a CSV and updates those it changes; raises as exchanges do."""
    options = options or ImportOptions()
    with open_table(path) as table:
        plan = plan_columns(
            ORGANIZATION_FIELDS, table.header, mapped=options.map, constants=options.set
        )
        batch = _batch(path, options)
        organizations, _ = _organizations(client)
        rows = OrganizationRows(plan, client.programme, batch, organizations)
        rows.check(table.rows, now=instant(datetime.now(UTC)))
    return _record(client, rows, options, progress)


def _batch(path: Path, options: ImportOptions) -> str:
    name = tidy(options.batch or batch_name(path))
    wrong: Violations = []
    check_label(name, "--batch", wrong)
    if wrong:
        raise ImportRefused(f"--batch {name!r} {wrong[0].description}.")
    return name


def _organizations(client: Client) -> tuple[list[Organization], str]:
    """Everyone known, by ids as recorded, and the position until which that holds.

    Waits for the end of the log: an earlier import that is not visible yet would be repeated.
    """
    position = client.get_status().log_position
    return list(client.list_organizations(_AS_RECORDED, min_position=position)), position


def _record(
    client: Client, rows: Rows, options: ImportOptions, progress: Progress | None
) -> ImportReport:
    report = ImportReport(
        batch=rows.batch,
        dry_run=options.dry_run,
        columns=rows.plan.columns,
        constants=rows.plan.constants,
        unused=rows.plan.unused,
        counts=rows.counts,
        notes=tuple(rows.notes),
        errors=tuple(rows.errors.shown),
        error_count=rows.errors.count,
    )
    if report.errors or report.dry_run or not rows.facts:
        return report
    total, acknowledged, position = len(rows.facts), 0, ""
    try:
        for recorded in client.record_in_batches(event for _, event in rows.facts):
            acknowledged += recorded.count
            position = recorded.position
            if progress is not None:
                progress(acknowledged, total)
    except (KeyboardInterrupt, MutuaError) as error:
        if isinstance(error, MutuaError) and error.field_violations:
            return _refused_by_server(rows, replace(report, acknowledged=acknowledged), error)
        raise ImportInterrupted(error, acknowledged=acknowledged, total=total) from error
    report = replace(report, acknowledged=acknowledged, position=position)
    try:
        client.get_status(min_position=position)
    except (KeyboardInterrupt, MutuaError) as error:
        why = str(error) or "interrupted while waiting for them."
        note = f"All is recorded, but answers do not show it yet: {why}"
        interrupted = isinstance(error, KeyboardInterrupt)
        return replace(report, notes=(*report.notes, note), interrupted=interrupted)
    return report


def _refused_by_server(rows: Rows, report: ImportReport, error: MutuaError) -> ImportReport:
    """The server's objections with the rows they are about, instead of positions in a request."""
    for violation in error.field_violations:
        line, path = 0, violation.field
        if match := _VIOLATION.fullmatch(path):
            (line, _), path = rows.facts[report.acknowledged + int(match[1])], match[2]
        field = file_field(path, rows.plan.sources)
        rows.errors.add(line, Problem(field, "", violation.description))
    note = (
        f"{report.acknowledged:,} facts were recorded before the server refused a row. "
        "Mend it and import the file again: nothing is recorded twice."
    )
    notes = (*report.notes, note) if report.acknowledged else report.notes
    shown, count = tuple(rows.errors.shown), rows.errors.count
    return replace(report, notes=notes, errors=shown, error_count=count)
