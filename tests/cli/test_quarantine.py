"""`mutua quarantine` lists, explains and resubmits facts that can never apply."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import click
import pytest

from mutua import Client
from mutua.ids import resubmission_id
from mutua.v1.event_pb2 import Event
from mutua.v1.query_service_pb2 import QuarantinedRecord
from services.app.bootstrap import serve_embedded
from tests.cli.conftest import DATA, RunCommand, recorded_once
from tests.services import facts

STALE, REUSED, REFUSED = 2, 3, 5
"""Numbers of the quarantined records."""


@contextmanager
def open_client() -> Iterator[Client]:
    with (
        serve_embedded(Path(DATA), purpose="a test", write=True) as running,
        Client(running.address, organization="A") as client,
    ):
        yield client


CORRECTED = facts.exchange(minutes=30)
CORRECTED.source.batch = "calls"


@recorded_once
def quarantined(run: RunCommand) -> None:
    """A corrected exchange, recorded with a fact for every reason of quarantine but unreadable."""
    events = [
        CORRECTED,
        facts.correction(CORRECTED, CORRECTED.event_id),
        facts.correction(CORRECTED, CORRECTED.event_id, receiver="D"),
        facts.exchange("X", "Y", event_id=CORRECTED.event_id),
        facts.registration("A", name="Alder"),
        facts.alias("A", "Z"),
    ]
    with open_client() as client:
        client.get_status(min_position=client.record(events))


@pytest.fixture(autouse=True)
def corrected_exchange(quarantined: RunCommand) -> Event:
    return CORRECTED


def list_quarantine() -> list[QuarantinedRecord]:
    with open_client() as client:
        return list(client.list_quarantine(min_position=client.get_status().log_position))


def derive_resubmission_id(offset: int) -> str:
    """The event id under which the record with this number is resubmitted."""
    [record] = [each for each in list_quarantine() if each.offset == offset]
    return resubmission_id("default", record.record)


def test_status_prints_the_command(run: RunCommand) -> None:
    output = run("status").out
    assert "3 facts that can never apply" in output
    assert "what to do: mutua quarantine list." in output
    assert "mutua --data mutua-data quarantine list" in run("--data", "mutua-data", "status").out


class TestList:
    def test_every_format_has_every_record(self, run: RunCommand) -> None:
        table = run("quarantine", "list")
        rows = [line.split("  ") for line in table.out.splitlines()]
        assert [row[0].strip() for row in rows[:1]] == [""]
        for part in (
            "stale correction",
            "correction: call, Alder (A) to D, 2026-03-02 12:00 UTC",
            "event id reused",
            "call, X to Y, 2026-03-02 12:00 UTC",
            "not applicable",
            "alias 'A' of 'Z'",
            "is itself registered",
            "mutua quarantine show 2",
        ):
            assert part in table.out
        answer = run("quarantine", "list", "--format", "json").answer
        assert [each["offset"] for each in answer["records"]] == [STALE, REUSED, REFUSED]
        assert answer["records"][0]["reason"] == "QUARANTINE_REASON_STALE_CORRECTION"
        assert {"position", "as_of_date", "coverage", "warnings"} < answer.keys()
        csv_rows = list(
            csv.DictReader(io.StringIO(run("quarantine", "list", "--format", "csv").out))
        )
        assert [row["offset"] for row in csv_rows] == ["2", "3", "5"]
        assert json.loads(csv_rows[0]["event"])["recorded_by"] == "A"

    def test_empty_list_has_a_sentence(self, run: RunCommand) -> None:
        assert (
            run("--programme", "other", "quarantine", "list").out == "No fact is in quarantine.\n"
        )


class TestShow:
    def test_compares_stale_correction_with_current_revision(self, run: RunCommand) -> None:
        output = run("quarantine", "show", STALE).out
        [parties] = [line for line in output.splitlines() if line.startswith("to ")]
        assert parties.split() == ["to", "C", "D"]
        assert "Look at the current revision" in output
        assert output.endswith("To send it again: mutua quarantine resubmit 2\n")

    def test_json_has_fact_to_resubmit(self, run: RunCommand, corrected_exchange: Event) -> None:
        answer = run("quarantine", "show", STALE, "--format", "json").answer
        current = answer["exchange"]["revisions"][-1]["event_id"]
        assert answer["fact"] == {
            "occur_time": "2026-03-02T12:00:00Z",
            "exchange_corrected": {
                "exchange_id": corrected_exchange.event_id,
                "exchange": {
                    "giver_ids": ["A"],
                    "receiver_ids": ["D"],
                    "kind": "EXCHANGE_KIND_CALL",
                },
                "replaces_event_id": current,
            },
        }
        assert (
            answer["event"]["exchange_corrected"]["replaces_event_id"]
            == corrected_exchange.event_id
        )


@pytest.mark.parametrize("command", ["show", "resubmit"])
@pytest.mark.parametrize("offset", [0, 99])
def test_unknown_number_is_refused(run: RunCommand, command: str, offset: int) -> None:
    result = run("quarantine", command, offset)
    assert result.code == 1
    assert f"no record {offset} is in the quarantine of programme 'default'" in result.err
    assert "mutua quarantine list" in result.err


class TestResubmit:
    def test_fact_with_reused_id_gets_another(self, run: RunCommand) -> None:
        answer = run("quarantine", "resubmit", REUSED, "--format", "json").answer
        assert answer["event_id"] == derive_resubmission_id(REUSED)
        exchanges = run("exchanges", "--format", "json").answer["exchanges"]
        [again] = [each for each in exchanges if each["exchange_id"] == answer["event_id"]]
        assert again["revisions"][0]["content"]["receiver_ids"] == ["Y"]
        assert again["revisions"][0]["recorded_by"] == ""  # the recorder is who resubmits
        assert [each.resubmitted_as for each in list_quarantine()] == ["", answer["event_id"], ""]
        assert answer["event_id"] in run("quarantine", "list").out

    def test_fact_counts_once(self, run: RunCommand) -> None:
        assert run("quarantine", "resubmit", REUSED).code == 0
        Path("fact.json").write_text('{"alias_added": {"alias": "B", "organization_id": "A"}}')
        for words in ((), ("--fact", "fact.json")):
            again = run("quarantine", "resubmit", REUSED, *words)
            assert again.code == 1
            assert f"resubmitted already, as {derive_resubmission_id(REUSED)}" in again.err
        assert len(list_quarantine()) == 3
        assert "4 facts" not in run("status").out
        assert run("verify").out == "ok: 6 facts\n"

    def test_yes_needs_no_terminal(self, run: RunCommand) -> None:
        assert run("quarantine", "resubmit", STALE, "--yes").code == 0

    def test_stale_correction_needs_confirmation(
        self, run: RunCommand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refusal = run("quarantine", "resubmit", STALE)
        assert (refusal.code, refusal.out) == (1, "")
        assert "  to: C -> D\n" in refusal.err
        assert (
            "nothing was recorded: if that is right, mutua quarantine resubmit 2 --yes"
            in refusal.err
        )
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(click, "confirm", lambda *_, **__: False)
        assert "nothing was recorded." in run("quarantine", "resubmit", STALE).err
        assert len(run("exchanges", "--format", "json").answer["exchanges"][0]["revisions"]) == 2
        monkeypatch.setattr(click, "confirm", lambda *_, **__: True)
        assert run("quarantine", "resubmit", STALE).code == 0
        [exchange] = run("exchanges", "--format", "json").answer["exchanges"]
        assert exchange["revisions"][-1]["event_id"] == derive_resubmission_id(STALE)
        assert exchange["revisions"][-1]["content"]["receiver_ids"] == ["D"]

    def test_correction_of_retracted_exchange_is_refused(
        self, run: RunCommand, corrected_exchange: Event
    ) -> None:
        run("retract", corrected_exchange.event_id, "--reason", "never happened")
        result = run("quarantine", "resubmit", STALE, "--yes")
        assert (result.code, "was retracted, which is final" in result.err) == (1, True)
        assert "was retracted, which is final" in run("quarantine", "show", STALE).out

    def test_fact_that_is_quarantined_again_is_reported(self, run: RunCommand) -> None:
        Path("fact.json").write_text('{"alias_added": {"alias": "A", "organization_id": "other"}}')
        result = run("quarantine", "resubmit", REFUSED, "--fact", "fact.json")
        assert result.code == 1
        assert "It is record 6 in the quarantine: mutua quarantine show 6" in result.err


class TestResubmitFile:
    def test_fact_must_differ_from_inapplicable_one(self, run: RunCommand) -> None:
        result = run("quarantine", "resubmit", REFUSED)
        assert result.code == 1
        assert "mutua quarantine show 5 --format json > fact.json" in result.err
        assert "mutua quarantine resubmit 5 --fact fact.json" in result.err
        output = run("quarantine", "show", REFUSED, "--format", "json")
        Path("fact.json").write_text(output.out)
        refusal = run("quarantine", "resubmit", REFUSED, "--fact", "fact.json")
        assert (refusal.code, "Fix that first" in refusal.err) == (1, True)
        document = output.answer
        document["fact"]["alias_added"] = {"alias": "old A", "organization_id": "A"}
        Path("fact.json").write_text(json.dumps(document))
        assert run("quarantine", "resubmit", REFUSED, "--fact", "fact.json").code == 0
        [alder, *_] = run("organizations", "--format", "json").answer["organizations"]
        assert alder["aliases"] == ["old A"]

    @pytest.mark.parametrize(
        "value",
        ["1948-07-05", {"year": 1948, "month": 7, "day": 5}],
        ids=["text", "as before"],
    )
    def test_date_is_read_as_shown(self, run: RunCommand, value: object) -> None:
        event = facts.registration("Z")
        open_date = event.organization_registered.organization.open_date
        open_date.year, open_date.month, open_date.day = 1948, 7, 5
        with open_client() as client:  # quarantined, because A is itself registered
            event.organization_registered.organization.aliases.append("A")
            client.get_status(min_position=client.record([event]))
        for words in (("quarantine", "list"), ("import", "list"), ("status",)):
            date.fromisoformat(run(*words, "--format", "json").answer["as_of_date"])
        document = run("quarantine", "show", 6, "--format", "json").answer
        organization = document["fact"]["organization_registered"]["organization"]
        assert organization["open_date"] == "1948-07-05"
        assert (
            document["event"]["organization_registered"]["organization"]["open_date"]
            == "1948-07-05"
        )
        organization |= {"aliases": [], "open_date": value}
        Path("fact.json").write_text(json.dumps(document))
        assert run("quarantine", "resubmit", 6, "--fact", "fact.json").code == 0
        rows = run("organizations", "--format", "json").answer["organizations"]
        assert [row["open_date"] for row in rows if row["organization_id"] == "Z"] == ["1948-07-05"]

    def test_invalid_date_is_refused(self, run: RunCommand) -> None:
        organization = {"organization_id": "Z", "open_date": "5 July"}
        fact = {"organization_registered": {"organization": organization}}
        Path("fact.json").write_text(json.dumps(fact))
        result = run("quarantine", "resubmit", REFUSED, "--fact", "fact.json")
        assert (result.code, "'5 July'" in result.err) == (1, True)

    @pytest.mark.parametrize("which", range(4))
    def test_other_event_id_is_refused(self, run: RunCommand, which: int) -> None:
        event_id, is_right = list(candidate_ids(list_quarantine()[-1]))[which]
        Path("fact.json").write_text(
            json.dumps(
                {
                    "event_id": event_id,
                    "programme_id": "default",
                    "recorded_by": "somebody",
                    "alias_added": {"alias": "B", "organization_id": "A"},
                }
            )
        )
        result = run("quarantine", "resubmit", REFUSED, "--fact", "fact.json")
        assert result.code == (0 if is_right else 1)
        assert ("leave it out" in result.err) is not is_right

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "fact.json holds no fact"),
            ("[]", "it is no object"),
            ('{"fact": []}', ""),
            ('{"fact": 5}', "fact.json holds no fact"),
            ('{"what": 5}', 'no field named "what"'),
            ('{"programme_id": "other"}', "programme_id is other"),
            ("{}", "is missing, or of a kind newer"),
            ("\udcff", "fact.json holds no fact"),
            ('{"alias_added": {"alias": "", "organization_id": "A"}}', "alias_added.alias"),
        ],
    )
    def test_file_without_a_fact_is_refused(self, run: RunCommand, text: str, message: str) -> None:
        Path("fact.json").write_text(text, errors="surrogateescape")
        result = run("quarantine", "resubmit", REFUSED, "--fact", "fact.json")
        assert result.code == 1
        assert message in result.err
        assert len(list_quarantine()) == 3

    def test_dash_reads_stdin(self, run: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
        class Stdin:
            buffer = io.BytesIO(b'{"alias_added": {"alias": "B", "organization_id": "A"}}')

        monkeypatch.setattr(sys, "stdin", Stdin())
        assert run("quarantine", "resubmit", REFUSED, "--fact", "-").code == 0


def candidate_ids(record: QuarantinedRecord) -> Iterable[tuple[str, bool]]:
    yield "", True
    yield record.event.event_id, True
    yield resubmission_id("default", record.record), True
    yield facts.exchange().event_id, False
