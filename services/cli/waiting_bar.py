"""Shows on a terminal that an answer takes a while."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

import click

_STEP_SECONDS: Final = 0.2
_WIDTH: Final = 20
_CLEAR: Final = "\r\x1b[K"


@contextmanager
def show_waiting(*, silent_seconds: float = 1.0) -> Iterator[None]:
    """Shows a moving bar and the seconds on stderr, and removes it when the block ends.

    Shows nothing in the first `silent_seconds`, and where stderr is no terminal.
    """
    if not sys.stderr.isatty():
        yield
        return
    answered = Event()
    thread = Thread(target=_show_until, args=(answered, silent_seconds), daemon=True)
    thread.start()
    try:
        yield
    finally:
        answered.set()
        thread.join()


def _show_until(answered: Event, silent_seconds: float) -> None:
    start = time.monotonic()
    if answered.wait(silent_seconds):
        return
    step = 0
    while not answered.wait(_STEP_SECONDS):
        place = step % (2 * _WIDTH)
        place = min(place, 2 * _WIDTH - place)
        bar = f"[{' ' * place}#{' ' * (_WIDTH - place)}]"
        seconds = time.monotonic() - start
        click.echo(
            f"\rWaiting for the answer {bar} {seconds:.0f} s; Ctrl-C ends it", nl=False, err=True
        )
        step += 1
    click.echo(_CLEAR, nl=False, err=True)
