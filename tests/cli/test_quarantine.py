"""Facts that can never apply: found, understood and sent again, as people do it."""

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
from tests.cli.conftest import RunCommand
from tests.services import facts

STALE, REUSED, REFUSED = 2, 3, 5
"""Numbers of the records that are set aside."""


@contextmanager
def asking() -> Iterator[Client]:
    with (
        serve_embedded(Path("mutua-data"), purpose="a test", write=True) as running,
        Client(running.address, organization="A") as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def recorded(run: RunCommand) -> Event:
    """An exchange that was corrected, and a fact for each reason but unreadable."""
    first = facts.exchange(minutes=30)
    first.source.batch = "calls"
    events = [
        first,
        facts.correction(first, first.event_id),
        facts.correction(first, first.event_id, receiver="D"),
        facts.exchange("X", "Y", event_id=first.event_id),
        facts.registration("A", name="Alder"),
        facts.alias("A", "Z"),
    ]
    with asking() as client:
        client.get_status(min_position=client.record(events))
    return first


def quarantined() -> list[QuarantinedRecord]:
    with asking() as client:
        return list(client.list_quarantine(min_position=client.get_status().log_position))


def own_id(offset: int) -> str:
    """What the record with a number is resubmitted under."""
    [record] = [each for each in quarantined() if each.offset == offset]
    return resubmission_id("default", record.record)


def test_status_says_what_to_type(run: RunCommand) -> None:
    told = run("status").out
    assert "3 facts that can never apply" in told
    assert "what to do: mutua quarantine list." in told
    assert "mutua --data mutua-data quarantine list" in run("--data", "mutua-data", "status").out


def test_the_list_is_for_people_and_for_programs(run: RunCommand) -> None:
    shown = run("quarantine", "list")
    rows = [line.split("  ") for line in shown.out.splitlines()]
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
        assert part in shown.out
    answer = run("quarantine", "list", "--format", "json").answer
    assert [each["offset"] for each in answer["records"]] == [STALE, REUSED, REFUSED]
    assert answer["records"][0]["reason"] == "QUARANTINE_REASON_STALE_CORRECTION"
    assert {"position", "as_of_date", "coverage", "warnings"} < answer.keys()
    table = list(csv.DictReader(io.StringIO(run("quarantine", "list", "--format", "csv").out)))
    assert [row["offset"] for row in table] == ["2", "3", "5"]
    assert json.loads(table[0]["event"])["recorded_by"] == "A"


def test_an_empty_quarantine_says_so(run: RunCommand) -> None:
    assert run("--programme", "other", "quarantine", "list").out == "No fact is in quarantine.\n"


def test_a_stale_correction_is_shown_beside_what_stands(run: RunCommand) -> None:
    shown = run("quarantine", "show", STALE).out
    [parties] = [line for line in shown.splitlines() if line.startswith("to ")]
    assert parties.split() == ["to", "C", "D"]
    assert "Look at the current revision" in shown
    assert shown.endswith("To send it again: mutua quarantine resubmit 2\n")


def test_what_show_writes_has_the_fact_as_it_can_be_sent(run: RunCommand, recorded: Event) -> None:
    shown = run("quarantine", "show", STALE, "--format", "json").answer
    current = shown["exchange"]["revisions"][-1]["event_id"]
    assert shown["fact"] == {
        "occur_time": "2026-03-02T12:00:00Z",
        "exchange_corrected": {
            "exchange_id": recorded.event_id,
            "exchange": {
                "giver_ids": ["A"],
                "receiver_ids": ["D"],
                "kind": "EXCHANGE_KIND_CALL",
            },
            "replaces_event_id": current,
        },
    }
    assert shown["event"]["exchange_corrected"]["replaces_event_id"] == recorded.event_id


@pytest.mark.parametrize("command", ["show", "resubmit"])
@pytest.mark.parametrize("offset", [0, 99])
def test_a_number_that_is_not_there_says_where_to_look(
    run: RunCommand, command: str, offset: int
) -> None:
    result = run("quarantine", command, offset)
    assert result.code == 1
    assert f"no record {offset} is in the quarantine of programme 'default'" in result.err
    assert "mutua quarantine list" in result.err


def test_a_fact_whose_id_was_taken_gets_its_own(run: RunCommand) -> None:
    answer = run("quarantine", "resubmit", REUSED, "--format", "json").answer
    assert answer["event_id"] == own_id(REUSED)
    exchanges = run("exchanges", "--format", "json").answer["exchanges"]
    [again] = [each for each in exchanges if each["exchange_id"] == answer["event_id"]]
    assert again["revisions"][0]["content"]["receiver_ids"] == ["Y"]
    assert again["revisions"][0]["recorded_by"] == ""  # who sends it again records it
    assert [each.resubmitted_as for each in quarantined()] == ["", answer["event_id"], ""]
    assert answer["event_id"] in run("quarantine", "list").out


def test_it_counts_once(run: RunCommand) -> None:
    assert run("quarantine", "resubmit", REUSED).code == 0
    Path("fact.json").write_text('{"alias_added": {"alias": "B", "organization_id": "A"}}')
    for words in ((), ("--fact", "fact.json")):
        again = run("quarantine", "resubmit", REUSED, *words)
        assert again.code == 1
        assert f"resubmitted already, as {own_id(REUSED)}" in again.err
    assert len(quarantined()) == 3
    assert "4 facts" not in run("status").out
    assert run("verify").out == "ok: 6 facts\n"


def test_a_stale_correction_is_shown_and_asks(
    run: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = run("quarantine", "resubmit", STALE)
    assert (refused.code, refused.out) == (1, "")
    assert "  to: C -> D\n" in refused.err
    assert (
        "nothing was recorded: if that is right, mutua quarantine resubmit 2 --yes" in refused.err
    )
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "confirm", lambda *_, **__: False)
    assert "nothing was recorded." in run("quarantine", "resubmit", STALE).err
    assert len(run("exchanges", "--format", "json").answer["exchanges"][0]["revisions"]) == 2
    monkeypatch.setattr(click, "confirm", lambda *_, **__: True)
    assert run("quarantine", "resubmit", STALE).code == 0
    [exchange] = run("exchanges", "--format", "json").answer["exchanges"]
    assert exchange["revisions"][-1]["event_id"] == own_id(STALE)
    assert exchange["revisions"][-1]["content"]["receiver_ids"] == ["D"]


def test_yes_needs_no_terminal(run: RunCommand) -> None:
    assert run("quarantine", "resubmit", STALE, "--yes").code == 0


def test_a_retraction_leaves_nothing_to_correct(run: RunCommand, recorded: Event) -> None:
    run("retract", recorded.event_id, "--reason", "never happened")
    result = run("quarantine", "resubmit", STALE, "--yes")
    assert (result.code, "was retracted, which is final" in result.err) == (1, True)
    assert "was retracted, which is final" in run("quarantine", "show", STALE).out


def test_what_cannot_apply_has_to_be_mended(run: RunCommand) -> None:
    result = run("quarantine", "resubmit", REFUSED)
    assert result.code == 1
    assert "mutua quarantine show 5 --format json > fact.json" in result.err
    assert "mutua quarantine resubmit 5 --fact fact.json" in result.err
    shown = run("quarantine", "show", REFUSED, "--format", "json")
    Path("fact.json").write_text(shown.out)
    unchanged = run("quarantine", "resubmit", REFUSED, "--fact", "fact.json")
    assert (unchanged.code, "Mend that first" in unchanged.err) == (1, True)
    document = shown.answer
    document["fact"]["alias_added"] = {"alias": "old A", "organization_id": "A"}
    Path("fact.json").write_text(json.dumps(document))
    assert run("quarantine", "resubmit", REFUSED, "--fact", "fact.json").code == 0
    [alder, *_] = run("organizations", "--format", "json").answer["organizations"]
    assert alder["aliases"] == ["old A"]


@pytest.mark.parametrize(
    "as_written", ["1948-07-05", {"year": 1948, "month": 7, "day": 5}], ids=["text", "as before"]
)
def test_a_fact_with_a_date_is_sent_again_as_it_was_shown(
    run: RunCommand, as_written: object
) -> None:
    event = facts.registration("Z")
    opened = event.organization_registered.organization.open_date
    opened.year, opened.month, opened.day = 1948, 7, 5
    with asking() as client:  # A is bound to itself, so that it is no alias
        event.organization_registered.organization.aliases.append("A")
        client.get_status(min_position=client.record([event]))
    for words in (("quarantine", "list"), ("import", "list"), ("status",)):
        date.fromisoformat(run(*words, "--format", "json").answer["as_of_date"])
    document = run("quarantine", "show", 6, "--format", "json").answer
    organization = document["fact"]["organization_registered"]["organization"]
    assert organization["open_date"] == "1948-07-05"
    assert document["event"]["organization_registered"]["organization"]["open_date"] == "1948-07-05"
    organization |= {"aliases": [], "open_date": as_written}
    Path("fact.json").write_text(json.dumps(document))
    assert run("quarantine", "resubmit", 6, "--fact", "fact.json").code == 0
    rows = run("organizations", "--format", "json").answer["organizations"]
    assert [row["open_date"] for row in rows if row["organization_id"] == "Z"] == ["1948-07-05"]


def test_a_date_that_is_none_is_refused(run: RunCommand) -> None:
    organization = {"organization_id": "Z", "open_date": "5 July"}
    fact = {"organization_registered": {"organization": organization}}
    Path("fact.json").write_text(json.dumps(fact))
    result = run("quarantine", "resubmit", REFUSED, "--fact", "fact.json")
    assert (result.code, "'5 July'" in result.err) == (1, True)


def test_what_can_not_apply_again_says_so(run: RunCommand) -> None:
    Path("fact.json").write_text('{"alias_added": {"alias": "A", "organization_id": "other"}}')
    result = run("quarantine", "resubmit", REFUSED, "--fact", "fact.json")
    assert result.code == 1
    assert "It is record 6 in the quarantine: mutua quarantine show 6" in result.err


def ids(record: QuarantinedRecord) -> Iterable[tuple[str, bool]]:
    yield "", True
    yield record.event.event_id, True
    yield resubmission_id("default", record.record), True
    yield facts.exchange().event_id, False


@pytest.mark.parametrize("which", range(4))
def test_an_id_of_its_own_cannot_be_chosen(run: RunCommand, which: int) -> None:
    event_id, is_right = list(ids(quarantined()[-1]))[which]
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
    ("text", "told"),
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
def test_a_file_that_holds_no_fact_is_refused(run: RunCommand, text: str, told: str) -> None:
    Path("fact.json").write_text(text, errors="surrogateescape")
    result = run("quarantine", "resubmit", REFUSED, "--fact", "fact.json")
    assert result.code == 1
    assert told in result.err
    assert len(quarantined()) == 3


def test_stdin_is_a_file_too(run: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(b'{"alias_added": {"alias": "B", "organization_id": "A"}}')

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert run("quarantine", "resubmit", REFUSED, "--fact", "-").code == 0
