"""`import`: files of people, through the ingest service."""

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import click

from services.cli.batches import list_batches, undo
from services.cli.common_options import FORMAT_OPTION, STDIN
from services.cli.connection import GlobalOptions, open_client
from services.cli.import_report import report_lines
from services.cli.import_template import template
from services.cli.organization_names import (
    CommandLineDirectory,
    shared_spelling_lines,
    unbound_lines,
)
from services.cli.output import show_progress, to_json
from services.cli.parameters import ParsedParameter
from services.ledger.wording import format_count

if TYPE_CHECKING:
    from mutua import Client
    from services.imports import (
        Doubt,
        HeaderlessError,
        ImportOptions,
        ImportReport,
        UnknownDateOrderError,
    )
    from services.notation.dates import DateOrder


class ImportGroup(click.Group):
    """Names the right command if FILE follows `import` directly."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        is_file = name == "-" or Path(name).suffix or Path(name).is_file()
        if is_file and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            command = f"{ctx.find_root().obj.command} import"
            file = shlex.quote(name)
            raise click.UsageError(
                f"type what {name} contains: {command} exchanges {file}, "
                f"{command} organizations {file} or {command} pairings {file}.",
                ctx,
            )
        return super().resolve_command(ctx, args)


@click.group("import", cls=ImportGroup)
def import_files() -> None:
    """Import a CSV file or a workbook.

    Importing the same file again records nothing twice.

    \b
    Examples:
      mutua import organizations roster.csv
      mutua import exchanges visits.xlsx --dry-run
      mutua import pairings pairings.csv
      mutua import list
      mutua import undo visits
    """


import_files.add_command(list_batches)
import_files.add_command(undo)
import_files.add_command(template)


def parse_assignment(typed: str) -> tuple[str, str]:
    """Reads left=right. Raises ValueError without an equals sign."""
    left, equals, right = typed.partition("=")
    if not left or not equals:
        raise ValueError(f"{typed!r} is no assignment: type it like left=right.")
    return left.strip(), right


def parse_word_assignment(typed: str) -> tuple[str, str]:
    """Reads left=right, where the left side is a word of the file and may have equals signs."""
    left, equals, right = typed.rpartition("=")
    if not left.strip() or not equals or not right.strip():
        raise ValueError(f'{typed!r} is no assignment: type it like "Telephone call=call".')
    return left.strip(), right.strip()


FIELD_ASSIGNMENT: Final = ParsedParameter("field=text", parse_assignment)
WORD_ASSIGNMENT: Final = ParsedParameter("word=meaning", parse_word_assignment)
IMPORT_OPTIONS: Final = (
    click.argument(
        "file",
        type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    ),
    click.option(
        "--map",
        type=FIELD_ASSIGNMENT,
        multiple=True,
        metavar="FIELD=COLUMN",
        help="Column of a field; by default guessed from the column names.",
    ),
    click.option(
        "--set",
        type=FIELD_ASSIGNMENT,
        multiple=True,
        metavar="FIELD=VALUE",
        help="Value of a field in every row.",
    ),
    click.option("--batch", default="", help="Name of the import; default the file's name."),
    click.option(
        "--sheet",
        default="",
        help="Sheet of a workbook; default the first with those columns.",
    ),
    click.option(
        "--header-row",
        type=click.IntRange(min=1),
        metavar="N",
        help="Row with the column names; default the first with the needed columns.",
    ),
    click.option(
        "--no-header",
        is_flag=True,
        help="No row has column names: give columns by number with --map FIELD=NUMBER.",
    ),
    click.option(
        "--date-order",
        type=click.Choice(["day-first", "month-first"]),
        help="Meaning of 01/02/2026; default derived from the other rows.",
    ),
    click.option(
        "--zone",
        default="",
        metavar="AREA/CITY",
        help="Zone of times without one, such as Australia/Sydney; default UTC.",
    ),
    click.option(
        "--skip-bad",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write invalid rows to FILE (.csv) and record the others.",
    ),
    click.option("--dry-run", is_flag=True, help="Check and report; record nothing."),
    FORMAT_OPTION,
)


def takes_file(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the file and the options of every import."""
    for option in reversed(IMPORT_OPTIONS):
        command = option(command)
    return click.pass_obj(command)


