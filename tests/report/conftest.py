"""A programme with hostile names, and the report about it, once for a module."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from mutua import Client
from mutua.v1.event_pb2 import Event
from services.app.bootstrap import serve_embedded
from tests.services import facts

HOSTILE_NAMES = (
    "</svg></style></title><script>alert(1)</script><img src=x onerror=alert(2)>",
    "\u202egnirts desrever\u202c and \u2067isolated",
    "مستشفى الملك فيصل التخصصي",
    "W" * 200,
    "{{ 7 * 7 }}{% raw %}",
    "a\u0301\u0302\u0303\u0304" * 40,
)
_COUNT = 16
_SILENT = 2
"""Organizations at the end of the roster without an exchange."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("programme")
    with serve_embedded(folder, purpose="tests", write=True) as running:
        yield running.address


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    """A programme of half a year in which a few give much."""
    with Client(address, programme="gde") as client:
        client.get_status(min_position=client.record(_make_events()))
        yield client


def _make_events() -> list[Event]:
    random = Random(1)
    events = [
        facts.registration(
            f"o{number:02}",
            name=HOSTILE_NAMES[number] if number < len(HOSTILE_NAMES) else f"Site {number}",
            region=("North", "South")[number % 2],
        )
        for number in range(_COUNT)
    ]
    active = _COUNT - _SILENT
    for _ in range(320):
        giver, receiver = int(active * random.random() ** 2), random.randrange(active)
        if giver != receiver:
            day = f"2026-{1 + random.randrange(6):02}-{1 + random.randrange(28):02}"
            minutes = random.choice([None, 15, 30, 60, 120, 240, 240])
            events.append(
                facts.exchange(
                    f"o{giver:02}", f"o{receiver:02}", on=f"{day}T12:00:00Z", minutes=minutes
                )
            )
    return events
