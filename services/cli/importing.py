"""`import`: files of people, through the ingest service."""

import reprlib
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from services.cli.connect import Settings, connected
from services.cli.output import Column, show_progress, to_json, to_table
from services.cli.parameters import Parsed
from services.cli.recording import FORMAT
from services.cli.words import counted

if TYPE_CHECKING:
    from services.imports import ImportReport, RowError


@click.group("import")
def import_files() -> None:
    """Record what stands in a CSV file; the same file again records nothing twice."""


def parse_assignment(typed: str) -> tuple[str, str]:
    """Reads left=right. Raises ValueError without an equals sign."""
    left, equals, right = typed.partition("=")
    if not left or not equals:
        raise ValueError(f"{typed!r} is no assignment: type it like left=right.")
    return left, right


ASSIGNMENT: Final = Parsed("field=text", parse_assignment)
OPTIONS: Final = (
    click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False)),
    click.option(
        "--map",
        type=ASSIGNMENT,
        multiple=True,
        metavar="FIELD=COLUMN",
        help="Which column is a field; without it guessed from the names.",
    ),
    click.option(
        "--set",
        type=ASSIGNMENT,
        multiple=True,
        metavar="FIELD=VALUE",
        help="The same value of a field for every row.",
    ),
    click.option("--batch", default="", help="Name of the import; default that of the file."),
    click.option("--dry-run", is_flag=True, help="Check and tell; record nothing."),
    FORMAT,
)


OUTCOMES: Final = {
    "recorded": "{would}recorded",
    "corrected": "{would}recorded as a change of what stands",
    "unchanged": "stand already",
    "retracted_earlier": "were retracted earlier and stay so",
    "skipped": "{would}skipped: another row says the same",
    "missing": "of an earlier file are not in this one; they stay as they are",
}
ERROR_COLUMNS: Final[tuple["Column[RowError]", ...]] = (
    Column("line", lambda error: f"{error.row:,}" if error.row else "", True),
    Column("rows", lambda error: f"{error.row_count:,}", True),
    Column("field", lambda error: error.field),
    Column("value", lambda error: reprlib.repr(error.value) if error.value else ""),
    Column("what to mend", lambda error: error.message),
)


def takes_file(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the file and the options of every import."""
    for option in reversed(OPTIONS):
        command = option(command)
    return click.pass_obj(command)


@import_files.command()
@click.option(
    "--kind-map",
    type=ASSIGNMENT,
    multiple=True,
    metavar="WORD=KIND",
    help="The kind that a word of the file means.",
)
@takes_file
def exchanges(settings: Settings, file: Path, form: str, **options: Any) -> None:
    """Import exchanges.

    \b
    Fields: reference occur_time report_time giver receiver kind formality topics
    giver_minutes receiver_minutes benefit_minutes reported_by note
    \b
    Examples:
      mutua import exchanges visits.csv --dry-run
      mutua import exchanges visits.csv.gz --map giver=host --set kind=visit
      mutua import exchanges calls.csv --kind-map "phone call=call" --batch calls-2026
    """
    from services.imports import import_exchanges

    _import(import_exchanges, settings, file, form, options)


@import_files.command()
@takes_file
def organizations(settings: Settings, file: Path, form: str, **options: Any) -> None:
    """Import the roster: a new id is registered, a changed row updates.

    \b
    Fields: organization_id name aliases type sector region core_system strategic_group
    size role external_ids open_date close_date
    \b
    Examples:
      mutua import organizations roster.csv --dry-run
      mutua import organizations trusts.csv --map organization_id=Code --set type=acute
    """
    from services.imports import import_organizations

    _import(import_organizations, settings, file, form, options)


def _import(
    import_file: Callable[..., "ImportReport"],
    settings: Settings,
    file: Path,
    form: str,
    options: dict[str, Any],
) -> None:
    from services.imports import ImportInterrupted, ImportOptions, ImportRefused

    chosen = ImportOptions(
        **{name: dict(v) if isinstance(v, tuple) else v for name, v in options.items()}
    )
    try:
        with connected(settings, write=True, purpose="mutua import") as client:
            report = import_file(client, file, chosen, progress=_show_progress)
    except ImportRefused as error:
        raise click.ClickException(str(error)) from error
    except ImportInterrupted as error:
        raise (click.Abort if error.by_user else click.ClickException)(str(error)) from error
    if form == "json":
        click.echo(to_json(asdict(report)))
    else:
        for line in _told(report, settings):
            click.echo(line)
    if report.interrupted:
        raise click.Abort(report.notes[-1])
    if report.errors:
        click.get_current_context().exit(1)


def _show_progress(recorded: int, total: int) -> None:
    show_progress(f"{recorded:,} of {total:,} facts recorded", is_last=recorded == total)


def _told(report: "ImportReport", settings: Settings) -> Iterable[str]:
    """The plan, what became of the rows, what to mend, and what to do next."""
    yield f"Batch {report.batch}: {counted(report.counts.rows, 'row')}."
    for field, column in report.columns.items():
        yield f"  {field} is column {column!r}"
    for field, value in report.constants.items():
        yield f"  {field} is always {value!r}"
    if report.unused:
        yield f"  not used: {', '.join(report.unused)}"
    yield from report.notes
    if report.errors:
        yield f"\n{to_table(report.errors, ERROR_COLUMNS)}\n"
        yield (
            f"{counted(report.error_count, 'error')}; {counted(report.acknowledged, 'fact')} "
            "recorded. Mend the file, or say with --map, --set or --kind-map how to read it."
        )
        return
    would = "would be " if report.dry_run else ""
    counts = asdict(report.counts)
    for name, words in OUTCOMES.items():
        if counts[name]:
            yield f"{counted(counts[name], 'row')} {words.format(would=would)}"
    if report.dry_run:
        yield "Nothing was recorded: type the same without --dry-run to record it."
    else:
        yield f"Next: {settings.command} balances"
