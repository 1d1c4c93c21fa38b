"""Where organizations stand on the map: laid out once, stored, and never moved again."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.ledger.errors import MutuaError
from services.ledger.ports import MapStore
from services.measures.map_layout import Place, Tie, place_organizations

logger = logging.getLogger(__name__)

_MAX_PROGRAMMES: Final = 50
"""Programmes whose places stay in memory. Others are read again from the store."""


# decision 0140: the map is laid out once, and its coordinates are stored
class MapPlaces:
    """The places of organizations, of one event loop.

    Several processes may lay out the same organization at the same time: the store keeps the
    first place, and everybody reads it.
    """

    def __init__(self, store: MapStore | None) -> None:
        """Without a store places last as long as this object."""
        self._store = store
        self._places: dict[str, dict[str, Place]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def find(self, programme_id: str, edges: Sequence[Any]) -> Mapping[str, Place]:
        """The place of every organization with a tie; `edges` are those of the whole history."""
        async with self._locks[programme_id]:
            places = self._places.setdefault(programme_id, {})
            if self._lacks(places, edges):
                await asyncio.to_thread(self._complete, programme_id, places, edges)
            if len(self._places) > _MAX_PROGRAMMES:
                self._places.pop(next(iter(self._places)))
            return dict(places)

    def _lacks(self, places: Mapping[str, Place], edges: Sequence[Any]) -> bool:
        return any(each.giver_id not in places or each.receiver_id not in places for each in edges)

    def _complete(self, programme_id: str, places: dict[str, Place], edges: Sequence[Any]) -> None:
        """Adds stored places, and new ones for organizations that have none."""
        self._read(programme_id, places)
        ties: list[Tie] = [
            (each.giver_id, each.receiver_id, float(each.exchange_count)) for each in edges
        ]
        new = place_organizations(ties, places)
        if new and self._store is not None:
            try:
                self._store.add_places(programme_id, new)
            except MutuaError as error:
                logger.warning("the map of %s is not stored: %s", programme_id, error)
        places |= new
        self._read(programme_id, places)

    def _read(self, programme_id: str, places: dict[str, Place]) -> None:
        if self._store is None:
            return
        try:
            stored = self._store.read_places(programme_id)
        except MutuaError as error:
            logger.warning("the stored map of %s cannot be read: %s", programme_id, error)
            return
        places |= {name: Place(*place) for name, place in stored.items()}
