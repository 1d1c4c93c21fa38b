"""`mutua log`, `correct` and `retract`, as people type them."""

import re
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from mutua.v1.query_service_pb2 import Topic
from mutua.v1.types_pb2 import (
    EXCHANGE_KIND_CALL,
    FORMALITY_INFORMAL,
    OCCUR_PRECISION_DAY,
    OCCUR_PRECISION_EXACT,
    OCCUR_PRECISION_MONTH,
    OCCUR_PRECISION_QUARTER,
    VISIBILITY_PARTIES,
)
from tests.cli.conftest import RunCommand
from tests.cli.fake_programme import FakeProgrammeServer
from tests.client.scripted_server import ScriptedFailure

CALL = ("log", "--from", "T-01", "--to", "T-02", "--kind", "call")
MILLBURY = "Millbury General Hospital (T-01)"
THORNWICK = "Thornwick Teaching Hospitals (T-02)"


class TestLog:
    def test_records_exchange_and_prints_undo(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        result = ask(
            *CALL, "--minutes", 45, "--receiver-minutes", 0, "--topic", "e-prescribing",
            "--formality", "informal", "--note", "went well", "--on", "2026-03-14",
        )  # fmt: skip
        [event] = programme.events
        content = event.exchange_recorded.exchange
        assert content.giver_ids == ["T-01"]
        assert content.receiver_ids == ["T-02"]
        assert (content.kind, content.formality) == (EXCHANGE_KIND_CALL, FORMALITY_INFORMAL)
        assert (content.giver_minutes, content.HasField("receiver_minutes")) == (45, True)
        assert not content.HasField("benefit_minutes")
        assert content.topics == ["e-prescribing"]
        assert content.note.plain == "went well"
        assert (event.source.client, event.programme_id) == ("mutua-cli", "default")
        assert result.out == (
            f"Recorded: {MILLBURY} gave to {THORNWICK}: call, 2026-03-14, 45 minutes, "
            "0 minutes of each receiver, about e-prescribing, informal, noted “went well”.\n"
            f"Exchange {event.event_id}. To undo it: mutua --server {programme.address} "
            f"retract {event.event_id} --reason ...\n"
        )
        assert (result.code, result.err) == (0, "")

    @pytest.mark.parametrize(
        ("name", "organization_id"),
        [
            ("T-01", "T-01"),
            ("t-01", "T-01"),
            ("millbury", "T-01"),
            ("MILLBURY GENERAL HOSPITAL", "T-01"),
            ("the general", "T-03"),
            (" Eastmere ", "T-03"),
            ("Somewhere else", "Somewhere else"),
        ],
    )
    def test_names_and_aliases_ignore_case(
        self, ask: RunCommand, programme: FakeProgrammeServer, name: str, organization_id: str
    ) -> None:
        result = ask("log", "--from", name, "--to", "T-02", "--kind", "call")
        assert programme.events[0].exchange_recorded.exchange.giver_ids == [organization_id]
        assert result.err == (
            ""
            if organization_id.startswith("T-")
            else f"New organization, recorded as written: '{name}'.\n"
        )

    def test_near_miss_is_recorded_as_written_and_reported(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        result = ask("log", "--from", "Millbry", "--to", "T-02", "--kind", "call")
        assert programme.events[0].exchange_recorded.exchange.giver_ids == ["Millbry"]
        assert (
            f"unknown organization 'Millbry': recorded as written. Did you mean {MILLBURY}? Then: "
            f"mutua --server {programme.address} retract {programme.events[0].event_id}"
            in result.err
        )

    def test_ambiguous_name_is_refused_with_candidates(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.organizations[1].aliases.append("The General")
        result = ask("log", "--from", "the general", "--to", "T-01", "--kind", "call")
        assert (result.code, programme.events) == (2, [])
        assert (
            f"may be {THORNWICK} or Eastmere District Hospital (T-03): type the id." in result.err
        )

    def test_with_option_records_a_joint_exchange(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        result = ask("log", "--with", "Millbury", "--with", "T-02", "--kind", "meeting")
        assert programme.events[0].exchange_recorded.exchange.party_ids == ["T-01", "T-02"]
        assert f"{MILLBURY}, {THORNWICK} together: meeting" in result.out

    @pytest.mark.parametrize(
        ("date", "label", "start", "precision"),
        [
            ("2026-03-14", "2026-03-14", datetime(2026, 3, 14, tzinfo=UTC), OCCUR_PRECISION_DAY),
            ("2026-03", "2026-03", datetime(2026, 3, 1, tzinfo=UTC), OCCUR_PRECISION_MONTH),
            ("2026-Q2", "2026-Q2", datetime(2026, 4, 1, tzinfo=UTC), OCCUR_PRECISION_QUARTER),
            ("2026-q4", "2026-Q4", datetime(2026, 10, 1, tzinfo=UTC), OCCUR_PRECISION_QUARTER),
        ],
    )
    def test_date_has_typed_precision(
        self,
        ask: RunCommand,
        programme: FakeProgrammeServer,
        date: str,
        label: str,
        start: datetime,
        precision: int,
    ) -> None:
        result = ask(*CALL, "--on", date)
        [event] = programme.events
        assert (event.occur_time.ToDatetime(UTC), event.occur_precision) == (start, precision)
        assert f": call, {label}." in result.out

    def test_time_of_day_is_exact(self, ask: RunCommand, programme: FakeProgrammeServer) -> None:
        assert "call, 2026-03-02 13:30 UTC" in ask(*CALL, "--on", "02.03.2026 14:30 +0100").out
        [event] = programme.events
        assert event.occur_time.ToJsonString() == "2026-03-02T13:30:00Z"
        assert event.occur_precision == OCCUR_PRECISION_EXACT

    @pytest.mark.parametrize(
        ("duration", "minutes"),
        [("45", 45), ("1h30", 90), ("1:30", 90), ("1,5 h", 90), ("half a day", 225)],
    )
    def test_duration_is_read_as_minutes(
        self, ask: RunCommand, programme: FakeProgrammeServer, duration: str, minutes: int
    ) -> None:
        programme.working_day_minutes = 450
        assert ask(*CALL, "--minutes", duration).code == 0
        assert programme.events[0].exchange_recorded.exchange.giver_minutes == minutes

    def test_working_day_of_unknown_length_is_refused(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        result = ask(*CALL, "--minutes", "1 day")
        assert (result.code, programme.events) == (1, [])
        assert "mutua programme set --working-day-minutes 450" in result.err

    @pytest.mark.parametrize(("word", "kind"), [("phone call", "call"), ("E-mail", "message")])
    def test_everyday_word_is_read_as_kind(
        self, ask: RunCommand, programme: FakeProgrammeServer, word: str, kind: str
    ) -> None:
        assert f": {kind}, " in ask("log", "--from", "A", "--to", "B", "--kind", word).out

    def test_topic_label_is_recorded(self, ask: RunCommand, programme: FakeProgrammeServer) -> None:
        result = ask(*CALL, "--topic", "Beds & rooms", "--topic", "beds")
        record_event, label_event = programme.events
        assert record_event.exchange_recorded.exchange.topics == ["beds-and-rooms", "beds"]
        [label] = label_event.programme_configured.topics
        assert (label.topic, label.label) == ("beds-and-rooms", "Beds & rooms")
        assert "about Beds & rooms, beds." in result.out

    def test_topic_keeps_its_label(self, ask: RunCommand, programme: FakeProgrammeServer) -> None:
        programme.topics = [Topic(topic="it-and-data", label="Digital, data")]
        result = ask(*CALL, "--topic", "IT & data", "--topic", "beds")
        assert len(programme.events) == 1
        assert "about Digital, data; beds." in result.out

    def test_default_date_is_now(self, ask: RunCommand, programme: FakeProgrammeServer) -> None:
        before = datetime.now(UTC) - timedelta(seconds=1)
        ask(*CALL)
        [event] = programme.events
        assert before <= event.occur_time.ToDatetime(UTC) <= datetime.now(UTC)
        assert event.occur_precision == OCCUR_PRECISION_EXACT

    def test_organization_and_programme_reach_the_server(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        ask("--as", "T-02", "--programme", "gde", *CALL)
        assert programme.events[0].programme_id == "gde"
        assert programme.metadata[-1]["mutua-organization"] == "T-02"

    def test_refusal_of_server_names_option(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        path = "events[0].exchange_recorded.exchange.giver_minutes"
        programme.failure = ScriptedFailure(
            code=grpc.StatusCode.INVALID_ARGUMENT,
            reason="INVALID_FACT",
            violations=[(path, "is above 20,160")],
        )
        result = ask(*CALL)
        assert (result.code, result.out) == (1, "")
        assert re.fullmatch(r"error: .*\n  --minutes: is above 20,160\n", result.err)


class TestCorrect:
    def test_topic_none_clears_topics(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        ask(*CALL, "--topic", "beds")
        result = ask("correct", programme.events[0].event_id, "--topic", "none")
        assert programme.events[1].exchange_corrected.exchange.topics == []
        assert "topics: beds -> unknown" in result.out

    def test_changes_only_fields_of_its_options(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        ask(*CALL, "--minutes", 45, "--topic", "e-prescribing", "--on", "2026-03-14")
        exchange_id = programme.events[0].event_id
        result = ask("correct", exchange_id.upper(), "--minutes", 60, "--to", "Eastmere")
        correction = programme.events[1].exchange_corrected
        assert (correction.exchange_id, correction.replaces_event_id) == (exchange_id, exchange_id)
        assert correction.exchange.giver_ids == ["T-01"]
        assert correction.exchange.receiver_ids == ["T-03"]
        assert correction.exchange.giver_minutes == 60
        assert correction.exchange.topics == ["e-prescribing"]
        assert programme.events[1].occur_time == programme.events[0].occur_time
        assert result.out.splitlines()[1:] == [
            f"to: {THORNWICK} -> Eastmere District Hospital (T-03)",
            "minutes: 45 -> 60",
        ]
        ask("correct", exchange_id, "--with", "T-01", "--with", "T-04")
        second_correction = programme.events[2].exchange_corrected
        assert second_correction.replaces_event_id == programme.events[1].event_id
        assert second_correction.exchange.party_ids == ["T-01", "T-04"]
        assert not second_correction.exchange.giver_ids

    def test_minutes_can_become_unknown(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        ask(*CALL, "--minutes", 45, "--receiver-minutes", 30)
        result = ask("correct", programme.events[0].event_id, "--minutes", "unknown")
        content = programme.events[1].exchange_corrected.exchange
        assert (content.HasField("giver_minutes"), content.receiver_minutes) == (False, 30)
        assert result.out.splitlines()[1:] == ["minutes: 45 -> unknown"]
        ask(*CALL, "--minutes", "unknown")
        assert not programme.events[2].exchange_recorded.exchange.HasField("giver_minutes")

    def test_keeps_visibility_of_exchange(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        ask(*CALL)
        exchange_id = programme.events[0].event_id
        programme.exchanges[exchange_id].revisions[0].visibility = VISIBILITY_PARTIES
        for minutes in (45, 60):
            ask("correct", exchange_id, "--minutes", minutes)
        assert [event.visibility for event in programme.events[1:]] == [VISIBILITY_PARTIES] * 2

    def test_unchanged_values_record_nothing(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        ask(*CALL, "--minutes", 45)
        result = ask("correct", programme.events[0].event_id, "--minutes", 45)
        assert (result.code, result.out) == (
            0,
            "Nothing changed: the exchange already has these values.\n",
        )
        assert len(programme.events) == 1

    def test_concurrent_correction_is_reported(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        ask(*CALL)
        programme.is_raced = True
        result = ask("correct", programme.events[0].event_id, "--minutes", 45)
        assert (result.code, result.out) == (1, "")
        assert "changed this exchange at the same time" in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("log", "--from", "A", "--kind", "call"), "say who gave and who received"),
        (("log", "--from", "A", "--to", "B"), "say what form it took"),
        (("log", "--with", "A", "--kind", "call"), "give it twice or more"),
        ((*CALL, "--with", "A", "--with", "B"), "without direction"),
        ((*CALL, "--kind", "chat"), "'chat' is not one of 'document', 'message', 'call'"),
        ((*CALL, "--minutes", "-1"), "below 0, and minutes cannot be negative"),
        ((*CALL, "--minutes", 2**31), "is too long"),
        ((*CALL, "--minutes", "some"), "'some' is no duration; write whole minutes, such as 45"),
        ((*CALL, "--on", "yesterday"), "is not a time we can read; write 2024-05-31"),
        ((*CALL, "--on", "2026-02-30"), "February 2026 has 28 days, not 30"),
        ((*CALL, "--on", "02/03/2026"), "type the year first, as in 2026-03-14"),
        (("correct", "e1"), "say what to change"),
        (("retract", "e1"), "Missing option '--reason'"),
    ],
)
def test_invalid_words_are_usage_errors(
    ask: RunCommand, programme: FakeProgrammeServer, words: tuple[object, ...], message: str
) -> None:
    result = ask(*words)
    assert (result.code, result.out, programme.events) == (2, "", [])
    assert message in " ".join(result.err.split())


class TestRetract:
    def test_is_final(self, ask: RunCommand, programme: FakeProgrammeServer) -> None:
        ask(*CALL)
        exchange_id = programme.events[0].event_id
        result = ask("retract", exchange_id, "--reason", "typed twice")
        assert programme.events[1].exchange_retracted.reason.plain == "typed twice"
        assert result.out.startswith(f"Retracted: {MILLBURY} gave to {THORNWICK}: call")
        for words in (("retract", "--reason", "x"), ("correct", "--minutes", "9")):
            result = ask(words[0], exchange_id, *words[1:])
            message = f"error: exchange {exchange_id} was retracted, which is final.\n"
            assert (result.code, result.err) == (1, message)
        assert len(programme.events) == 2

    @pytest.mark.parametrize("reason", ["", "   "])
    def test_needs_a_reason(self, ask: RunCommand, reason: str) -> None:
        result = ask("retract", "018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f", "--reason", reason)
        assert (result.code, "say why, because a retraction is final" in result.err) == (2, True)


@pytest.mark.parametrize("words", [("correct", "--minutes", "1"), ("retract", "--reason", "x")])
def test_unknown_exchange_is_refused(
    ask: RunCommand, programme: FakeProgrammeServer, words: tuple[str, ...]
) -> None:
    result = ask(words[0], "e1", *words[1:])
    assert result.code == 1
    assert result.err.startswith("error: no exchange 'e1' in programme 'default'")


def test_json_has_id_and_position_only(ask: RunCommand, programme: FakeProgrammeServer) -> None:
    result = ask("log", "--from", "Millbry", "--to", "T-02", "--kind", "call", "--format", "json")
    [event] = programme.events
    assert result.answer == {"exchange_id": event.event_id, "position": "p1"}
    assert "Did you mean" in result.err
    result = ask("retract", event.event_id, "--reason", "x", "--format=json")
    assert result.answer == {"exchange_id": event.event_id, "position": "p2"}
