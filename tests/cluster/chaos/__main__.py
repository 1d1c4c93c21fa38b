"""`python -m tests.cluster.chaos --rounds 200 --seed 1`: see ../README.md."""

import argparse
import random
import sys
import time
from functools import partial

from tests.cluster.chaos.rounds import RECOVERY_SECONDS, run_rounds
from tests.cluster.chaos.summary import format_summary

SESSION_SECONDS = 10.0
"""What projectors have when nothing else is set."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.cluster.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--only", default="", help="words of a choice, such as 'projector-1: kill'")
    parser.add_argument("--session", type=float, default=SESSION_SECONDS)
    parser.add_argument("--patience", type=float, default=RECOVERY_SECONDS)
    given = parser.parse_args()
    say, started = partial(print, flush=True), time.monotonic()
    try:
        found = run_rounds(
            rounds=given.rounds,
            seed=given.seed,
            session_seconds=given.session,
            patience_seconds=given.patience,
            only=given.only,
            report=say,
        )
    except AssertionError as error:
        say("\n".join([str(error), *getattr(error, "__notes__", ())]))
        return 1
    say("\n".join(format_summary(found, time.monotonic() - started)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
