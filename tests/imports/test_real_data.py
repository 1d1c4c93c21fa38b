"""The public files that the figures of the documentation come from, with their own column names."""

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mutua.v1.types_pb2 import Date
from services.imports import ImportOptions, import_exchanges, import_organizations
from tests.imports.fake_programme import FakeProgramme


@pytest.fixture
def folder() -> Path:
    folder = os.environ.get("MUTUA_REAL_DATA")
    if not folder:
        pytest.skip("MUTUA_REAL_DATA names no folder of real data")
    return Path(folder)


# The reviews end in July 2026, whatever the clock of the machine says.
NOW = datetime(2027, 1, 1, tzinfo=UTC)
REVIEWS = ImportOptions(
    kind_map={"reviewed": "advice", "acked": "message", "tested": "other", "reported": "other"}
)


def test_reviews_import_with_their_own_column_names(folder: Path) -> None:
    programme = FakeProgramme()
    report = import_exchanges(programme.client, folder / "dpdk-reviews.csv.gz", REVIEWS, now=NOW)
    assert (report.counts.recorded, report.errors, report.unused) == (20_850, (), ())
    assert report.batch == "dpdk-reviews"
    assert report.columns["occur_time"] == "occurred_at"
    assert report.columns["report_time"] == "recorded_at"
    given_counts = Counter(
        e.exchange_recorded.exchange.giver_ids[0] for e in programme.events.values()
    )
    received_counts = Counter(
        e.exchange_recorded.exchange.receiver_ids[0] for e in programme.events.values()
    )
    assert (given_counts["intel.com"], received_counts["intel.com"]) == (5934, 4751)
    assert len(given_counts | received_counts) == 321

    again = import_exchanges(programme.client, folder / "dpdk-reviews.csv.gz", REVIEWS, now=NOW)
    assert (again.counts.unchanged, again.acknowledged) == (20_850, 0)


def test_unknown_kinds_are_reported_once_per_word(folder: Path) -> None:
    programme = FakeProgramme()
    report = import_exchanges(programme.client, folder / "dpdk-reviews.csv.gz", now=NOW)
    assert report.error_count == 20_850
    assert sum(error.row_count for error in report.errors) == 20_850
    assert {error.value for error in report.errors} == {"reviewed", "acked", "tested", "reported"}
    assert "--kind-map acked=KIND" in next(e.message for e in report.errors if e.value == "acked")
    assert programme.events == {}


def test_trusts_are_imported(folder: Path) -> None:
    programme = FakeProgramme()
    report = import_organizations(programme.client, folder / "nhs-trusts.csv")
    assert (report.counts.recorded, report.errors) == (241, ())
    assert report.unused == ("postcode",)
    trust = programme.organizations["R1A"]
    assert trust.name == "WORCESTERSHIRE HEALTH AND CARE NHS TRUST"
    assert (trust.region, trust.strategic_group) == ("Y55", "Q77")
    assert trust.open_date == Date(year=2011, month=7, day=1)
    closed = [t for t in programme.organizations.values() if t.HasField("close_date")]
    assert len(closed) == 2
    assert import_organizations(programme.client, folder / "nhs-trusts.csv").counts.unchanged == 241


def test_reports_without_date_kind_and_reference_import(folder: Path) -> None:
    programme = FakeProgramme()
    options = ImportOptions(set={"kind": "advice", "occur_time": "2020-Q1"})
    report = import_exchanges(programme.client, folder / "chemnet-reports.csv", options)
    assert (report.counts.recorded, report.errors) == (374, ())
    sides = Counter(e.exchange_recorded.exchange.reported_by for e in programme.events.values())
    assert sides == {1: 189, 2: 185}
    assert any("no reference column" in note for note in report.notes)
    again = import_exchanges(programme.client, folder / "chemnet-reports.csv", options)
    assert (again.counts.unchanged, again.acknowledged) == (374, 0)