@import_files.command()
@click.option(
    "--kind-map",
    type=WORD_ASSIGNMENT,
    multiple=True,
    metavar="WORD=KIND",
    help='The kind that a word of the file means, such as "Telephone call=call".',
)
@click.option(
    "--topic-map",
    type=WORD_ASSIGNMENT,
    multiple=True,
    metavar="LABEL=TOPIC",
    help='The topic that a label of the file means, such as "Beds, flow=bed-management".',
)
@click.option(
    "--as-new",
    is_flag=True,
    help="Also record rows whose references are in another batch; do not ask.",
)
@click.option(
    "--names",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Organizations that names in the file mean. If FILE (.csv) does not exist, it is written "
    "with all new names, to be edited and given again.",
)
@click.option(
    "--party-separator",
    default="",
    metavar="TEXT",
    help="Additional separator of organizations in a cell, such as ','. Default only ; and |, and "
    "a question about commas between known organizations.",
)
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Also record rows if most of them change, or change parties or dates; do not ask.",
)
@click.option(
    "--accept-missing",
    is_flag=True,
    help="Also record rows without references if as many are new as are missing; do not ask.",
)
@click.option(
    "--reinstate",
    is_flag=True,
    help="Record corrected rows again if their exchange was retracted.",
)
@takes_file
def exchanges(global_options: GlobalOptions, file: Path, form: str, **options: Any) -> None:
    """Import exchanges.

    \b
    Fields: reference occur_time report_time giver receiver kind formality topics
    giver_minutes receiver_minutes benefit_minutes reported_by note
    parties replaces giver and receiver if all gave and all received
    direction (gave, received or both), organization and other replace them as well
    count: number of exchanges in the row
    \b
    Examples:
      mutua import exchanges visits.csv --dry-run
      mutua import exchanges visits.csv.gz --map giver=host --set kind=visit
      mutua import exchanges calls.xlsx --kind-map "phone call=call" --batch calls-2026
      mutua import exchanges calls.csv --skip-bad to-fix.csv
      mutua exchanges --format csv | mutua --data copy import exchanges - --batch all
      mutua import exchanges calls.csv --names names.csv --dry-run
    """
    from services.imports import import_exchanges

    def import_file(*arguments: Any, **keywords: Any) -> "ImportReport":
        is_terminal = sys.stdin.isatty()
        return import_exchanges(
            *arguments,
            **keywords,
            confirm=_confirm if is_terminal else None,
            confirm_split=_confirm_split if is_terminal else None,
        )

    _import(import_file, global_options, file, form, options)


@import_files.command()
@takes_file
def organizations(global_options: GlobalOptions, file: Path, form: str, **options: Any) -> None:
    """Import the roster.

    A new id registers an organization; a changed row updates it.

    \b
    Fields: organization_id name aliases type sector region core_system strategic_group
    size role external_ids open_date close_date
    \b
    Examples:
      mutua import organizations roster.csv --dry-run
      mutua import organizations trusts.csv --map organization_id=Code --set type=acute
      mutua import organizations programme.xlsx --sheet Trusts
    """
    from services.imports import import_organizations

    unbound: list[str] = []
    sharing: list[str] = []

    def import_file(client: "Client", *arguments: Any, **keywords: Any) -> "ImportReport":
        report = import_organizations(client, *arguments, **keywords)
        if report.acknowledged:
            directory = CommandLineDirectory(client.list_organizations())
            unbound.extend(unbound_lines(directory, global_options.command))
            sharing.extend(shared_spelling_lines(directory))
        return report

    _import(import_file, global_options, file, form, options)
    if form == "json":
        return
    for line in sharing:
        click.echo(line)
    if unbound:
        click.echo("Ids that were recorded before are not bound to the roster:")
        click.echo("\n".join(unbound))


