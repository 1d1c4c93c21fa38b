"""New read models from the whole log, faster than a live projector follows it."""

import gc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final

from services.ledger.errors import UnknownFactKindError
from services.ledger.ports import Partition, ProjectionStore
from services.projector.slab import write_slab
from services.projector.slab_prefetcher import SlabPrefetcher

SLAB_RECORDS: Final = 20_000


def build(
    log: Partition,
    store: ProjectionStore,
    *,
    slab_size: int = SLAB_RECORDS,
    on_progress: Callable[[int], None],
) -> int:
    """Projects the log into empty read models that nobody else uses; the position they are at.

    That is the end of the log, or before a fact that needs a later version. `on_progress` is called
    with the position after each slab; what it raises ends the building.
    """
    position = 0
    with _collecting_seldom(), closing(SlabPrefetcher(log, slab_size)) as slabs:
        try:
            while slab := slabs.read(position):
                position = write_slab(store, slab).next_offset
                on_progress(position)
        except UnknownFactKindError:
            pass
    return position


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """A slab makes many objects and no cycles: looking for these would take a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
