"""`mutua`: its commands, its global options, and how a run ends."""

import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from mutua import FieldViolation
from mutua import MutuaError as ClientError
from services.cli.common_options import setting_option
from services.cli.connection import GlobalOptions
from services.cli.error_report import ErrorReport, is_json_requested, list_parameters
from services.ledger.errors import MutuaError

# A command is one line here and one function there, imported when it is called.
COMMANDS: Final = {
    "up": "services.cli.server:up",
    "demo": "services.cli.demo:demo",
    "log": "services.cli.exchange_commands:log",
    "correct": "services.cli.exchange_commands:correct",
    "retract": "services.cli.exchange_commands:retract",
    "exchange": "services.cli.statements:exchange",
    "confirm": "services.cli.statements:confirm",
    "dispute": "services.cli.statements:dispute",
    "nothing-to-report": "services.cli.nothing_to_report:nothing_to_report",
    "programme": "services.cli.programme:programme",
    "import": "services.cli.file_import:import_files",
    "balances": "services.cli.question_commands:balances",
    "pairs": "services.cli.question_commands:pairs",
    "network": "services.cli.question_commands:network",
    "concentration": "services.cli.concentration:concentration",
    "reciprocity": "services.cli.reciprocity:reciprocity",
    "structure": "services.cli.structure:structure",
    "what-if": "services.cli.what_if:what_if",
    "lift": "services.cli.lift:lift",
    "latency": "services.cli.latency:latency",
    "asymmetry": "services.cli.asymmetry:asymmetry",
    "report": "services.cli.report:report",
    "exchanges": "services.cli.question_commands:exchanges",
    "watch": "services.cli.watch:watch",
    "organizations": "services.cli.question_commands:organizations",
    "organization": "services.cli.organization:organization",
    "pairings": "services.cli.pairings:pairings",
    "status": "services.cli.server:status",
    "verify": "services.cli.server:verify",
    "doctor": "services.cli.doctor:doctor",
    "rebuild": "services.cli.rebuild:rebuild",
    "quarantine": "services.cli.quarantine:quarantine",
    "export": "services.cli.log_export:export",
    "replay": "services.cli.log_export:replay",
    "backup": "services.cli.backup:backup",
    "restore": "services.cli.backup:restore",
    "topic": "services.cli.topic:topic",
    "health": "services.cli.health:health",
    "dev": "services.cli.dev:dev",
}
EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 failed, 2 not understood, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Outside standalone mode click returns the code that a command exits with, or its None.
        code = mutua.main(words, prog_name="mutua", standalone_mode=False) or 0
    except click.Abort as interruption:
        click.echo(str(interruption) or "Interrupted.", err=True)
        code = EXIT_INTERRUPTED
    except click.ClickException as error:
        _show_misuse(_with_place(error), words)
        code = error.exit_code
    except (MutuaError, ClientError, OSError) as error:
        ErrorReport.from_error(error).show(words, list_parameters(mutua, words))
        code = EXIT_FAILED
    sys.exit(code)


class LazyGroup(click.Group):
    """Lists the commands in the order of use, and imports a command's module when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["--help", "-h"]})
@setting_option("data", type=click.Path(path_type=Path, file_okay=False))
@setting_option("server")
@setting_option("programme")
@setting_option("recorded_by", "organization")
@click.version_option(package_name="mutua", message="%(prog)s %(version)s")
@click.pass_context
def mutua(
    context: click.Context, data: Path, server: str, programme: str, organization: str
) -> None:
    """Record and analyse who shares knowledge.

    \b
    Examples:
      mutua demo
      mutua log --from Thornwick --to Millbury --kind call --minutes 45
      mutua balances --lens burden --from 2026-01
      mutua --data ./programme-data up
    """
    context.obj = GlobalOptions(
        data=data,
        server=server,
        programme=programme,
        organization=organization,
        command=_as_typed(context),
    )


def _as_typed(context: click.Context) -> str:
    """`mutua` with the global options typed before the command, for hints of what to type next."""
    words = [context.info_name or "mutua"]
    for option in context.command.params:
        if option.name and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            words += [option.opts[0], shlex.quote(str(context.params[option.name]))]
    return " ".join(words)


def _with_place(error: click.ClickException) -> click.ClickException:
    """Replaces the error for a global option after the command by one that shows its place."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error
    for option in mutua.params:
        if error.option_name in option.opts and error.ctx.parent is not None:
            command = error.ctx.command_path.removeprefix("mutua ")
            value = option.make_metavar(error.ctx)
            return click.UsageError(
                f"{error.option_name} goes before the command: "
                f"mutua {error.option_name} {value} {command} ...",
                ctx=error.ctx,
            )
    return error


def _show_misuse(error: click.ClickException, words: Sequence[str]) -> None:
    message = error.format_message()
    violations: tuple[FieldViolation, ...] = ()
    if isinstance(error, click.BadParameter) and error.param is not None:
        violations = (FieldViolation(error.param.opts[0], error.message or message),)
    failure = ErrorReport(message=message, code="INVALID_ARGUMENT", violations=violations)
    if isinstance(error, click.UsageError) and not is_json_requested(words):
        error.show()  # with the usage of the command
    else:
        failure.show(words)
