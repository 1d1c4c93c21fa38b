"""Measures questions of one caller through a server, and the columns that answer them.

The organizations of a generated programme are merged into 300, so that nearly every two of them
have a tie: the worst case for pairs.
"""

import sqlite3
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import grpc

from mutua.v1 import query_service_pb2 as pb
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2_grpc import QueryServiceStub
from mutua.v1.types_pb2 import FORMALITY_INFORMAL, ExchangeKind
from services.adapters.sqlite.data_directory import DataDirectory
from services.adapters.sqlite.log import SqliteLog
from services.adapters.sqlite.store import SqliteStore
from services.app.data_maintenance import rebuild
from services.demo.programme import generate
from services.ledger.enums import Identity
from services.ledger.times import day_to_date
from services.network.columns import EMPTY, Columns, advance
from services.network.identity_view import IdentityView
from services.projector.slab import project_slab
from tests.bench.commands import run_server
from tests.bench.figure import Figure, measure_median_seconds, measure_seconds
from tests.strategies import as_date

FACTS = 1_000_000
ORGANIZATIONS = 300
SLAB = 1_000
SLABS = 9
PAGE = 10_000
CALLS = 100
PROGRAMME = "default"


def measure() -> Iterator[Figure]:
    facts = _facts()
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        with closing(SqliteLog(data / "log.sqlite")) as log:
            while page := list(islice(facts, min(PAGE, FACTS - log.end()))):
                log.append(PROGRAMME, page).result()
        rebuild(data, on_progress=lambda *_: None)
        path = DataDirectory(data).active_read_models
        assert path is not None
        with closing(SqliteStore(path, read_only=True)) as store:
            yield Figure(
                f"loading the columns of {FACTS:,} facts, seen as now",
                measure_median_seconds(
                    lambda: IdentityView(_advance_columns(store, EMPTY), Identity.AS_NOW)
                ),
                "s",
                measure_median_seconds(lambda: _read_rows(path)),
                "reading the rows alone, by sqlite3",
            )
            columns = _advance_columns(store, EMPTY)
        with run_server(data) as address, grpc.insecure_channel(address) as channel:
            yield from _measure_questions(QueryServiceStub(channel), columns)
        yield _measure_advance(data, path, facts)


