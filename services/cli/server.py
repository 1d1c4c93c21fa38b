"""`up`, `status` and `verify`: a server, how far it is, and whether its tables are right."""

import sys
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import click

from mutua.host_port import parse_host_port
from services.adapters.telemetry.logs import LogFormat, LogLevel, configure_logging
from services.cli.common_options import FORMAT_OPTION, setting_option
from services.cli.connection import GlobalOptions, open_client, require_directory, warn_if_empty
from services.cli.messages import coverage_lines, warning_lines
from services.cli.organization_names import UNBOUND_NAMES, CommandLineDirectory, unbound_lines
from services.cli.output import show_progress, to_dictionary, to_json
from services.ledger.wording import format_count

if TYPE_CHECKING:
    from services.projector.verification import VerifyReport


@click.command()
@setting_option("listen")
@setting_option("http_listen", default="127.0.0.1:7421", show_default=True)
@setting_option("http_origins")
@setting_option("metrics_listen")
@setting_option("log_format")
@setting_option("log_level")
@click.option("--open", "opens_browser", is_flag=True, help="Open the dashboard in a browser.")
@click.pass_obj
def up(
    global_options: GlobalOptions,
    listen: str,
    http_listen: str,
    http_origins: str,
    metrics_listen: str,
    log_format: LogFormat,
    log_level: LogLevel,
    *,
    opens_browser: bool,
) -> None:
    """Serve the data directory.

    The server runs until Ctrl-C or SIGTERM.

    \b
    Examples:
      mutua up --open
      mutua --data ./programme-data up --listen 0.0.0.0:7420
      mutua up --http-listen 127.0.0.1:0
      mutua up --metrics-listen 127.0.0.1:7422
    """
    from services.adapters.http.loopback import check_loopback
    from services.adapters.http.origins import parse_origins
    from services.app.bootstrap import EmbeddedServer, serve
    from services.app.http import HttpSettings

    _require("--listen", listen, parse_host_port)
    _require("--http-listen", http_listen, check_loopback)
    _require("--http-origins", http_origins, parse_origins)
    _require("--metrics-listen", metrics_listen, parse_host_port)
    if opens_browser and not http_listen:
        raise click.UsageError("--open shows a page, which needs --http-listen HOST:PORT.")
    configure_logging(log_format=log_format, level=log_level)

    def on_ready(server: EmbeddedServer) -> None:
        click.echo(f"mutua is ready on {server.address}")
        if server.http_address:
            click.echo(f"open http://{server.http_address}/ in a browser", err=True)
        if opens_browser:
            webbrowser.open(f"http://{server.http_address}/")

    code = serve(
        global_options.data,
        listen=listen,
        http=HttpSettings(listen=http_listen, origins=parse_origins(http_origins)),
        metrics_listen=metrics_listen,
        on_ready=on_ready,
    )
    sys.exit(code)


def _require(option: str, value: str, parse: Callable[[str], object]) -> None:
    """Raises UsageError for a value that cannot be parsed; "" is none."""
    if not value:
        return
    try:
        parse(value)
    except ValueError as error:
        raise click.UsageError(f"{option} {value}: {error}.") from None


@click.command()
@FORMAT_OPTION
@click.pass_obj
def status(global_options: GlobalOptions, form: str) -> None:
    """Show progress and counts of records.

    Lag, holds and the quarantine show which facts answers do not include.

    \b
    Examples:
      mutua status
      mutua status --format json
    """
    with open_client(global_options, write=False, purpose="mutua status") as client:
        answer = client.get_status()
        warn_if_empty(global_options, answer)
        unbound = []
        if form != "json" and UNBOUND_NAMES in answer.warnings:
            unbound = unbound_lines(
                CommandLineDirectory(client.list_organizations()), global_options.command
            )
    if form == "json":
        click.echo(to_json(to_dictionary(answer)))
        return
    for line in (
        format_count(answer.fact_count, "fact"),
        format_count(answer.exchange_count, "standing exchange"),
        format_count(answer.organization_count, "organization"),
        f"{format_count(answer.lag_count, 'fact')} on the log that answers do not show yet",
        format_count(answer.waiting_count, "waiting fact"),
        f"{format_count(answer.quarantine_count, 'fact')} that can never apply",
    ):
        count, _, words = line.partition(" ")
        click.echo(f"{count:>9} {words}")
    for held in answer.held:
        click.echo(f"Answers stop at {held.position}: {held.reason}.")
    warnings = warning_lines(answer.warnings, global_options.command)
    for line in (*coverage_lines(answer.coverage), *warnings, *unbound):
        click.echo(line)
    click.echo(f"The log ends at {answer.log_position}; answers are as of {answer.position}.")
    click.echo(f"The read models are of version {answer.model_version}.")


@click.command()
@FORMAT_OPTION
@click.pass_obj
def verify(global_options: GlobalOptions, form: str) -> None:
    """Compare the read models with the log.

    Folds the whole log again and compares every table with the result. Exits 1 on any difference.

    \b
    Examples:
      mutua verify
      mutua --data ./programme-data verify --format json
    """
    from services.app.data_maintenance import verify as verify_data

    require_directory(global_options, "mutua verify")
    show_report_and_exit(
        verify_data(global_options.data, progress=show_verification_progress), form
    )


def show_verification_progress(what: str, done: int, total: int) -> None:
    """On a terminal only: who is not watching wants the outcome."""
    if sys.stderr.isatty():
        show_progress(f"{done:,} of {total:,} {what}", is_last=done == total)


def show_report_and_exit(report: "VerifyReport", form: str) -> NoReturn:
    """Tells what was compared, and exits: 1 on any difference."""
    if form == "json":
        document = {
            "ok": report.ok,
            "fact_count": report.fact_count,
            "differences": list(report.differences),
        }
        click.echo(to_json(document))
    elif report.ok:
        why = f": {report.hold_reason}" if report.hold_reason else " yet"
        beyond = f"; {format_count(report.unprojected_count, 'more fact', 'is')} not projected{why}"
        click.echo(
            "ok: "
            f"{format_count(report.fact_count, 'fact')}{beyond * (report.unprojected_count > 0)}"
        )
    else:
        for difference in report.differences:
            click.echo(difference)
    sys.exit(0 if report.ok else 1)
