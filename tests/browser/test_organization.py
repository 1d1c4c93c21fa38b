"""One organization in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from mutua import Client
from tests.browser.conftest import Dashboard


class TestOrganization:
    def test_partners_and_topics_equal_the_answers(
        self, dashboard: Dashboard, client: Client
    ) -> None:
        page = dashboard.open("?view=organization&organization=T-18&lens=burden")
        partners = list(client.list_pairs(organization_ids=["T-18"], lens="burden"))
        show = page.get_by_role("button", name=re.compile("^Show [0-9]+ more$")).first
        show.click()
        options = dashboard.card("Partners of Saltwick Teaching Hospitals").get_by_role("option")
        expect(options).to_have_count(len(partners))
        topics = dashboard.card("Topics given and received").get_by_role("option")
        counted = [
            each
            for each in client.list_topic_asymmetry(organization_ids=["T-18"], lens="burden")
            if each.topic
        ]
        expect(topics).to_have_count(len(counted))

    def test_timeline_shows_earlier_exchanges(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=organization&organization=T-18")
        items = dashboard.card("Exchanges").get_by_role("listitem")
        expect(items).to_have_count(20)
        page.get_by_role("link", name="Show earlier ones").press("Enter")
        page.wait_for_url(lambda url: "rows=40" in url)
        expect(items).to_have_count(40)

    def test_dependants_equal_the_answer(self, dashboard: Dashboard, client: Client) -> None:
        reaches = client.get_structure(kinds=["visit"]).structures[0].reaches
        only = [each for each in reaches if each.HasField("only_source_id")]
        source = only[0].only_source_id
        dashboard.open(f"?view=organization&kind=visit&organization={source}")
        names = {each.organization_id: each.name for each in client.list_organizations()}
        expected = [names[each.organization_id] for each in only if each.only_source_id == source]
        listed = dashboard.card("Receive from it alone").get_by_role("listitem")
        assert sorted(listed.all_inner_texts()) == sorted(expected)

    def test_organization_is_chosen_from_all(self, dashboard: Dashboard) -> None:
        page = dashboard.open("?view=organization")
        page.get_by_role("link", name="Saltwick Teaching Hospitals").press("Enter")
        page.wait_for_url(lambda url: "organization=T-18" in url)
        expect(dashboard.card("Saltwick Teaching Hospitals")).to_contain_text("T-18")
