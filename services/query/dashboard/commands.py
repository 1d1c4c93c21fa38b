"""Commands that a person can copy from the page."""

import shlex
from typing import Final

_DEFAULT_PROGRAMME: Final = "default"


def make_command(programme_id: str, *words: str) -> str:
    """A command of `mutua` for a programme, quoted for a shell."""
    options = [] if programme_id == _DEFAULT_PROGRAMME else ["--programme", programme_id]
    return shlex.join(["mutua", *options, *words])
