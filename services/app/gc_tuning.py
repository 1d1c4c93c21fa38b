"""How a process looks after its memory."""

import gc


def tune_for_serving() -> None:
    """Facts make many objects and few cycles: the usual search for these took a sixth of the time.

    For processes that do nothing but serve.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
