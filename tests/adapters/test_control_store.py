"""The contract of the map store, run against every adapter."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.adapters.postgres.control_store import PostgresControlStore
from services.adapters.postgres.store import PostgresStore
from services.adapters.sqlite.control_store import SqliteControlStore
from services.ledger.errors import LogUnavailableError
from services.ledger.ports import MapStore
from services.query.dashboard.map_places import MapPlaces


@pytest.mark.parametrize("adapter", ["sqlite", "postgres"])
class TestEveryControlStore:
    @pytest.fixture
    def store(self, adapter: str, tmp_path: Path, request: pytest.FixtureRequest) -> MapStore:
        if adapter == "sqlite":
            return SqliteControlStore(tmp_path / "control.sqlite")
        url = request.getfixturevalue("database")
        PostgresStore(url).close()  # a projector creates the tables
        return PostgresControlStore(url)

    def test_new_store_has_no_places(self, store: MapStore) -> None:
        assert store.read_places("p") == {}

    def test_places_are_stored_by_programme(self, store: MapStore) -> None:
        store.add_places("p", {"a": (0.25, 0.5), "ü": (1.0, 0.0)})
        store.add_places("q", {"a": (0.75, 0.5)})
        assert store.read_places("p") == {"a": (0.25, 0.5), "ü": (1.0, 0.0)}
        assert store.read_places("q") == {"a": (0.75, 0.5)}

    def test_first_place_stays(self, store: MapStore) -> None:
        store.add_places("p", {"a": (0.25, 0.5)})
        store.add_places("p", {"a": (0.9, 0.9), "b": (0.1, 0.1)})
        assert store.read_places("p") == {"a": (0.25, 0.5), "b": (0.1, 0.1)}


class TestMissingControlStore:
    def test_directory_that_is_gone_says_so(self, tmp_path: Path) -> None:
        store = SqliteControlStore(tmp_path / "gone" / "control.sqlite")
        assert store.read_places("p") == {}
        with pytest.raises(LogUnavailableError, match="cannot be opened"):
            store.add_places("p", {"a": (0.5, 0.5)})

    def test_map_is_shown_without_a_store(self, tmp_path: Path) -> None:
        async def find_twice() -> None:
            places = MapPlaces(SqliteControlStore(tmp_path / "gone" / "control.sqlite"))
            edges = [SimpleNamespace(giver_id="a", receiver_id="b", exchange_count=1)]
            first = await places.find("p", edges)
            assert first.keys() == {"a", "b"}
            assert await places.find("p", edges) == first

        asyncio.run(find_twice())
