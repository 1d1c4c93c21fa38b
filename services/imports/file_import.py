"""Imports a file: checks every row, then records what is new or changed."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from mutua import Client
from mutua.organization_directory import OrganizationDirectory
from mutua.v1.query_service_pb2 import Organization, Programme
from services.adapters.wire.values import tidy
from services.imports.batch_property import read_batch_name
from services.imports.batches import AS_RECORDED, ImportBatch, make_resolver
from services.imports.column_mapping import (
    EXCHANGE_FIELDS,
    ORGANIZATION_FIELDS,
    PAIRING_FIELDS,
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
from services.imports.new_names import (
    NamesFile,
    NewNameCounter,
    read_name_map,
    read_names_file,
)
from services.imports.options import ImportOptions
from services.imports.organization_row_checker import OrganizationRowChecker
from services.imports.pairing_row_checker import PairingRowChecker
from services.imports.party_reader import ConfirmSplit, PartyReader
from services.imports.reject_file import RejectFile
from services.imports.report import (
    MAX_LISTED_PROBLEMS,
    FieldProblem,
    ImportRefusedError,
    ImportReport,
    NewName,
)
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
"""The line number of a fact that belongs to no single row."""
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
    """Records the exchanges of a file, or nothing if a row has an error and is not skipped.

    `confirm` answers the doubts, `confirm_split` whether commas separate parties in cells; without
    the callback either question is an error. `on_checked` gets the number of rows checked so far,
    `progress` the number of facts recorded and their total. Before anything is recorded, raises
    ImportRefusedError when the file or the options cannot be used, and mutua.MutuaError when the
    server does not answer. ImportInterruptedError comes later.
    """
    options = options or ImportOptions()
    with ExitStack() as stack:
        with _open_mapped(client, path, EXCHANGE_FIELDS, "exchanges", options) as file:
            mapping, position = file.mapping, file.position
            organizations = list(client.list_organizations(AS_RECORDED, min_position=position))
            names_file = _read_names_file(options, organizations)
            directory = OrganizationDirectory(organizations)
            ids_by_key = dict(names_file.ids_by_key) if names_file is not None else {}
            ids_by_key |= read_name_map(options.name_map, directory)
            resolve = make_resolver(directory, ids_by_key)
            batch = ImportBatch(
                client, file.batch_name, rule=ID_RULE, position=position, resolve=resolve
            )
            parties = PartyReader(
                organizations,
                ids_by_key=ids_by_key,
                separator=options.party_separator,
                confirm_split=confirm_split,
            )
            programme = client.get_programme(min_position=position).programme
            contents = _make_content_reader(parties, programme, options)
            splitter = RowSplitter(mapping, contents.durations, is_kind=contents.is_kind)
            checker = ExchangeRowChecker(
                splitter.mapping,
                client.programme,
                batch,
                contents,
                file.dates,
                resolve=resolve,
                reinstate=options.reinstate,
                keeps_changes=options.dry_run,
            )
            used_rows = splitter.split(_used_rows(file.table.rows, mapping, checker.notes))
            rows = _report_count(used_rows, on_checked)
            reject_file = _check(checker, file, rows, options, stack=stack, now=now)
        if not checker.problems.count:  # a row that cannot be read names no exchange
            checker.counts.missing = batch.count_missing()
        labelling = label_topics(contents.topics, programme)
        checker.notes |= contents.notes | labelling.notes | dict.fromkeys(splitter.make_notes())
        new_names = contents.new_names.list_unanswered(names_file)
        notes = contents.new_names.make_notes(new_names, options.names, names_file)
        checker.notes |= dict.fromkeys(notes)
        report = add_changes(_make_report(checker, options, mapping), checker)
        report = _add_unknown_words(report, contents, new_names)
        if report.ok:
            report = add_doubts(client, checker, report, options)
            if not options.dry_run:
                require_confirmation(report.doubts, confirm)
        if labelling.event is not None and report.ok and not report.dry_run:
            checker.facts.add(_WHOLE_FILE, labelling.event.SerializeToString())
        return _record_unless_dry(client, checker, report, reject_file, progress)


def _add_unknown_words(
    report: ImportReport, contents: ContentReader, new_names: Sequence[NewName]
) -> ImportReport:
    return replace(
        report,
        new_names=tuple(new_names[:MAX_LISTED_PROBLEMS]),
        unknown_kinds=tuple(contents.unknown_kinds),
    )


def _read_names_file(
    options: ImportOptions, organizations: Sequence[Organization]
) -> NamesFile | None:
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
    """Registers or updates the organizations of a file; raises like `import_exchanges`."""
    options = options or ImportOptions()
    with ExitStack() as stack:
        with _open_mapped(client, path, ORGANIZATION_FIELDS, "organizations", options) as file:
            mapping, position = file.mapping, file.position
            checker = OrganizationRowChecker(
                mapping,
                client.programme,
                ImportBatch(client, file.batch_name, rule="organization", position=position),
                organizations=client.list_organizations(AS_RECORDED, min_position=position),
                dates=file.dates,
            )
            rows = _report_count(_used_rows(file.table.rows, mapping, checker.notes), on_checked)
            reject_file = _check(checker, file, rows, options, stack=stack)
        if checker.counts.recorded and "name" not in mapping.sources:
            checker.notes[_nameless_note(checker.counts.recorded, mapping)] = None
        report = replace(
            _make_report(checker, options, mapping), roster_changes=tuple(checker.changes)
        )
        return _record_unless_dry(client, checker, report, reject_file, progress)


def import_pairings(
    client: Client,
    path: Path,
    options: ImportOptions | None = None,
    *,
    progress: SendProgress | None = None,
    on_checked: Callable[[int], None] = lambda _: None,
) -> ImportReport:
    """Records the pairings of a file; raises like `import_exchanges`."""
    options = options or ImportOptions()
    with ExitStack() as stack:
        with _open_mapped(client, path, PAIRING_FIELDS, "pairings", options) as file:
            mapping, position = file.mapping, file.position
            organizations = list(client.list_organizations(AS_RECORDED, min_position=position))
            parties = PartyReader(organizations)
            checker = PairingRowChecker(
                mapping,
                client.programme,
                ImportBatch(client, file.batch_name, rule="pairing", position=position),
                parties=parties,
                pairings=client.get_pairings(min_position=position).pairings,
                dates=file.dates,
                resolve=make_resolver(parties.directory),
            )
            rows = _report_count(_used_rows(file.table.rows, mapping, checker.notes), on_checked)
            reject_file = _check(checker, file, rows, options, stack=stack)
        new_names = NewNameCounter(parties)
        checker.notes |= dict.fromkeys(
            new_names.make_notes(new_names.list_unanswered(), None, None)
        )
        report = _make_report(checker, options, mapping)
        return _record_unless_dry(client, checker, report, reject_file, progress)


def _nameless_note(count: int, mapping: ColumnMapping) -> str:
    """A note on organizations that a file registers without names."""
    new = format_count(count, "new organization", "has")
    note = f"{new} no name, because no column was read as one."
    if not mapping.unused_columns:
        return note
    columns = ", ".join(mapping.unused_columns)
    option = shlex.quote(f"name={mapping.unused_columns[0]}")
    return (
        f"{note} Not used: {columns}. --map name=COLUMN takes one of them, such as --map {option}."
    )


def _used_rows(
    rows: Iterable[TableRow], mapping: ColumnMapping, notes: dict[str, None]
) -> Iterator[TableRow]:
    """The rows with text in a used column, because formulas often extend far below the data."""
    columns = [source for source in mapping.sources.values() if isinstance(source, int)]
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


def _report_count(
    rows: Iterable[TableRow], on_checked: Callable[[int], None]
) -> Iterator[TableRow]:
    """Yields the rows and reports their number every thousand rows."""
    for count, row in enumerate(rows, 1):
        if count % _REPORTED_ROWS == 0:
            on_checked(count)
        yield row


class _MappedFile(NamedTuple):
    """An open file, and how its columns, times and rows are read."""

    table: ImportTable
    mapping: ColumnMapping
    batch_name: str
    dates: TimeReader
    position: str
    """The end of the log, for which reads wait so that an earlier import is visible to this one."""


@contextmanager
def _open_mapped(
    client: Client, path: Path, fields: Sequence[Field], sheet: str, options: ImportOptions
) -> Iterator[_MappedFile]:
    request = TableRequest.of(options, fields, preferred_sheet=sheet)
    with open_table(path, request) as table:
        mapping = map_columns(
            fields,
            table.header,
            column_by_field=options.map,
            constants=options.set,
            location=table.location,
        )
        batch_name = _choose_batch_name(path, options)
        dates = _make_time_reader(path, request, mapping, options)
        yield _MappedFile(table, mapping, batch_name, dates, client.get_status().log_position)


def _make_time_reader(
    path: Path, request: TableRequest, mapping: ColumnMapping, options: ImportOptions
) -> TimeReader:
    """Makes the reader of times, which reads the file again if no option sets the date order.

    Raises ImportRefusedError when there is no such zone.
    """

    def find_order() -> ProvenOrder:
        with open_table(path, request) as table:
            return find_date_order(path.name, mapping, table.rows)

    try:
        zone = read_zone(options.zone) if options.zone else UTC
    except NotationError as error:
        raise ImportRefusedError(f"--zone {options.zone} {error}.") from error
    return TimeReader(options.date_order, zone, find_order=find_order)


def _make_content_reader(
    parties: PartyReader, programme: Programme, options: ImportOptions
) -> ContentReader:
    is_set = programme.HasField("working_day_minutes")
    return ContentReader(
        parties,
        options.kind_map,
        topic_map=options.topic_map,
        topics=programme.topics,
        working_day_minutes=programme.working_day_minutes if is_set else None,
    )


def _choose_batch_name(path: Path, options: ImportOptions) -> str:
    name = tidy(options.batch or read_batch_name(path) or derive_batch_name(path))
    violations: Violations = []
    check_label(name, "--batch", violations)
    if violations:
        raise ImportRefusedError(f"--batch {name!r} {violations[0].description}.")
    return name


def _check(
    checker: RowChecker,
    file: _MappedFile,
    rows: Iterable[TableRow],
    options: ImportOptions,
    *,
    stack: ExitStack,
    now: datetime | None = None,
) -> RejectFile | None:
    """Checks every row; `stack` closes the files that it opens."""
    stack.enter_context(closing(checker.facts))
    reject_file = None
    if options.skip_bad is not None and (options.writes_bad_rows or not options.dry_run):
        reject_file = RejectFile(
            options.skip_bad,
            file.table.header,
            file.table.separator,
            adds_line=checker.key_field not in checker.mapping.sources,
        )
        stack.callback(reject_file.discard)
    checker.notes |= dict.fromkeys(file.table.notes)
    checker.check(
        rows,
        now=datetime_to_instant(now or datetime.now(UTC)),
        reject=reject_file.add if reject_file else _ignore,
    )
    checker.notes |= file.dates.notes
    return reject_file


def _ignore(row: TableRow, problems: Sequence[FieldProblem]) -> None:
    """Ignores a bad row, which the report lists anyway."""


def _make_report(
    checker: RowChecker, options: ImportOptions, mapping: ColumnMapping
) -> ImportReport:
    # A file without a single good row was misunderstood, so its rows are not skipped.
    skipping = options.skip_bad is not None and checker.counts.wrong < checker.counts.rows
    return ImportReport(
        batch=checker.batch_name,
        generation=checker.generation,
        dry_run=options.dry_run,
        ok=skipping or not checker.problems.count,
        columns=mapping.columns,
        constants=mapping.constants,
        unused=mapping.unused_columns,
        counts=checker.counts,
        notes=tuple(checker.notes),
        errors=tuple(checker.problems.first_problems),
        error_count=checker.problems.count,
        set_aside=str(options.skip_bad) if skipping and checker.problems.count else "",
    )


def _record_unless_dry(
    client: Client,
    checker: RowChecker,
    report: ImportReport,
    reject_file: RejectFile | None,
    progress: SendProgress | None,
) -> ImportReport:
    if report.dry_run and reject_file is not None and report.error_count:
        reject_file.publish()
    if report.dry_run or not report.ok:
        return report
    if len(checker.facts):
        report = _record(client, checker, report, progress)
    if reject_file is not None and report.set_aside and report.ok:
        reject_file.publish()
    return report


def _record(
    client: Client, checker: RowChecker, report: ImportReport, progress: SendProgress | None
) -> ImportReport:
    facts = (event for _, event in checker.facts)
    try:
        result = send_facts(
            client, facts, total=len(checker.facts), remedy=_AGAIN, progress=progress
        )
    except FactRefusedError as error:
        return _with_refusal(checker, report, error)
    return replace(
        report,
        acknowledged=result.count,
        position=result.position,
        notes=(*report.notes, result.note) if result.note else report.notes,
        interrupted=result.interrupted,
    )


def _with_refusal(
    checker: RowChecker, report: ImportReport, error: FactRefusedError
) -> ImportReport:
    """Adds the server's violations by row of the file instead of by position in a request."""
    acknowledged = error.acknowledged
    for violation in error.field_violations:
        line, path = 0, violation.field
        if match := _VIOLATION.fullmatch(path):
            place, path = acknowledged + int(match[1]), match[2]
            line, _ = next(islice(checker.facts, place, None))
        checker.problems.add(
            line,
            FieldProblem(find_file_field(path, checker.mapping.sources), "", violation.description),
        )
    note = (
        f"{format_count(acknowledged, 'fact', 'was')} recorded before the server refused a row. "
        "Fix it and import the file again: nothing is recorded twice."
    )
    return replace(
        report,
        ok=False,
        acknowledged=acknowledged,
        notes=(*report.notes, note) if acknowledged else report.notes,
        errors=tuple(checker.problems.first_problems),
        error_count=checker.problems.count,
        set_aside="",
    )
