"""`mutua watch`: sentences for people, an object on a line for programs, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mutua import Client
from mutua.v1 import query_service_pb2 as pb
from services.cli.organization_names import CommandLineDirectory
from services.cli.watch_sentences import DESCRIBE, SentenceContext, describe_removed
from tests.cli.cli_process import COMMAND, run_up
from tests.faults.server_process import make_environment
from tests.services import facts
from tests.services.conftest import address as address
from tests.services.conftest import client as client

NAMES = CommandLineDirectory(
    [
        pb.Organization(organization_id="t-02", name="Thornwick", registered=True),
        pb.Organization(organization_id="m-01", name="Millbury", registered=True),
    ]
)


@contextmanager
def watching(client: Client, address: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = (*COMMAND, "--server", address, "--programme", client.programme, "watch", *words)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=make_environment(PYTHONUNBUFFERED="1"),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


class TestCommand:
    def test_lines_follow_what_is_recorded(self, client: Client, address: str) -> None:
        events = [facts.registration("t-02", name="Thornwick"), facts.exchange("t-02", "z")]
        client.get_status(min_position=client.record(events))
        with watching(client, address, "balances") as process:
            assert read_line(process).endswith("2 organizations; changes follow.\n")
            client.record([facts.exchange("t-02", "z")])
            assert "Thornwick (t-02) gave 2 (+1) and received 0" in read_line(process)
            process.send_signal(signal.SIGINT)
            assert process.wait() == 130

    def test_json_is_an_object_on_a_line(self, client: Client, address: str) -> None:
        client.get_status(min_position=client.record([facts.exchange("a", "b")]))
        with watching(client, address, "network", "--format", "json") as process:
            first = json.loads(read_line(process))
            assert first["event"] == "snapshot"
            assert [node["organization_id"] for node in first["nodes"]] == ["a", "b"]
            position = client.record([facts.exchange("b", "a")])
            change = json.loads(read_line(process))
            assert (change["event"], change["position"]) == ("delta", position)
            assert [edge["giver_id"] for edge in change["edges"]] == ["b"]
            assert (change["removed_nodes"], change["removed_edges"]) == ([], [])
            assert change["coverage"]["exchange_count"] == 2

    def test_does_not_hold_the_directory_of_a_restarting_server(self, tmp_path: Path) -> None:
        command = (*COMMAND, "--data", str(tmp_path), "watch", "balances", "--format", "json")
        with run_up(tmp_path) as (server, ready), Client(ready.split()[4]) as client:
            client.get_status(min_position=client.record([facts.exchange("a", "b")]))
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env=make_environment()
            ) as process:
                assert json.loads(read_line(process))["event"] == "snapshot"
                server.terminate()
                server.wait()
                with run_up(tmp_path) as (_, again), Client(again.split()[4]) as later_client:
                    later_client.record([facts.exchange("c", "b")])
                    change = json.loads(read_line(process))
                    assert [row["organization_id"] for row in change["balances"]] == ["b", "c"]
                    process.send_signal(signal.SIGINT)
                    assert process.wait() == 130


@pytest.mark.parametrize(
    ("row", "before", "sentence"),
    [
        (
            pb.Balance(organization_id="t-02", given=3, received=1, exchange_count=4),
            pb.Balance(organization_id="t-02", given=1, received=1, exchange_count=2),
            "Thornwick (t-02) gave 3 (+2) and received 1 in 4 exchanges.",
        ),
        (pb.Balance(organization_id="t-02"), None, "Thornwick (t-02): nothing seen."),
        (
            pb.Pair(giver_id="m-01", receiver_id="t-02", given=3, received=2),
            pb.Pair(giver_id="t-02", receiver_id="m-01", given=2, received=1),
            "Millbury (m-01) gave Thornwick (t-02) 3 (+2) and received 2.",
        ),
        (
            pb.Edge(giver_id="t-02", receiver_id="x", weight=1),
            None,
            "Thornwick (t-02) gave to x for the first time.",
        ),
        (
            pb.GetStatusResponse(fact_count=5, exchange_count=3, organization_count=1, lag_count=2),
            pb.GetStatusResponse(fact_count=4),
            "5 facts (+1); 3 exchanges, 1 organization, 2 not projected yet.",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_change_is_a_sentence(row: Any, before: Any, sentence: str) -> None:
    context = SentenceContext(NAMES, pb.LENS_COUNT)
    assert DESCRIBE[type(row)](row, before, context) == sentence


def test_amounts_of_minutes_have_a_unit() -> None:
    row = pb.Edge(giver_id="t-02", receiver_id="m-01", weight=90)
    before = pb.Edge(giver_id="t-02", receiver_id="m-01", weight=120)
    context = SentenceContext(NAMES, pb.LENS_BURDEN)
    sentence = "Thornwick (t-02) gave to Millbury (m-01): 90 minutes (-30)."
    assert DESCRIBE[pb.Edge](row, before, context) == sentence


@pytest.mark.parametrize(
    "row", [pb.Balance(organization_id="t-02"), pb.Node(organization_id="t-02")]
)
def test_row_that_is_gone_is_a_sentence(row: Any) -> None:
    context = SentenceContext(NAMES, pb.LENS_COUNT)
    assert describe_removed(row, context) == "Thornwick (t-02) is no longer among them."