def _facts() -> Iterator[bytes]:
    """Yields serialized records without end."""
    for seed in count(2021):
        for recording in generate(seed=seed, scale=FACTS // 560, programme=PROGRAMME):
            for event in recording.events:
                if event.WhichOneof("fact") != "organization_registered":
                    yield _merge_organizations(event).SerializeToString(deterministic=True)


def _merge_organizations(event: Event) -> Event:
    """Returns the fact with merged organizations; a giver to itself gives to another one."""
    merged = Event()
    merged.CopyFrom(event)
    fact = event.WhichOneof("fact")
    if fact != "exchange_retracted":
        content = getattr(merged, fact or "").exchange
        givers = {_merged_id(organization_id) for organization_id in content.giver_ids}
        receivers = {
            _merged_id(organization_id) for organization_id in content.receiver_ids
        } - givers
        parties = {_merged_id(organization_id) for organization_id in content.party_ids}
        for ids, reduced_ids, minimum in (
            (content.giver_ids, givers, 0),
            (content.receiver_ids, receivers, 1 if givers else 0),
            (content.party_ids, parties, 2 if parties else 0),
        ):
            others = (f"org-{number:03}" for number in count(1) if number < ORGANIZATIONS)
            while len(reduced_ids) < minimum:
                reduced_ids |= {next(others)} - givers
            ids[:] = sorted(reduced_ids)
    return merged


def _merged_id(organization_id: str) -> str:
    return f"org-{zlib.crc32(organization_id.encode()) % ORGANIZATIONS:03}"


def _advance_columns(store: SqliteStore, columns: Columns) -> Columns:
    with store.open_snapshot(0) as snapshot:
        return advance(
            columns,
            snapshot.read_flow_rows(PROGRAMME, columns.watermark),
            snapshot.read_next_offset(),
        )


def _read_rows(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "SELECT exchange, first_day, end_day, kind, formality, reported_by, symmetric, "
            "topic_set, recorder, giver_minutes, receiver_minutes, benefit_minutes FROM exchange "
            "WHERE to_offset IS NULL AND state <> 3"
        ).fetchall()
        connection.execute("SELECT exchange, giver, receiver FROM leg").fetchall()
        connection.execute("SELECT exchange, party FROM joint_party").fetchall()


def _measure_advance(data: Path, path: Path, facts: Iterator[bytes]) -> Figure:
    with closing(SqliteLog(data / "log.sqlite")) as log, closing(SqliteStore(path)) as store:
        frame = IdentityView(_advance_columns(store, EMPTY), Identity.AS_NOW)
        advance_seconds, read_seconds = [], []
        for _ in range(SLABS):
            log.append(PROGRAMME, list(islice(facts, SLAB))).result()
            project_slab(store, log.log_id, log.read(frame.columns.next_offset, SLAB))
            with store.open_snapshot(0) as snapshot:
                read_seconds.append(
                    measure_seconds(
                        partial(snapshot.read_flow_rows, PROGRAMME, frame.columns.watermark)
                    )
                )
            start = time.perf_counter()
            frame = IdentityView(_advance_columns(store, frame.columns), Identity.AS_NOW, frame)
            advance_seconds.append(time.perf_counter() - start)
    return Figure(
        f"advancing them by {SLAB:,} facts",
        statistics.median(advance_seconds),
        "s",
        statistics.median(read_seconds),
        "reading the new rows alone",
    )


@dataclass(frozen=True, slots=True)
class _SqlQuestion:
    """A question with its SQL: a condition, and the expression to add up."""

    question: pb.Question
    condition: str
    amount: str = "1"


def _measure_questions(stub: QueryServiceStub, columns: Columns) -> Iterator[Figure]:
    first, last = columns.day_range
    questions = [_question(number, first, last) for number in range(2 * CALLS)]
    database = _duckdb(columns)
    stub.ListBalances(pb.ListBalancesRequest(question=questions[0].question))  # loads the columns

    for what, request, call, sql in _list_questions(stub):
        requests = [request(question=question.question, page_size=PAGE) for question in questions]
        statements = [
            sql.format(condition=question.condition, amount=question.amount)
            for question in questions
        ]
        first_page = _p99(partial(call, page_request) for page_request in requests[:CALLS])
        all_pages = _p99(
            partial(_all_pages, call, page_request) for page_request in requests[CALLS:]
        )
        limit = _p99(partial(_all_rows, database, statement) for statement in statements[:CALLS])
        for pages, value in ((f"first page of {PAGE:,}", first_page), ("all pages", all_pages)):
            yield Figure(
                f"{what} of {ORGANIZATIONS} organizations, any filter, {pages}, p99",
                value,
                "s",
                limit,
                "DuckDB on the same rows, all of them, in its own process",
            )


def _list_questions(stub: QueryServiceStub) -> Iterator[tuple[str, Any, Any, str]]:
    """Yields a name, the request type, the call and the equivalent SQL."""
    yield "balances", pb.ListBalancesRequest, stub.ListBalances, _BALANCES
    yield "all pairs", pb.ListPairsRequest, stub.ListPairs, _PAIRS
    yield "network", pb.GetNetworkRequest, stub.GetNetwork, _EDGES


def _p99(calls: Iterable[Callable[[], object]]) -> float:
    durations = sorted(measure_seconds(call) for call in calls)
    return durations[-1 - len(durations) // 100]


def _all_pages(call: Callable[[Any], Any], request: Any) -> None:
    while token := call(request).next_page_token:
        request.page_token = token


def _all_rows(database: Any, statement: str) -> None:
    database.execute(statement).fetchall()


def _question(number: int, first: int, last: int) -> _SqlQuestion:
    """Returns a different question for every number, so that no answer is cached."""
    from_day = day_to_date(first) + timedelta(days=number)
    to_day = day_to_date(last) - timedelta(days=number)
    days = f"day >= {first + number} AND day < {last - number}"
    question = pb.Question(
        programme_id=PROGRAMME, from_date=as_date(from_day), to_date=as_date(to_day)
    )
    match number % 4:
        case 0:
            return _SqlQuestion(question, days)
        case 1:
            question.lens = pb.LENS_BURDEN
            return _SqlQuestion(question, days, "burden")
        case 2:
            question.lens = pb.LENS_BENEFIT
            question.formalities.append(FORMALITY_INFORMAL)
            return _SqlQuestion(
                question, f"{days} AND formality = {FORMALITY_INFORMAL:d}", "benefit"
            )
        case _:
            kind = ExchangeKind.ValueType(number % 7 + 1)
            question.kinds.append(kind)
            return _SqlQuestion(question, f"{days} AND kind = {kind:d}")


def _duckdb(columns: Columns) -> Any:
    """Loads the legs into one table, with columns of their exchanges."""
    import duckdb

    legs, exchanges = columns.legs, columns.exchanges
    exchange_values = {
        name: getattr(exchanges, name)[legs.exchange] for name in ("kind", "formality")
    }
    leg_values = {
        name: getattr(legs, name)
        for name in ("exchange", "giver", "receiver", "burden", "attention", "benefit")
    }
    rows = {"day": exchanges.first_day[legs.exchange], **exchange_values, **leg_values}  # noqa: F841
    database = duckdb.connect()
    database.execute("CREATE TABLE leg AS SELECT * FROM rows")
    return database


_BALANCES = """
SELECT party, sum(given), sum(received), count(DISTINCT exchange) FROM (
    SELECT giver AS party, {amount} AS given, 0 AS received, exchange FROM leg WHERE {condition}
    UNION ALL
    SELECT receiver, 0, {amount}, exchange FROM leg WHERE {condition}
) GROUP BY party
"""
_EDGES = """
SELECT giver, receiver, sum({amount}), count(DISTINCT exchange) FROM leg
WHERE {condition} GROUP BY giver, receiver
"""
_PAIRS = """
SELECT giver, receiver, sum({amount}), count(DISTINCT exchange), count(DISTINCT day) FROM leg
WHERE {condition} GROUP BY giver, receiver
"""
