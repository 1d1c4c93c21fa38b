"""The import itself: read and check every row, then record what is new or changed."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from mutua import Client
from mutua.organization_directory import OrganizationDirectory
from mutua.v1.query_service_pb2 import Organization, Programme
from services.adapters.wire.values import tidy
from services.imports.batch_property import read_batch_name
from services.imports.batches import AS_RECORDED, ImportBatch, make_resolver
from services.imports.column_mapping import (
    EXCHANGE_FIELDS,
    ORGANIZATION_FIELDS,
    ColumnMapping,
    Field,
    map_columns,
)
from services.imports.confirmation import (
    ConfirmDoubt,
    add_changes,
    add_doubts,
    require_confirmation,
)
from services.imports.content_reader import ContentReader
from services.imports.date_order import find_date_order
from services.imports.exchange_row_checker import ID_RULE, ExchangeRowChecker
from services.imports.fact_sender import FactRefusedError, SendProgress, send_facts
from services.imports.header import TableRequest
from services.imports.new_names import NamesFile, read_names_file
from services.imports.options import ImportOptions
from services.imports.organization_row_checker import OrganizationRowChecker
from services.imports.party_reader import ConfirmSplit, PartyReader
from services.imports.reject_file import RejectFile
from services.imports.report import FieldProblem, ImportRefusedError, ImportReport
from services.imports.row_checker import RowChecker, find_file_field
from services.imports.row_splitter import RowSplitter
from services.imports.table import ImportTable, TableRow
from services.imports.table_file import derive_batch_name, open_table
from services.imports.topic_labels import label_topics
from services.ledger.times import datetime_to_instant
from services.ledger.validation import Violations, check_label
from services.ledger.wording import format_count
from services.notation.dates import ProvenOrder, TimeReader
from services.notation.errors import NotationError
from services.notation.zones import read_zone

_REPORTED_ROWS: Final = 1_000
_WHOLE_FILE: Final = 0
"""The line number of a fact that comes from the whole file rather than from one row."""
_AGAIN: Final = "Import the same file again: nothing is recorded twice."
_VIOLATION = re.compile(r"events\[(\d+)\]\.?(.*)")


def import_exchanges(
    client: Client,
    path: Path,
    options: ImportOptions | None = None,
    *,
    progress: SendProgress | None = None,
    on_checked: Callable[[int], None] = lambda _: None,
    confirm: ConfirmDoubt | None = None,
    confirm_split: ConfirmSplit | None = None,
    now: datetime | None = None,
) -> ImportReport:
    """Records the exchanges of a file; with an error in any row nothing, unless it is set aside.

    Where the rows seem to be those of another file, they are recorded when `confirm` says so;
    without it that is an error; so are cells with commas between known organizations, without
    `confirm_split`. `on_checked` hears now and then how many rows were checked, `progress` how many
    facts of how many are recorded. Raises ImportRefusedError when the file or the options cannot be
    used, mutua.MutuaError when the server cannot be asked, both before anything is recorded;
    ImportInterruptedError after.
    """
    options = options or ImportOptions()
    with ExitStack() as kept:
        request = _request(EXCHANGE_FIELDS, "exchanges", options)
        with open_table(path, request) as table:
            plan = _plan(EXCHANGE_FIELDS, table, options)
            batch, dates = _batch(path, options), _dates(path, request, plan, options)
            position = _log_end(client)
            organizations = list(client.list_organizations(AS_RECORDED, min_position=position))
            names_file = _names_file(options, organizations)
            ids_by_key = names_file.ids_by_key if names_file is not None else {}
            resolve = make_resolver(OrganizationDirectory(organizations), ids_by_key)
            standing = ImportBatch(client, batch, rule=ID_RULE, position=position, resolve=resolve)
            parties = PartyReader(
                organizations,
                ids_by_key=ids_by_key,
                separator=options.party_separator,
                confirm_split=confirm_split,
            )
            programme = client.get_programme(min_position=position).programme
            contents = _contents(parties, programme, options)
            splitter = RowSplitter(plan, contents.durations, is_kind=contents.is_kind)
            rows = ExchangeRowChecker(
                splitter.mapping,
                client.programme,
                standing,
                contents,
                dates,
                resolve=resolve,
                reinstate=options.reinstate,
                keeps_changes=options.dry_run,
            )
            used = splitter.split(_used_rows(table.rows, plan, rows.notes))
            table = table._replace(rows=_report_count(used, on_checked))
            aside = _check(rows, table, options, dates, kept=kept, now=now or datetime.now(UTC))
        if not rows.problems.count:  # a row that cannot be read names no exchange
            rows.counts.missing = standing.count_missing()
        labelling = label_topics(contents.topics, programme)
        rows.notes |= contents.notes | labelling.notes | dict.fromkeys(splitter.make_notes())
        rows.notes |= dict.fromkeys(contents.new_names.make_notes(options.names, names_file))
        report = add_changes(_report(rows, options, plan), rows)
        if report.ok:
            report = add_doubts(client, rows, report, options)
            if not options.dry_run:
                require_confirmation(report.doubts, confirm)
        if labelling.event is not None and report.ok and not report.dry_run:
            rows.facts.add(_WHOLE_FILE, labelling.event.SerializeToString())
        return _record_unless_dry(client, rows, report, aside, progress)


def _names_file(options: ImportOptions, organizations: Sequence[Organization]) -> NamesFile | None:
    if options.names is None or not options.names.exists():
        return None
    return read_names_file(options.names, OrganizationDirectory(organizations))


def import_organizations(
    client: Client,
    path: Path,
    options: ImportOptions | None = None,
    *,
    progress: SendProgress | None = None,
    on_checked: Callable[[int], None] = lambda _: None,
) -> ImportReport:
    """Registers the organizations of a file, updates those it changes; raises as exchanges do."""
    options = options or ImportOptions()
    with ExitStack() as kept:
        request = _request(ORGANIZATION_FIELDS, "organizations", options)
        with open_table(path, request) as table:
            plan = _plan(ORGANIZATION_FIELDS, table, options)
            batch, dates = _batch(path, options), _dates(path, request, plan, options)
            position = _log_end(client)
            rows = OrganizationRowChecker(
                plan,
                client.programme,
                ImportBatch(client, batch, rule="organization", position=position),
                organizations=client.list_organizations(AS_RECORDED, min_position=position),
                dates=dates,
            )
            used = _used_rows(table.rows, plan, rows.notes)
            table = table._replace(rows=_report_count(used, on_checked))
            aside = _check(rows, table, options, dates, kept=kept, now=datetime.now(UTC))
        if rows.counts.recorded and "name" not in plan.sources:
            rows.notes[_nameless_note(rows.counts.recorded, plan)] = None
        report = replace(_report(rows, options, plan), roster_changes=tuple(rows.changes))
        return _record_unless_dry(client, rows, report, aside, progress)


def _nameless_note(count: int, plan: ColumnMapping) -> str:
    """What to say of organizations that a file registers without their names."""
    new = format_count(count, "new organization", "has")
    note = f"{new} no name, because no column was read as one."
    if not plan.unused_columns:
        return note
    columns = ", ".join(plan.unused_columns)
    option = shlex.quote(f"name={plan.unused_columns[0]}")
    return (
        f"{note} Not used: {columns}. --map name=COLUMN takes one of them, such as --map {option}."
    )


def _used_rows(
    rows: Iterable[TableRow], plan: ColumnMapping, notes: dict[str, None]
) -> Iterator[TableRow]:
    """The rows with text in a column that is used: formulas are often filled in far below them."""
    columns = [source for source in plan.sources.values() if isinstance(source, int)]
    unused_count = 0
    for row in rows:
        cells, flaws = row.cells, row.flaws
        for column in columns:  # most often the first one decides
            if cells[column].strip() or column in flaws:
                yield row
                break
        else:
            unused_count += 1
    if unused_count:
        rows_have = format_count(unused_count, "row", "has")
        notes[f"{rows_have} text only in columns that are not used: left out."] = None


def _report_count(rows: Iterable[TableRow], tell: Callable[[int], None]) -> Iterator[TableRow]:
    """The rows, telling now and then how many there were."""
    for count, row in enumerate(rows, 1):
        if count % _REPORTED_ROWS == 0:
            tell(count)
        yield row


def _request(fields: Sequence[Field], sheet: str, options: ImportOptions) -> TableRequest:
    return TableRequest(
        fields=fields,
        column_by_field=options.map,
        constants=options.set,
        sheet=options.sheet,
        preferred_sheet=sheet,
        header_row=options.header_row,
        has_header=not options.no_header,
    )


def _plan(fields: Sequence[Field], table: ImportTable, options: ImportOptions) -> ColumnMapping:
    return map_columns(
        fields,
        table.header,
        column_by_field=options.map,
        constants=options.set,
        location=table.location,
    )


def _dates(
    path: Path, request: TableRequest, plan: ColumnMapping, options: ImportOptions
) -> TimeReader:
    """Reads the file a second time when dates have the day or the month first and nobody said so.

    Raises ImportRefusedError when there is no such zone.
    """

    def find_order() -> ProvenOrder:
        with open_table(path, request) as table:
            return find_date_order(path.name, plan, table.rows)

    try:
        zone = read_zone(options.zone) if options.zone else UTC
    except NotationError as error:
        raise ImportRefusedError(f"--zone {options.zone} {error}.") from error
    return TimeReader(options.date_order, zone, find_order=find_order)


def _contents(parties: PartyReader, programme: Programme, options: ImportOptions) -> ContentReader:
    is_set = programme.HasField("working_day_minutes")
    return ContentReader(
        parties,
        options.kind_map,
        topic_map=options.topic_map,
        topics=programme.topics,
        working_day_minutes=programme.working_day_minutes if is_set else None,
    )


def _batch(path: Path, options: ImportOptions) -> str:
    name = tidy(options.batch or read_batch_name(path) or derive_batch_name(path))
    wrong: Violations = []
    check_label(name, "--batch", wrong)
    if wrong:
        raise ImportRefusedError(f"--batch {name!r} {wrong[0].description}.")
    return name


def _log_end(client: Client) -> str:
    """To wait for: an earlier import that is not visible yet would be repeated."""
    return client.get_status().log_position


def _check(
    rows: RowChecker,
    table: ImportTable,
    options: ImportOptions,
    dates: TimeReader,
    *,
    kept: ExitStack,
    now: datetime,
) -> RejectFile | None:
    """Checks every row; what it opens is closed with `kept`."""
    kept.enter_context(closing(rows.facts))
    aside = None
    if options.skip_bad is not None and not options.dry_run:
        aside = RejectFile(
            options.skip_bad,
            table.header,
            table.separator,
            adds_line=rows.key_field not in rows.mapping.sources,
        )
        kept.callback(aside.discard)
    rows.notes |= dict.fromkeys(table.notes)
    rows.check(
        table.rows, now=datetime_to_instant(now), reject=aside.add if aside else _leave_alone
    )
    rows.notes |= dates.notes
    return aside


def _leave_alone(row: TableRow, problems: Sequence[FieldProblem]) -> None:
    """What becomes of a wrong row that nobody wants in a file of its own."""


def _report(rows: RowChecker, options: ImportOptions, plan: ColumnMapping) -> ImportReport:
    # A file without one good row was misunderstood, rather than badly filled.
    skipping = options.skip_bad is not None and rows.counts.wrong < rows.counts.rows
    return ImportReport(
        batch=rows.batch_name,
        generation=rows.generation,
        dry_run=options.dry_run,
        ok=skipping or not rows.problems.count,
        columns=plan.columns,
        constants=plan.constants,
        unused=plan.unused_columns,
        counts=rows.counts,
        notes=tuple(rows.notes),
        errors=tuple(rows.problems.first_problems),
        error_count=rows.problems.count,
        set_aside=str(options.skip_bad) if skipping and rows.problems.count else "",
    )


def _record_unless_dry(
    client: Client,
    rows: RowChecker,
    report: ImportReport,
    aside: RejectFile | None,
    progress: SendProgress | None,
) -> ImportReport:
    if report.dry_run or not report.ok:
        return report
    if len(rows.facts):
        report = _record(client, rows, report, progress)
    if aside is not None and report.set_aside and report.ok:
        aside.publish()
    return report


def _record(
    client: Client, rows: RowChecker, report: ImportReport, progress: SendProgress | None
) -> ImportReport:
    facts = (event for _, event in rows.facts)
    try:
        sent = send_facts(client, facts, total=len(rows.facts), remedy=_AGAIN, progress=progress)
    except FactRefusedError as refused:
        return _with_refusal(rows, report, refused)
    return replace(
        report,
        acknowledged=sent.count,
        position=sent.position,
        notes=(*report.notes, sent.note) if sent.note else report.notes,
        interrupted=sent.interrupted,
    )


def _with_refusal(
    rows: RowChecker, report: ImportReport, refused: FactRefusedError
) -> ImportReport:
    """The server's objections with the rows they are about, instead of positions in a request."""
    acknowledged = refused.acknowledged
    for violation in refused.field_violations:
        line, path = 0, violation.field
        if match := _VIOLATION.fullmatch(path):
            place, path = acknowledged + int(match[1]), match[2]
            line, _ = next(islice(rows.facts, place, None))
        rows.problems.add(
            line,
            FieldProblem(find_file_field(path, rows.mapping.sources), "", violation.description),
        )
    note = (
        f"{format_count(acknowledged, 'fact', 'was')} recorded before the server refused a row. "
        "Mend it and import the file again: nothing is recorded twice."
    )
    return replace(
        report,
        ok=False,
        acknowledged=acknowledged,
        notes=(*report.notes, note) if acknowledged else report.notes,
        errors=tuple(rows.problems.first_problems),
        error_count=rows.problems.count,
        set_aside="",
    )
