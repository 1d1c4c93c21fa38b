"""`mutua programme set` and `mutua programme show`, as people type them."""

from pathlib import Path

import pytest

from mutua.v1.query_service_pb2 import Topic
from tests.cli.conftest import RunCommand
from tests.cli.fake_programme import FakeProgrammeServer


class TestSet:
    def test_records_working_day_and_labels(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        words = ("--working-day-minutes", "450", "--topic-label", "it-and-data=IT = data")
        result = ask("programme", "set", *words)
        assert (result.code, result.err) == (0, "")
        assert result.out.splitlines() == [
            "Recorded: a working day is 450 minutes.",
            "Recorded: topic it-and-data is shown as 'IT = data'.",
        ]
        [event] = programme.events
        fact = event.programme_configured
        assert fact.working_day_minutes == 450
        assert [(each.topic, each.label) for each in fact.topics] == [("it-and-data", "IT = data")]

    def test_leaves_other_fields_unset(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        assert ask("programme", "set", "--topic-label", "beds=").out == (
            "Recorded: topic beds is shown as itself.\n"
        )
        assert not programme.events[0].programme_configured.HasField("working_day_minutes")
        answer = ask("programme", "set", "--working-day-minutes", "1", "--format", "json").answer
        assert answer == {"event_id": programme.events[1].event_id, "position": "p2"}

    @pytest.mark.parametrize(
        "words", [(), ("--working-day-minutes", "0"), ("--topic-label", "beds")], ids=" ".join
    )
    def test_refuses_missing_or_invalid_values(
        self, ask: RunCommand, programme: FakeProgrammeServer, words: tuple[str, ...]
    ) -> None:
        assert ask("programme", "set", *words).code == 2
        assert programme.events == []


class TestShow:
    def test_has_working_day_and_topics(
        self, ask: RunCommand, programme: FakeProgrammeServer
    ) -> None:
        programme.topics = [
            Topic(topic="beds", exchange_count=3),
            Topic(topic="it-and-data", label="IT & data"),
        ]
        text = ask("programme", "show").out
        assert "programme set --working-day-minutes 450" in text
        assert [line.split() for line in text.splitlines()[-2:]] == [
            ["beds", "3"],
            ["it-and-data", "IT", "&", "data", "0"],
        ]
        answer = ask("programme", "show", "--format", "json").answer
        assert answer["programme"]["topics"][1] == {
            "topic": "it-and-data",
            "label": "IT & data",
            "exchange_count": 0,
        }
        assert "working_day_minutes" not in answer["programme"]

    def test_has_stored_working_day(self, run: RunCommand) -> None:
        assert run("programme", "set", "--working-day-minutes", "450").code == 0
        assert Path("mutua-data").is_dir()
        assert "A working day is 450 minutes." in run("programme", "show").out
        assert "ok: 1 fact" in run("verify").out
