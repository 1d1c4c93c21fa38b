"""`python -m tests.cluster.chaos --rounds 200 --seed 1`: see ../README.md."""

import argparse
import random
import sys
import time
from functools import partial

from tests.cluster.chaos.rounds import RECOVERY_SECONDS, run_rounds
from tests.cluster.chaos.summary import format_summary

SESSION_SECONDS = 10.0
"""The default of MUTUA_SESSION_TIMEOUT_SECONDS."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.cluster.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument(
        "--only", default="", help="part of an injection, such as 'projector-1: kill'"
    )
    parser.add_argument("--session", type=float, default=SESSION_SECONDS)
    parser.add_argument("--patience", type=float, default=RECOVERY_SECONDS)
    arguments = parser.parse_args()
    report, start_seconds = partial(print, flush=True), time.monotonic()
    try:
        run = run_rounds(
            rounds=arguments.rounds,
            seed=arguments.seed,
            session_seconds=arguments.session,
            patience_seconds=arguments.patience,
            only=arguments.only,
            report=report,
        )
    except AssertionError as error:
        report("\n".join([str(error), *getattr(error, "__notes__", ())]))
        return 1
    report("\n".join(format_summary(run, time.monotonic() - start_seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
