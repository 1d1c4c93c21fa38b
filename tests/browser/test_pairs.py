"""One-sided pairs in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from mutua import Client
from tests.browser.conftest import Dashboard


class TestPairs:
    def test_rows_equal_the_answer(self, dashboard: Dashboard, client: Client) -> None:
        page = dashboard.open("?view=pairs&lens=burden&evidence=clear")
        names = {each.organization_id: each.name for each in client.list_organizations()}
        pairs = [each for each in client.list_asymmetry(lens="burden") if each.q_value <= 0.05]
        rows = page.locator(".pair-table tbody tr")
        expect(rows).to_have_count(len(pairs))
        for row, pair in zip(rows.all(), pairs, strict=True):
            title = f"{names[pair.giver_id]} to {names[pair.receiver_id]}"
            expect(row.get_by_role("link")).to_have_text(title)
            expect(row).to_contain_text(f"{pair.given_days} : {pair.received_days}")

    def test_row_opens_the_exchanges_of_both_directions(
        self, dashboard: Dashboard, client: Client
    ) -> None:
        page = dashboard.open("?view=pairs&order=contact_days desc")
        pair = next(iter(client.list_asymmetry(order_by="contact_days desc")))
        page.locator(".pair-table tbody tr").first.click()
        page.wait_for_url(lambda url: f"giver={pair.giver_id}&" in url)
        card = page.get_by_role("region", name=re.compile("^Between "))
        counted = pair.given_count + pair.received_count
        expect(card.locator(".exchanges-list > li")).to_have_count(counted)

    def test_heads_sort_both_ways_by_keyboard(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=pairs")
        head = page.get_by_role("button", name="Gave, came back")
        head.press("Enter")
        page.wait_for_url(lambda url: "order=net+desc" in url)
        expect(page.get_by_role("columnheader", name="Gave, came back")).to_have_attribute(
            "aria-sort", "descending"
        )
        head.press("Enter")
        expect(page.get_by_role("columnheader", name="Gave, came back")).to_have_attribute(
            "aria-sort", "ascending"
        )

    def test_unknown_evidence_says_what_there_is(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=pairs&evidence=strong")
        expect(page.get_by_text("choose one of enough, clear, every").first).to_be_visible()
        dashboard.complaints = [each for each in dashboard.complaints if " 400 " not in each]
