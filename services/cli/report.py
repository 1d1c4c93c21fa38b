"""`report`: one HTML file for a board, from answers at one position."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mutua.v1.analysis_service_pb2 import Period
from mutua.v1.query_service_pb2 import Question
from services.cli.analysis_options import SEED_OPTION, WHERE_OPTION
from services.cli.connection import GlobalOptions, open_client, warn_if_empty
from services.cli.output import show_progress, write_text
from services.cli.parameters import EnumChoice, words_by_number
from services.cli.question_options import takes_filters
from services.cli.question_view import resolve_names
from services.exports.export_file import STDOUT

if TYPE_CHECKING:
    from services.report.answers import ReportAnswers
    from services.report.flows import BarOrder


@click.command()
@takes_filters
@WHERE_OPTION
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    required=True,
    metavar="FILE.html",
    help="The file to write; one that is there is replaced. - is stdout.",
)
@click.option("--title", default="", help="Title; default the programme.")
@click.option(
    "--by",
    "period",
    type=EnumChoice(Period.items()),
    help="Periods of the trend; default the shortest with enough exchanges.",
)
@click.option(
    "--bars",
    "bar_order",
    type=click.Choice(["name", "amount"]),
    default="name",
    show_default=True,
    help="Order of the bars of given and received.",
)
@SEED_OPTION
def report(
    global_options: GlobalOptions,
    question: Question,
    *,
    out: Path,
    title: str,
    period: int | None,
    bar_order: "BarOrder",
    seed: int,
) -> None:
    """Write a report for a board.

    One HTML file without scripts that prints on A4: is the exchange mutual, who shares with whom,
    given and received, how it returns, over time, one-sided pairs, who may need attention, and the
    methods behind each number. All of it is of one position.

    \b
    Examples:
      mutua report --out report.html
      mutua report --out 2026-q2.html --from 2026-04 --to 2026-07 --title "Second quarter"
      mutua report --out north.html --where region=North --lens burden --bars amount
    """
    from services.report.page import render_page
    from services.report.report import build_report

    answers = _ask(global_options, question, words_by_number(Period.items()).get(period or 0), seed)
    page = render_page(build_report(answers, bar_order=bar_order), title=title)
    write_text(out, page)
    written = "stdout" if out == STDOUT else str(out)
    show_progress(f"Written: {written}, of position {answers.position}.", is_last=True)


def _ask(
    global_options: GlobalOptions, question: Question, period: str | None, seed: int
) -> "ReportAnswers":
    from services.report.answers import ask_report

    with open_client(global_options, write=False, purpose="mutua report") as client:
        unknown = resolve_names(client, question, {}, (), global_options.command)
        if unknown.is_all:
            raise unknown.to_error()
        unknown.warn()
        answers = ask_report(client, question, period=period or "", seed=seed, progress=_show)
        if not answers.balances:
            warn_if_empty(global_options, client.get_status())
    return answers


def _show(name: str, done: int, total: int) -> None:
    show_progress(f"Asking for {name}: {done} of {total}", is_last=False)
