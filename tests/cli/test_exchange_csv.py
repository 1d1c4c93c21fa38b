"""Exchanges as CSV: an import of the file into an empty ledger gives equal answers."""

import csv
import io
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutua import Client
from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import ExchangeKind, Formality, OccurPrecision
from services.app.bootstrap import serve_embedded
from services.cli.exchange_csv import exchange_csv
from services.cli.organization_names import CommandLineDirectory
from services.imports import ImportOptions, import_exchanges
from services.notation.words import join_list, read_list
from tests.cli.conftest import RunCommand

ORGANIZATIONS = (
    "ash",
    "Ash",
    "a  sh",
    "oak; elm",
    'the "elm"',
    '"oak"',
    "oak",
    "elm|fir",
    "x, y",
    "y",
)
LENSES = ("count", "burden", "attention", "benefit")


@st.composite
def exchanges(draw: st.DrawFn) -> list[Event]:
    events = []
    for _ in range(draw(st.integers(1, 6))):
        event = Event()
        precision, time = draw(
            st.sampled_from(
                (
                    (1, "2026-03-14T09:30:00.123456Z"),
                    (1, "2026-03-14T00:00:00Z"),
                    (2, "2026-03-14T00:00:00Z"),
                    (3, "2026-03-01T00:00:00Z"),
                    (4, "2026-01-01T00:00:00Z"),
                )
            )
        )
        event.occur_time.FromJsonString(time)
        event.occur_precision = OccurPrecision.ValueType(precision)
        content = event.exchange_recorded.exchange
        parties = draw(
            st.lists(st.sampled_from(ORGANIZATIONS), min_size=2, max_size=4, unique=True)
        )
        if draw(st.booleans()):
            content.party_ids.extend(parties)
        else:
            cut = draw(st.integers(1, len(parties) - 1))
            content.giver_ids.extend(parties[:cut])
            content.receiver_ids.extend(parties[cut:])
            for field in ("receiver_minutes", "benefit_minutes"):
                if (minutes := draw(st.sampled_from((None, 0, 50)))) is not None:
                    setattr(content, field, minutes)
        if (minutes := draw(st.sampled_from((None, 0, 45)))) is not None:
            content.giver_minutes = minutes
        content.kind = ExchangeKind.ValueType(draw(st.integers(1, 15)))
        content.formality = Formality.ValueType(draw(st.integers(0, 2)))
        content.topics.extend(draw(st.sets(st.sampled_from(("a", "b-c")))))
        if note := draw(st.sampled_from(("", "a, b", 'said "so"\nand so', "=1+1"))):
            content.note.plain = note
        events.append(event)
    return events


def answers(client: Client) -> list[Any]:
    """Balances, pairs and networks under all lenses, without positions."""
    return [
        [
            list(client.list_balances(lens=lens)),
            list(client.list_pairs(lens=lens)),
            list(client.get_network(lens=lens).edges),
        ]
        for lens in LENSES
    ]


@pytest.fixture(scope="module")
def server_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for all examples; every example has two programmes on it."""
    with serve_embedded(tmp_path_factory.mktemp("round"), write=True, purpose="a test") as running:
        yield running.address


EXAMPLES = count()


class TestRoundTrip:
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(exchanges())
    def test_import_of_exported_exchanges_gives_equal_answers(
        self, server_address: str, tmp_path_factory: pytest.TempPathFactory, events: list[Event]
    ) -> None:
        number = next(EXAMPLES)
        with (
            Client(server_address, programme=f"source-{number}") as source,
            Client(server_address, programme=f"target-{number}") as target,
        ):
            position = source.record(events)
            source_exchanges = list(source.list_exchanges(min_position=position))
            path = tmp_path_factory.mktemp("round") / "all.csv"
            path.write_text(exchange_csv(source_exchanges, CommandLineDirectory(())))
            report = import_exchanges(target, path, ImportOptions())
            assert (report.errors, report.counts.recorded) == ((), len(events))
            target_exchanges = list(target.list_exchanges(min_position=report.position))
            contents = [
                [each.revisions[-1].content for each in one]
                for one in (source_exchanges, target_exchanges)
            ]
            assert contents[0] == contents[1]
            assert answers(source) == answers(target)
            assert import_exchanges(target, path, ImportOptions()).counts.unchanged == len(events)

    @given(st.lists(st.text('ab;|", ', min_size=1).map(str.strip).filter(bool)))
    def test_joined_list_is_read_as_the_same_list(self, parts: list[str]) -> None:
        assert read_list(join_list(parts)) == parts


class TestExchangeCsv:
    def test_retracted_option_adds_marked_exchanges(self, run: RunCommand) -> None:
        run("log", "--from", "A", "--to", "B", "--kind", "call", "--on", "2026-03-14")
        run("log", "--from", "A", "--to", "C", "--kind", "visit", "--on", "2026-03")
        ids = [
            each["exchange_id"] for each in run("exchanges", "--format", "json").answer["exchanges"]
        ]
        run("retract", ids[0], "--reason", "never happened")

        def states(*words: str) -> list[tuple[str, str]]:
            rows = csv.DictReader(io.StringIO(run("exchanges", "--format", "csv", *words).out))
            return [(row["exchange_id"], row["state"]) for row in rows]

        assert states() == [(ids[1], "recorded")]
        assert states("--retracted") == [(ids[0], "retracted"), (ids[1], "recorded")]
        assert states("--id", ids[0]) == [(ids[0], "retracted")]
        refusal = run("exchanges", "--retracted")
        assert (refusal.code, "--format csv" in refusal.err) == (2, True)

    def test_recorder_that_is_a_party_gives_the_reporting_side(self, run: RunCommand) -> None:
        run("--as", "B", "log", "--from", "A", "--to", "B", "--kind", "call", "--on", "2026-03-14")
        [row] = csv.DictReader(io.StringIO(run("exchanges", "--format", "csv").out))
        assert (row["recorded_by"], row["reported_by"]) == ("B", "receiver")

    def test_name_columns_have_no_quotes(self, run: RunCommand) -> None:
        name = 'Bexworth, Clayton & "District" Hospital'
        run("organization", "add", "bex-1", "--name", name)
        run("organization", "add", "oak-2", "--name", "Oakdale Trust")
        run("log", "--from", "bex-1", "--from", "oak-2", "--to", "elm", "--kind", "call")
        [row] = csv.DictReader(io.StringIO(run("exchanges", "--format", "csv").out))
        assert (row["giver"], row["giver_name"]) == ("bex-1; oak-2", f"{name}; Oakdale Trust")


class TestStandardInput:
    TEXT = "ref,date,from,to,kind\n1,2026-03-14,A,B,call\n"

    @pytest.fixture(autouse=True)
    def _stdin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(self.TEXT.encode())))

    def test_is_imported_under_the_batch_name(self, run: RunCommand) -> None:
        result = run("import", "exchanges", "-", "--batch", "calls")
        assert (result.code, "Batch calls: 1 row." in result.out) == (0, True)
        assert Path("mutua-data").is_dir()

    def test_is_refused_without_a_batch_name(self, run: RunCommand) -> None:
        result = run("import", "exchanges", "-")
        assert result.code == 2
        assert "add --batch NAME" in result.err
