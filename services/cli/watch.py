"""`watch`: follows an answer while facts are recorded, with a line for each change."""

import json
from collections.abc import Callable
from typing import Any, Final

import click

from mutua import Client
from mutua.v1.query_service_pb2 import Exchange, Question
from mutua.watch import Watch, Watches
from mutua.watch_state import AnswerChange
from mutua.watched_rows import WATCHED_ROWS
from services.cli.analysis_options import HALF_LIFE_OPTION, SEED_OPTION, WHERE_OPTION
from services.cli.common_options import FORMAT_OPTION
from services.cli.connection import GlobalOptions, open_client
from services.cli.organization_names import CommandLineDirectory
from services.cli.output import to_dictionary
from services.cli.question_options import takes_filters
from services.cli.question_view import resolve_names
from services.cli.watch_sentences import (
    DESCRIBE,
    SentenceContext,
    describe_first,
    describe_removed,
)
from services.notation.exchange_cells import current_revision

_TIME: Final = "%Y-%m-%d %H:%M:%S"


@click.group()
def watch() -> None:
    """Follow an answer while facts are recorded.

    Each change is a line, or with --format json an object on a line. The first has every row. A
    watch continues when a server restarts, until Ctrl-C.

    \b
    Examples:
      mutua watch balances
      mutua watch network --from 2026-01 --format json
      mutua watch status
    """


@watch.command()
@takes_filters
@HALF_LIFE_OPTION
@FORMAT_OPTION
def balances(global_options: GlobalOptions, question: Question, form: str) -> None:
    """Follow what organizations gave and received.

    \b
    Examples:
      mutua watch balances
      mutua watch balances --lens burden --organization Thornwick
    """
    _follow("WatchBalances", global_options, question, form)


@watch.command()
@takes_filters
@FORMAT_OPTION
def pairs(global_options: GlobalOptions, question: Question, form: str) -> None:
    """Follow giving and receiving in each pair.

    \b
    Examples:
      mutua watch pairs
      mutua watch pairs --organization Thornwick --format json
    """
    _follow("WatchPairs", global_options, question, form)


@watch.command()
@takes_filters
@FORMAT_OPTION
def network(global_options: GlobalOptions, question: Question, form: str) -> None:
    """Follow who gives to whom.

    \b
    Examples:
      mutua watch network
      mutua watch network --kind call --format json
    """
    _follow("WatchNetwork", global_options, question, form)


@watch.command()
@takes_filters
@click.option(
    "--after",
    "after_position",
    default="",
    metavar="POSITION",
    help="Begin after this position of an answer; default now.",
)
@FORMAT_OPTION
def exchanges(
    global_options: GlobalOptions, question: Question, form: str, after_position: str
) -> None:
    """Follow exchanges as they are recorded.

    Corrected and retracted ones are shown again.

    \b
    Examples:
      mutua watch exchanges
      mutua watch exchanges --kind visit --format json
    """
    _follow("WatchExchanges", global_options, question, form, after_position=after_position)


@watch.command()
@takes_filters
@WHERE_OPTION
@SEED_OPTION
@click.option(
    "--by",
    type=click.Choice(["month", "quarter", "year"]),
    help="One row for each month, quarter or year of the window.",
)
@FORMAT_OPTION
def reciprocity(
    global_options: GlobalOptions, question: Question, form: str, seed: int, by: str | None
) -> None:
    """Follow how mutual the exchange is.

    \b
    Examples:
      mutua watch reciprocity
      mutua watch reciprocity --by year
    """
    _follow("WatchReciprocity", global_options, question, form, seed=seed, by=by or "")


@watch.command()
@FORMAT_OPTION
@click.pass_obj
def status(global_options: GlobalOptions, form: str) -> None:
    """Follow progress and counts of records.

    \b
    Examples:
      mutua watch status
      mutua watch status --format json
    """
    _follow("WatchStatus", global_options, Question(), form)


_BEGIN: Final[dict[str, Callable[..., Watch[Any]]]] = {
    "WatchBalances": Watches.balances,
    "WatchPairs": Watches.pairs,
    "WatchNetwork": Watches.network,
    "WatchExchanges": Watches.exchanges,
    "WatchReciprocity": Watches.reciprocity,
    "WatchStatus": lambda watches, _: watches.status(),
}
"""The client's method for a watch; it takes the question."""


def _follow(
    rpc: str, global_options: GlobalOptions, question: Question, form: str, **filters: Any
) -> None:
    """Shows a watch until it is interrupted. Raises MutuaError when it cannot go on."""
    # It lasts, so it must not hold the directory against a server that is starting again.
    with open_client(
        global_options, write=False, purpose="mutua watch", takes_over=False
    ) as client:
        resolve_names(client, question, {}, (), global_options.command).warn()
        sentences = _Sentences(client, question)
        with _BEGIN[rpc](client.watch, question, **filters) as changes:
            for change in changes:
                if form == "json":
                    click.echo(json.dumps(_to_document(rpc, change), ensure_ascii=False))
                else:
                    sentences.show(change)


def _to_document(rpc: str, change: AnswerChange[Any]) -> dict[str, Any]:
    """A change under the names of the contract."""
    document: dict[str, Any] = {"event": "snapshot" if change.is_first else "delta"}
    for watched in WATCHED_ROWS[rpc]:
        if not watched.key_fields:
            document[watched.field] = to_dictionary(change.rows[0]) if change.rows else None
            continue
        for field, rows in ((watched.field, change.rows), (watched.removed_field, change.removed)):
            document[field] = [
                to_dictionary(row) for row in rows if isinstance(row, watched.row_type)
            ]
    document["position"] = change.position
    document["time"] = change.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return document | to_dictionary(change.basis)


class _Sentences:
    """Writes changes as sentences, with the names that organizations have at that time."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client = client
        self._lens = question.lens
        self._directory = CommandLineDirectory(client.list_organizations())

    def show(self, change: AnswerChange[Any]) -> None:
        """Writes a line for each row; for the first change, how many rows there are."""
        time = f"{change.time:{_TIME}}"
        if change.is_first and len(change.rows) != 1:
            click.echo(f"{time}  {describe_first(change.rows)}")
            return
        self._update_names(change)
        context = SentenceContext(self._directory, self._lens)
        for row, before in zip(change.rows, change.replaced, strict=True):
            click.echo(f"{time}  {DESCRIBE[type(row)](row, before, context)}")
        for row in change.removed:
            click.echo(f"{time}  {describe_removed(row, context)}")

    def _update_names(self, change: AnswerChange[Any]) -> None:
        """Asks for the names again if a row has an organization that is not known yet."""
        ids = {
            getattr(row, field)
            for row in change.rows
            for field in ("organization_id", "giver_id", "receiver_id")
            if field in row.DESCRIPTOR.fields_by_name
        }
        for row in change.rows:
            if isinstance(row, Exchange):
                content = current_revision(row).content
                ids.update(content.giver_ids, content.receiver_ids, content.party_ids)
        if any(self._directory.get(each) is None for each in ids):
            self._directory = CommandLineDirectory(self._client.list_organizations())
