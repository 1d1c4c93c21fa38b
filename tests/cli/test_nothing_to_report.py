"""`mutua nothing-to-report`, as people type it."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from mutua.v1.types_pb2 import OCCUR_PRECISION_MONTH
from services.cli.nothing_to_report import _last_month
from tests.cli.conftest import RunCommand
from tests.cli.fake_programme import FakeProgrammeServer


def test_month_is_recorded_for_named_organization(
    ask: RunCommand, programme: FakeProgrammeServer
) -> None:
    result = ask("nothing-to-report", "thornwick", "2026-03")
    assert (result.code, result.err) == (0, "")
    assert "Thornwick Teaching Hospitals (T-02) had nothing to report for 2026-03." in result.out
    [event] = programme.events
    assert event.nothing_to_report.organization_id == "T-02"
    assert event.occur_time.ToJsonString() == "2026-03-01T00:00:00Z"
    assert event.occur_precision == OCCUR_PRECISION_MONTH
    answer = ask("nothing-to-report", "T-02", "2026-04", "--format", "json").answer
    assert answer == {"event_id": programme.events[-1].event_id, "position": "p2"}


def test_default_is_last_month(ask: RunCommand, programme: FakeProgrammeServer) -> None:
    assert ask("nothing-to-report", "T-01").code == 0
    assert programme.events[0].occur_precision == OCCUR_PRECISION_MONTH
    for today, first in (("2026-01-31", "2025-12-01"), ("2026-03-01", "2026-02-01")):
        last = _last_month(date.fromisoformat(today))
        assert last.timestamp.ToJsonString() == f"{first}T00:00:00Z"


@pytest.mark.parametrize("period", ["2026-03-14", "2026-Q1", "March"])
def test_other_period_is_refused(
    ask: RunCommand, programme: FakeProgrammeServer, period: str
) -> None:
    result = ask("nothing-to-report", "T-01", period)
    assert (result.code, programme.events) == (2, [])
    assert period in result.err


def test_unknown_name_is_recorded_with_near_misses(
    ask: RunCommand, programme: FakeProgrammeServer
) -> None:
    result = ask("nothing-to-report", "Thornwik", "2026-03")
    assert programme.events[0].nothing_to_report.organization_id == "Thornwik"
    assert "Did you mean Thornwick Teaching Hospitals (T-02)?" in result.err


def test_row_is_stored_and_verified(run: RunCommand) -> None:
    assert run("--as", "T-01", "nothing-to-report", "T-01", "2026-03").code == 0
    assert "ok: 1 fact" in run("verify").out
    with closing(
        sqlite3.connect(Path("mutua-data", "read-1.sqlite"), isolation_level=None)
    ) as connection:
        [(organization_id, recorded_by)] = connection.execute(
            "SELECT organization_id, recorded_by FROM nothing_to_report"
        )
        assert (organization_id, recorded_by) == ("T-01", "T-01")
        connection.execute("DELETE FROM nothing_to_report")
    result = run("verify")
    assert result.code == 1
    assert "nothing_to_report: lacks" in result.out + result.err
