"""That there was nothing to report is said in one line."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from mutua.v1.types_pb2 import OCCUR_PRECISION_MONTH
from services.cli.nothing_to_report import _last_month
from tests.cli.conftest import RunCommand
from tests.cli.fake_programme import FakeProgrammeServer


def test_it_is_said_of_a_month_by_name(ask: RunCommand, programme: FakeProgrammeServer) -> None:
    result = ask("nothing-to-report", "thornwick", "2026-03")
    assert (result.code, result.err) == (0, "")
    assert "Thornwick Teaching Hospitals (T-02) had nothing to report for 2026-03." in result.out
    [event] = programme.events
    assert event.nothing_to_report.organization_id == "T-02"
    assert event.occur_time.ToJsonString() == "2026-03-01T00:00:00Z"
    assert event.occur_precision == OCCUR_PRECISION_MONTH
    told = ask("nothing-to-report", "T-02", "2026-04", "--format", "json").answer
    assert told == {"event_id": programme.events[-1].event_id, "position": "p2"}


def test_without_a_month_it_is_the_last_one(
    ask: RunCommand, programme: FakeProgrammeServer
) -> None:
    assert ask("nothing-to-report", "T-01").code == 0
    assert programme.events[0].occur_precision == OCCUR_PRECISION_MONTH
    for today, first in (("2026-01-31", "2025-12-01"), ("2026-03-01", "2026-02-01")):
        last = _last_month(date.fromisoformat(today))
        assert last.timestamp.ToJsonString() == f"{first}T00:00:00Z"


@pytest.mark.parametrize("typed", ["2026-03-14", "2026-Q1", "March"])
def test_what_is_no_month_is_refused(
    ask: RunCommand, programme: FakeProgrammeServer, typed: str
) -> None:
    result = ask("nothing-to-report", "T-01", typed)
    assert (result.code, programme.events) == (2, [])
    assert typed in result.err


def test_a_name_that_nobody_has_is_recorded_and_told(
    ask: RunCommand, programme: FakeProgrammeServer
) -> None:
    result = ask("nothing-to-report", "Thornwik", "2026-03")
    assert programme.events[0].nothing_to_report.organization_id == "Thornwik"
    assert "Did you mean Thornwick Teaching Hospitals (T-02)?" in result.err


def test_it_is_kept_and_verified(run: RunCommand) -> None:
    assert run("--as", "T-01", "nothing-to-report", "T-01", "2026-03").code == 0
    assert "ok: 1 fact" in run("verify").out
    with closing(
        sqlite3.connect(Path("mutua-data", "read-1.sqlite"), isolation_level=None)
    ) as connection:
        [(said, recorded_by)] = connection.execute(
            "SELECT organization_id, recorded_by FROM nothing_to_report"
        )
        assert (said, recorded_by) == ("T-01", "T-01")
        connection.execute("DELETE FROM nothing_to_report")
    lost = run("verify")
    assert lost.code == 1
    assert "nothing_to_report: lacks" in lost.out + lost.err
