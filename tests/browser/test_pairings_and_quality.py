"""Pairings and the quality of records in a browser, in programmes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import expect

from mutua import Client
from mutua.v1.event_pb2 import Event, PairingEnded, PairingFormed
from mutua.v1.types_pb2 import EXCHANGE_KIND_VISIT, Date
from services.app.bootstrap import EmbeddedServer
from tests.browser.conftest import Dashboard
from tests.services.facts import alias, exchange, registration

PROGRAMME: Final = "paired"
FLAWED: Final = "flawed"
MARKUP: Final = '<img src=x onerror="alert(1)">'
START: Final = Date(year=2026, month=1, day=1)


def form(a: str, b: str) -> Event:
    return Event(pairing_formed=PairingFormed(a=a, b=b, from_date=START))


@pytest.fixture(scope="module")
def paired(server: EmbeddedServer) -> Iterator[Client]:
    """A programme that was over on 2 March 2026, with three pairings of which one has ended."""
    with Client(server.address, programme=PROGRAMME) as client:
        events = [
            registration("ash", name="Ash"),
            registration("birch", name=MARKUP),
            registration("cedar", name="Cedar"),
            exchange("ash", "birch", minutes=30),
            exchange("ash", "birch", minutes=60, on="2026-03-01T12:00:00Z"),
            exchange("birch", "ash"),
            form("ash", "birch"),
            form("ash", "cedar"),
            form("birch", "cedar"),
            Event(
                pairing_ended=PairingEnded(
                    a="birch", b="cedar", to_date=Date(year=2026, month=2, day=1)
                )
            ),
        ]
        client.get_status(min_position=client.record(events))
        yield client


class TestPairings:
    def test_sides_equal_the_answer(self, dashboard: Dashboard, paired: Client) -> None:
        page = dashboard.open(f"?view=pairings&programme={PROGRAMME}&lens=burden")
        [pair] = paired.list_pairs(lens="burden")
        first = dashboard.card("Pairings").locator("tbody").first
        expect(first.get_by_role("link", name="Ash", exact=True)).to_be_visible()
        expect(first).to_contain_text(f"{pair.given / 60:.1f} h")
        expect(first).to_contain_text(f"{pair.given_count} exchanges on {pair.given_days} days")
        expect(first).to_contain_text("2 March 2026")
        expect(first).to_contain_text("3: call")
        assert page.locator("#content img").count() == 0

    def test_quiet_pairings_are_restored_from_the_address(
        self, dashboard: Dashboard, paired: Client
    ) -> None:
        page = dashboard.open(f"?view=pairings&programme={PROGRAMME}")
        page.get_by_label("Show", exact=True).select_option("quiet")
        page.wait_for_url(lambda url: "contact=quiet" in url)
        page.reload()
        card = dashboard.card("Pairings")
        expect(card.get_by_text("Nothing in 60 days", exact=True)).to_have_count(1)
        expect(card.locator("tbody")).to_contain_text("Cedar")
        expect(dashboard.card("Ended pairings").locator("tbody")).to_have_count(1)

    def test_exchanges_of_a_pairing_are_one_click_away(
        self, dashboard: Dashboard, paired: Client
    ) -> None:
        page = dashboard.open(f"?view=pairings&programme={PROGRAMME}")
        page.get_by_role("link", name="Exchanges between Ash and ").first.press("Enter")
        page.wait_for_url(lambda url: "view=pairs" in url)
        count = len(list(paired.list_exchanges(standing_only=True)))
        expect(page.locator(".exchanges-list > li")).to_have_count(count)

    def test_programme_without_pairings_says_how_to_bring_them_in(
        self, dashboard: Dashboard, server: EmbeddedServer
    ) -> None:
        with Client(server.address, programme="unpaired") as client:
            client.get_status(min_position=client.record([exchange("ash", "birch")]))
        page = dashboard.open("?view=pairings&programme=unpaired")
        expect(page.get_by_text("import pairings FILE")).to_be_visible()


@pytest.fixture(scope="module")
def flawed(server: EmbeddedServer) -> Iterator[Client]:
    """A programme with facts that can never apply, unknown names and unknown minutes."""
    with Client(server.address, programme=FLAWED) as client:
        events = [
            registration("elm-3", name="Elmwood Trust"),
            registration(MARKUP),
            alias(MARKUP, "elm-3"),
            exchange("elm-3", MARKUP, minutes=30),
            exchange("elm-3", MARKUP),
            exchange("Elmwod Trust", "elm-3", kind=EXCHANGE_KIND_VISIT),
            exchange("elm-3", MARKUP.upper()),
        ]
        client.get_status(min_position=client.record(events))
        yield client


class TestQuality:
    def test_counts_equal_the_answers(self, dashboard: Dashboard, flawed: Client) -> None:
        page = dashboard.open(f"?view=quality&programme={FLAWED}")
        status = flawed.get_status()
        coverage = flawed.list_balances(lens="burden").coverage
        expect(page.locator("#total-quarantine")).to_have_text(str(status.quarantine_count))
        expect(page.locator("#total-waiting")).to_have_text(str(status.waiting_count))
        unregistered = [each for each in flawed.list_organizations() if not each.registered]
        expect(page.locator("#total-names")).to_have_text(str(len(unregistered)))
        expect(page.locator("#total-minutes")).to_have_text(
            f"{coverage.unknown_minutes_count} of {coverage.exchange_count}"
        )

    def test_remedies_are_text(self, dashboard: Dashboard, flawed: Client) -> None:
        page = dashboard.open(f"?view=quality&programme={FLAWED}")
        [record] = flawed.list_quarantine()
        card = dashboard.card("Facts that can never apply")
        expect(card).to_contain_text(record.remedy)
        expect(card).to_contain_text(record.detail)
        expect(card).to_contain_text(f"mutua --programme {FLAWED} quarantine show {record.offset}")
        names = dashboard.card("Named, but not registered")
        expect(names).to_contain_text("Did you mean Elmwood Trust (elm-3)?")
        expect(names).to_contain_text("organization alias 'Elmwod Trust' elm-3")
        expect(names).to_contain_text(f"Spelled like {MARKUP}")
        assert page.locator("#content img").count() == 0

    def test_kind_is_restored_from_the_address(self, dashboard: Dashboard, flawed: Client) -> None:
        page = dashboard.open(f"?view=quality&programme={FLAWED}&lens=attention")
        page.get_by_role("link", name="Visit: 1 of 1").press("Enter")
        page.wait_for_url(lambda url: "kind=visit" in url)
        page.reload()
        expect(page.locator("#total-minutes")).to_have_text("1 of 1")
        card = dashboard.card("Without minutes, by who gave")
        expect(card).to_contain_text("without the minutes that receivers spent")
        expect(card.get_by_role("link", name="Elmwod Trust: 1 of 1")).to_be_visible()
