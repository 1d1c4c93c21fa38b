"""New read models from the whole log, faster than a live projector follows it."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from services.ledger.ports import Held, Partition, ProjectionStore
from services.projector.slab import project_slab

SLAB: Final = 20_000


def build(
    log: Partition,
    store: ProjectionStore,
    *,
    slab_size: int = SLAB,
    on_progress: Callable[[int], None],
) -> int:
    """Projects the log into empty read models that nobody else uses; the position they are at.

    That is the end of the log, or before a fact that needs a later version. `on_progress` is called
    with the position after each slab; what it raises ends the building.
    """
    position = 0
    with _collecting_seldom():
        while records := log.read(position, slab_size):
            try:
                position = project_slab(
                    store, log.log_id, records, partition=log.number
                ).next_offset
            except Held:
                break
            on_progress(position)
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
