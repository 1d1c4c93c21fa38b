"""A usual exchange is logged by keyboard alone in under 15 seconds at the pace of a person.

No test asserts how long this machine takes. The keys that the page receives are counted, and a
person's time follows from the keystroke-level model (Card, Moran and Newell 1980): 0.28 s a key,
the pace of somebody who does not type for a living, and 1.35 s of thought before each field.
"""

from collections.abc import Callable

from playwright.sync_api import expect

from mutua import Client
from services.app.bootstrap import EmbeddedServer
from tests.browser.conftest import Dashboard
from tests.services.facts import exchange, registration

KEY_SECONDS = 0.28
THOUGHT_SECONDS = 1.35
FIELDS = 4
"""Giver, receiver, kind and effort."""
LIMIT_SECONDS = 15.0


def test_usual_exchange_takes_under_fifteen_seconds(
    dashboard: Dashboard, server: EmbeddedServer, record_property: Callable[[str, object], None]
) -> None:
    with Client(server.address, programme="pace") as client:
        client.record([registration("ash-1", name="Ashcombe Trust")])
        client.record([registration("oak-2", name="Oakdale Hospitals")])
        client.record([exchange("ash-1", "oak-2")])
        page = dashboard.open("?view=recording&programme=pace")
        expect(page.get_by_role("combobox", name="Who gave")).to_be_focused()
        page.evaluate(
            "window.keyCount = 0; addEventListener('keydown', () => { keyCount += 1; }, true)"
        )
        for name in ("ashcombe", "oakdale"):  # whole words, although two letters would do
            page.keyboard.type(name)
            for key in ("Enter", "Tab", "Tab"):
                page.keyboard.press(key)
        page.keyboard.press("ArrowRight")  # the next kind
        while page.evaluate("document.activeElement.name") != "minutes":
            page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        expect(
            page.get_by_text("Recorded: Ashcombe Trust to Oakdale Hospitals, 1 h")
        ).to_be_visible()
        key_count = page.evaluate("keyCount")
    seconds = key_count * KEY_SECONDS + FIELDS * THOUGHT_SECONDS
    record_property("keys", key_count)
    record_property("seconds at the pace of a person", round(seconds, 1))
    print(f"{key_count} keys: {seconds:.1f} s at the pace of a person")
    assert seconds < LIMIT_SECONDS
