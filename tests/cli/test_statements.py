"""`mutua exchange`, `confirm` and `dispute`, as people type them."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import RunCommand, recorded_once

UNKNOWN_ID = "018f3c2e-7b1a-7cc0-9d3e-5a0b1c2d3e4f"


@recorded_once
def recorded(run: RunCommand) -> None:
    result = run("--as", "Ash", "log", "--from", "Ash", "--to", "Oak", "--kind", "call", "--yes")
    assert result.code == 0


@pytest.fixture
def exchange_id(recorded: RunCommand) -> str:
    [exchange] = recorded("exchanges", "--format", "json").answer["exchanges"]
    return str(exchange["exchange_id"])


def test_confirmation_by_other_side_is_shown(recorded: RunCommand, exchange_id: str) -> None:
    before = recorded("exchange", exchange_id)
    assert "Reported by the givers' side, Ash, on " in before.out
    assert "Not confirmed by another side." in before.out
    after = recorded("--as", "oak", "confirm", exchange_id, "--note", "on the phone")
    assert (after.code, after.err) == (0, "")
    assert "Confirmed: two sides stand by it." in after.out
    assert "Oak confirmed it on " in after.out
    assert ": “on the phone”." in after.out
    answer = recorded("exchange", exchange_id.upper(), "--format", "json").answer
    assert (answer["is_confirmed"], answer["is_disputed"]) == (True, False)
    assert answer["reporting_side"] == "REPORT_SIDE_GIVER"
    [statement] = answer["statements"]
    assert (statement["party"], statement["agrees"], statement["is_current"]) == ("Oak", True, True)
    assert "ok: 2 facts" in recorded("verify").out


def test_later_dispute_replaces_confirmation(recorded: RunCommand, exchange_id: str) -> None:
    assert recorded("confirm", exchange_id, "--party", "Oak").code == 0
    result = recorded("dispute", exchange_id, "--party", "Oak", "--note", "was not us")
    assert "Disputed: it counts, until it is corrected or retracted." in result.out
    assert "(no longer holds)" in result.out
    assert "Oak disputed it on " in result.out


def test_correction_of_day_ends_statements(recorded: RunCommand, exchange_id: str) -> None:
    assert recorded("confirm", exchange_id, "--party", "Oak").code == 0
    assert recorded("--as", "Ash", "correct", exchange_id, "--minutes", "30").code == 0
    assert "Confirmed:" in recorded("exchange", exchange_id).out
    assert recorded("--as", "Ash", "correct", exchange_id, "--on", "2020-01-01").code == 0
    result = recorded("exchange", exchange_id)
    assert "Not confirmed by another side." in result.out
    assert "(no longer holds)" in result.out


@pytest.mark.parametrize(("party", "reason"), [("Ash", "is on the side that"), ("Elm", "no party")])
def test_statement_of_another_organization_is_set_aside(
    recorded: RunCommand, exchange_id: str, party: str, reason: str
) -> None:
    result = recorded("confirm", exchange_id, "--party", party)
    assert result.code == 1
    assert f"{party} is no organization on the side that did not report this" in result.err
    [record] = json.loads(recorded("quarantine", "list", "--format", "json").out)["records"]
    assert reason in record["detail"]
    assert "Not confirmed by another side." in recorded("exchange", exchange_id).out


def test_statement_needs_party_exchange_and_reason(recorded: RunCommand, exchange_id: str) -> None:
    assert "--party" in recorded("confirm", exchange_id).err
    unknown = recorded("confirm", UNKNOWN_ID, "--party", "Oak")
    assert (unknown.code, "no exchange" in unknown.err) == (1, True)
    assert recorded("dispute", exchange_id, "--party", "Oak").code == 2
    assert recorded("dispute", exchange_id, "--party", "Oak", "--note", " ").code == 2
    assert recorded("retract", exchange_id, "--reason", "twice").code == 0
    assert "final" in recorded("confirm", exchange_id, "--party", "Oak").err
    assert "Retracted: it counts nowhere." in recorded("exchange", exchange_id).out
