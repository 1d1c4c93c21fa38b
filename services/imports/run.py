"""The import itself: read and check every row, then record what is new or changed."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from mutua import Client, MutuaError
from mutua.v1.event_pb2 import Event, OrganizationContent
from mutua.v1.query_service_pb2 import IDENTITY_RECORDED, Organization, Question
from services.imports import cells
from services.imports.cells import CellError, Resolver
from services.imports.changes import Batch, Decision, ExchangeChanges
from services.imports.columns import (
    EXCHANGE_FIELDS,
    ORGANIZATION_FIELDS,
    Field,
    Plan,
    plan_columns,
)
from services.imports.exchanges import Draft, ExchangeReader
from services.imports.organizations import OrganizationChanges
from services.imports.reading import Row, Table, batch_name, open_table
from services.imports.report import (
    Counts,
    ErrorTable,
    ImportInterrupted,
    ImportRefused,
    ImportReport,
    Problem,
)

Progress = Callable[[int, int], None]
"""Told, after each durable request, how many facts of how many are recorded."""

Decide = Callable[[Row], Decision | list[Problem]]
_NO_REFERENCE = (
    "The file has no reference column: a row is known by what all its cells say, and by how often "
    "that was said before. A row that is edited later counts as a new exchange, and the old one "
    "stays. `--map reference=COLUMN` names a column that identifies each row."
)
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
        plan = _plan(EXCHANGE_FIELDS, table, options)
        batch = _batch(client, path, options)
        organizations, position = _organizations(client)
        resolver = Resolver(organizations)
        reader = ExchangeReader(resolver, options.kind_map, now or datetime.now(UTC))
        _check_constants(plan, lambda field, text: reader.read_field(Draft(Event()), field, text))
        exchanges = client.list_exchanges(_AS_RECORDED, batch=batch.name, min_position=position)
        standing = {exchange.exchange_id: exchange for exchange in exchanges}
        changes = ExchangeChanges(batch, plan.fields, standing)
        seen: Counter[str] = Counter()

        def decide(row: Row) -> Decision | list[Problem]:
            draft, problems = reader.read(plan, row.cells)
            if problems:
                return problems
            reference = draft.reference
            if "reference" not in plan.fields:
                digest = _row_digest(plan, row)
                seen[digest] += 1
                reference = f"{digest}-{seen[digest]}"
            decision = changes.decide(row.line, reference, draft.event)
            return [decision] if isinstance(decision, Problem) else decision

        checked = _Checked(table, plan, decide)
    if not checked.errors.count:  # a row that cannot be read names no exchange
        checked.counts.missing = changes.missing_count()
    notes = [*reader.notes]
    if "reference" not in plan.fields:
        notes.append(_NO_REFERENCE)
    if any(organization.registered for organization in organizations) and resolver.unregistered:
        notes.append(_unregistered_note(sorted(resolver.unregistered)))
    return _record(client, checked, checked.report(batch, options, notes), progress)


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
        plan = _plan(ORGANIZATION_FIELDS, table, options)
        batch = _batch(client, path, options)
        organizations, _ = _organizations(client)
        changes = OrganizationChanges(batch, plan.fields, organizations)
        _check_constants(
            plan, lambda field, text: changes.read_field(OrganizationContent(), field, text)
        )

        def decide(row: Row) -> Decision | list[Problem]:
            content, problems = changes.read(plan, row.cells)
            if problems:
                return problems
            decision = changes.decide(row.line, content)
            return [decision] if isinstance(decision, Problem) else decision

        checked = _Checked(table, plan, decide)
    return _record(client, checked, checked.report(batch, options, ()), progress)


class _Checked:
    """Every row of a file, decided: the facts to record with their lines, counts and errors."""

    def __init__(self, table: Table, plan: Plan, decide: Decide) -> None:
        self.plan = plan
        self.counts = Counts()
        self.errors = ErrorTable()
        self.events: list[Event] = []
        self.lines: list[int] = []
        for row in table.rows:
            self.counts.rows += 1
            if len(row.cells) == len(table.header):
                decided = decide(row)
            else:
                decided = [_ragged(row, table.header)]
            if isinstance(decided, Decision):
                self._count(row.line, decided)
            else:
                for problem in decided:
                    self.errors.add(row.line, problem)

    def report(self, batch: Batch, options: ImportOptions, notes: Sequence[str]) -> ImportReport:
        return ImportReport(
            batch=batch.name,
            dry_run=options.dry_run,
            columns=self.plan.named_columns,
            constants=self.plan.constants,
            unused=self.plan.unused,
            counts=self.counts,
            notes=tuple(notes),
            errors=tuple(self.errors.shown),
            error_count=self.errors.count,
        )

    def _count(self, line: int, decision: Decision) -> None:
        setattr(self.counts, decision.outcome, getattr(self.counts, decision.outcome) + 1)
        if decision.event is not None:
            self.events.append(decision.event)
            self.lines.append(line)


def _plan(fields: Sequence[Field], table: Table, options: ImportOptions) -> Plan:
    return plan_columns(fields, table.header, mapped=options.map, constants=options.set)


def _batch(client: Client, path: Path, options: ImportOptions) -> Batch:
    name = cells.clean(options.batch) or batch_name(path)
    try:
        return Batch(client.programme, cells.read_label(name))
    except CellError as error:
        raise ImportRefused(f"--batch {name!r} {error}.") from error


def _organizations(client: Client) -> tuple[list[Organization], str]:
    """Everyone known, by ids as recorded, and the position until which that holds.

    Waits for the end of the log: an earlier import that is not visible yet would be repeated.
    """
    position = client.get_status().log_position
    return list(client.list_organizations(_AS_RECORDED, min_position=position)), position


def _check_constants(plan: Plan, check: Callable[[str, str], None]) -> None:
    for field, text in plan.constants.items():
        try:
            check(field, text)
        except CellError as error:
            raise ImportRefused(f"--set {field}={text}: {text!r} {error}.") from error


def _row_digest(plan: Plan, row: Row) -> str:
    """The same for the same texts under the same names, in whatever order the columns stand."""
    named = sorted(zip(plan.header, map(cells.clean, row.cells), strict=True))
    text = "\0".join(f"{name}\1{cell}" for name, cell in named if cell)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _ragged(row: Row, header: Sequence[str]) -> Problem:
    return Problem(
        "",
        "",
        CellError(
            f"has {len(row.cells)} cells and the header {len(header)}: quote cells that "
            "hold the separator"
        ),
    )


def _unregistered_note(names: Sequence[str], shown: int = 10) -> str:
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return (
        f"New and not on the roster, so counted as unregistered organizations: "
        f"{', '.join(names[:shown])}{more}."
    )


def _record(
    client: Client, checked: _Checked, report: ImportReport, progress: Progress | None
) -> ImportReport:
    if report.errors or report.dry_run or not checked.events:
        return report
    total, acknowledged, position = len(checked.events), 0, ""
    try:
        for recorded in client.record_in_batches(checked.events):
            acknowledged += recorded.count
            position = recorded.position
            if progress is not None:
                progress(acknowledged, total)
    except KeyboardInterrupt as error:
        raise ImportInterrupted(
            acknowledged=acknowledged, total=total, by_user=True, why="Interrupted."
        ) from error
    except MutuaError as error:
        if error.reason != "INVALID_FACT" or not error.field_violations:
            raise ImportInterrupted(
                acknowledged=acknowledged, total=total, by_user=False, why=error.message
            ) from error
        return _refused_by_server(checked, replace(report, acknowledged=acknowledged), error)
    report = replace(report, acknowledged=acknowledged, position=position)
    try:
        client.get_status(min_position=position)
    except MutuaError as error:
        note = f"All is recorded, but answers do not show it yet: {error.message}"
        return replace(report, notes=(*report.notes, note))
    return report


def _refused_by_server(checked: _Checked, report: ImportReport, error: MutuaError) -> ImportReport:
    """The server's objections with the rows they are about, instead of positions in a request."""
    for violation in error.field_violations:
        match = _VIOLATION.fullmatch(violation.field)
        index = report.acknowledged + int(match[1]) if match else len(checked.lines)
        line = checked.lines[index] if index < len(checked.lines) else 0
        field = _file_field(match[2]) if match else violation.field
        checked.errors.add(line, Problem(field, "", CellError(violation.description)))
    notes = report.notes
    if report.acknowledged:
        note = (
            f"{report.acknowledged:,} facts were recorded before the server refused a row. "
            "Mend it and import the file again: nothing is recorded twice."
        )
        notes = (*notes, note)
    return replace(
        report,
        notes=notes,
        errors=tuple(checked.errors.shown),
        error_count=checked.errors.count,
    )


def _file_field(path: str) -> str:
    """`exchange_recorded.exchange.giver_ids[0]` is what the file calls giver."""
    name = re.sub(r"\[\d+\]$", "", path.rpartition(".")[2])
    return {"giver_ids": "giver", "receiver_ids": "receiver"}.get(name, name)