@import_files.command()
@takes_file
def pairings(global_options: GlobalOptions, file: Path, form: str, **options: Any) -> None:
    """Import pairings.

    A row binds two organizations from from_date up to to_date, without that day; it replaces an
    earlier row of the same two and the same from_date.

    \b
    Fields: a b from_date to_date
    chosen_by (themselves or centre)
    \b
    Examples:
      mutua import pairings pairings.csv --dry-run
      mutua import pairings pairings.csv --map a=exemplar --map b=follower
    """
    from services.imports import import_pairings

    _import(import_pairings, global_options, file, form, options)


def _import(
    import_file: Callable[..., "ImportReport"],
    global_options: GlobalOptions,
    file: Path,
    form: str,
    options: dict[str, Any],
) -> None:
    from services.imports import ImportInterruptedError, ImportOptions, ImportRefusedError

    if options["no_header"] and options["header_row"]:
        raise click.UsageError("--no-header and --header-row: leave one of them out.")
    keywords: dict[str, Any] = {
        name: dict(value) if isinstance(value, tuple) else value for name, value in options.items()
    }
    import_options = ImportOptions(**keywords)
    if file == STDIN and not options["batch"]:
        raise click.UsageError(
            "Standard input has no name that could name its batch: add --batch NAME."
        )
    try:
        with (
            _named_file(file) as path,
            open_client(global_options, write=True, purpose="mutua import") as client,
        ):
            report = _run(import_file, client, path, import_options)
    except ImportRefusedError as error:
        raise click.ClickException(str(error)) from error
    except ImportInterruptedError as error:
        raise (click.Abort if error.by_user else click.ClickException)(str(error)) from error
    if form == "json":
        click.echo(to_json(asdict(report)))
    else:
        for line in report_lines(report, global_options, file):
            click.echo(line)
    if report.interrupted:
        raise click.Abort(report.notes[-1])
    if not report.ok:
        click.get_current_context().exit(1)


@contextmanager
def _named_file(file: Path) -> Iterator[Path]:
    """The file itself; standard input, which is read more than once, as a CSV file of its own."""
    if file != STDIN:
        yield file
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "standard input.csv"
        with path.open("wb") as copy:
            shutil.copyfileobj(click.get_binary_stream("stdin"), copy)
        yield path


def _run(
    import_file: Callable[..., "ImportReport"],
    client: "Client",
    file: Path,
    options: "ImportOptions",
) -> "ImportReport":
    """Imports the file, after a question on a terminal for each thing that the file leaves open."""
    from services.imports import HeaderlessError, UnknownDateOrderError

    run = partial(import_file, client, file, progress=_show_progress, on_checked=_show_checked)
    try:
        return run(options)
    except HeaderlessError as error:
        options = replace(options, no_header=True, map=_ask_without_header(error))
    except UnknownDateOrderError as error:
        options = replace(options, date_order=_ask_date_order(error))
    return _run(import_file, client, file, options)


def _ask_without_header(error: "HeaderlessError") -> dict[str, str]:
    """The columns by number; raises the error unless somebody agrees on a terminal."""
    if not (error.is_complete and sys.stdin.isatty()):
        raise error
    click.echo(error.question, err=True)
    if not click.confirm(f"Import all its rows, with {error.remedy}?", err=True):
        raise error
    return error.column_by_field


def _ask_date_order(error: "UnknownDateOrderError") -> "DateOrder":
    """Asks on a terminal; elsewhere raises the error."""
    if not sys.stdin.isatty():
        raise error
    click.echo(str(error), err=True)
    order: DateOrder = click.prompt(
        "What comes first?", type=click.Choice(["day-first", "month-first"]), err=True
    )
    return order


def _show_checked(count: int) -> None:
    show_progress(f"{format_count(count, 'row')} checked", is_last=False)


def _show_progress(recorded: int, total: int) -> None:
    show_progress(
        f"{recorded:,} of {format_count(total, 'fact')} recorded", is_last=recorded == total
    )


def _confirm(doubt: "Doubt") -> bool:
    for line in (doubt.statement, *doubt.format_changes(), doubt.remedy):
        click.echo(line, err=True)
    return click.confirm(doubt.question, err=True)


def _confirm_split(cell: str, labels: list[str]) -> bool:
    click.echo(f"{cell!r} may be several organizations: {'; '.join(labels)}.", err=True)
    return click.confirm("Do commas separate organizations in this file?", err=True)
