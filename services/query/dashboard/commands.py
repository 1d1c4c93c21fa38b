"""Commands that a person can copy from the page."""

import shlex
from collections.abc import Sequence
from typing import Final

_DEFAULT_PROGRAMME: Final = "default"


def make_command(programme_id: str, *words: str, values: Sequence[str] = ()) -> str:
    """A command of `mutua` for a programme, quoted for a shell.

    `values` come from people. They follow the options, and none of them is taken for one.
    """
    options = [] if programme_id == _DEFAULT_PROGRAMME else ["--programme", programme_id]
    separator = ["--"] if any(each.startswith("-") for each in values) else []
    return shlex.join(["mutua", *options, *words, *separator, *values])
